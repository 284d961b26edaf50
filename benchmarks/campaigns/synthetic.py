"""Power and false alarms of the scan on seeded panels, sampling error unknown.

Twenty sources by twenty statistics with uneven loadings on an autocorrelated common
cause and heavy-tailed noise; from one window on, some sources shift in one statistic.
A case counts as found when the scan claims a campaign within ten windows. The windows
before it give the realised false-alarm rate, through the same code path and threshold.

    python benchmarks/campaigns/synthetic.py --runs 20
"""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns import scan_panel

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

SOURCES, WINDOWS, STATISTICS = 20, 260, 20
START, ATTACK, SOON = 120, 220, 10
CASES = {
    "none": (0, 0.0),
    "4 of 20, 3 sigma": (4, 3.0),
    "4 of 20, 2 sigma": (4, 2.0),
    "3 of 20, 3 sigma": (3, 3.0),
    "2 of 20, 3 sigma": (2, 3.0),
    "one source, 8 sigma (no campaign)": (1, 8.0),
    "all sources, 3 sigma (no campaign)": (20, 3.0),
}


def panel(rng: np.random.Generator) -> Floats:
    """One honest panel; noise has unit variance."""
    cause = rng.normal(size=(1, WINDOWS, STATISTICS))
    for t in range(1, WINDOWS):
        cause[:, t] = 0.5 * cause[:, t - 1] + 0.87 * cause[:, t]
    loading = 1 + 0.3 * rng.normal(size=(SOURCES, 1, STATISTICS))
    noise = rng.standard_t(5, size=(SOURCES, WINDOWS, STATISTICS)) / np.sqrt(5 / 3)
    return np.asarray(3 * rng.normal(size=(SOURCES, 1, STATISTICS)) + loading * cause + noise)


def one_run(seed: int, sources: int, shift: float) -> tuple[int, float, float, int]:
    """Found (0 or 1), precision and recall of the naming, false alarms before."""
    rng = np.random.default_rng(seed)
    values = panel(rng)
    statistic = int(rng.integers(STATISTICS))
    guilty: Ints = rng.choice(SOURCES, sources, replace=False)
    values[guilty, ATTACK:, statistic] += shift
    false = 0
    for result in scan_panel(values[:, : ATTACK + SOON], start=START):
        if result.campaign is None:
            continue
        if result.t < ATTACK:
            false += 1
            continue
        named = set(result.campaign.sources)
        right = len(named & set(guilty.tolist()))
        return 1, right / len(named), right / max(1, sources), false
    return 0, float("nan"), float("nan"), false


def main() -> None:
    """Print one JSON line per case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    for name, (sources, shift) in CASES.items():
        runs = np.array([one_run(seed, sources, shift) for seed in range(asked.runs)])
        found = runs[:, 0] > 0
        line = {
            "case": name,
            "runs": asked.runs,
            "found": int(found.sum()),
            "precision": round(float(runs[found, 1].mean()), 2) if found.any() else None,
            "recall": round(float(runs[found, 2].mean()), 2) if found.any() else None,
            "false_alarm_rate": round(float(runs[:, 3].sum()) / asked.runs / (ATTACK - START), 4),
        }
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()

"""How unsteady panels are: what the panel ``restless`` is made like.

By panel: how far sources lie apart in a window (the median distance from the middle one, in
standard units of the reference time and against a tracked level), as the standard deviation
of its logarithm, its correlation with the window before and among statistics; and how many of
1,000 cells of a source, a statistic and a window begin a level of their own, two standard
units away over fifteen windows.

    python benchmarks/campaigns/restlessness.py --seed 300
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import numpy as np
from baselines import standardised
from panels import PANELS

if TYPE_CHECKING:
    from credenza.core.types import Floats

FIRST = 40
"""Windows that the tracked level needs."""
LASTING = 15
FAR = 2.0
LEAST_SPREAD = 0.01


def spreads(z: Floats) -> Floats:
    """``(T, P)`` logarithm of how far sources lie apart, in units of its median over time."""
    apart = np.median(np.abs(z - np.median(z, axis=0)), axis=0)
    return np.asarray(np.log(np.maximum(apart / np.median(apart, axis=0), LEAST_SPREAD)))


def changes(z: Floats) -> float:
    """Share of cells that begin a level of their own."""
    rest = z - np.median(z, axis=0)
    total = np.cumsum(np.pad(rest, ((0, 0), (1, 0), (0, 0))), axis=1)
    mean = (total[:, LASTING:] - total[:, :-LASTING]) / LASTING
    leap = np.abs(mean[:, LASTING:] - mean[:, :-LASTING])
    found = sum(_separate(own[:, p]) for own in leap for p in range(z.shape[2]))
    return found / leap.size


def _separate(leap: Floats) -> int:
    """How many leaps, those within twice ``LASTING`` windows taken for one."""
    found, last = 0, -2 * LASTING
    for t in np.flatnonzero(leap > FAR):
        if t - last >= 2 * LASTING:
            found, last = found + 1, t
    return found


def main() -> None:
    """One line a panel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panel", action="append", choices=list(PANELS))
    parser.add_argument("--seed", type=int, default=300)
    asked = parser.parse_args()
    print("| panel | spread | window before | among statistics | changes in 1,000 cells |")
    print("|---|---|---|---|---|")
    for name in asked.panel or PANELS:
        panel = PANELS[name](asked.seed)
        apart = spreads(standardised(panel, tracks=True).z[:, FIRST:])
        before = [np.corrcoef(own[1:], own[:-1])[0, 1] for own in apart.T]
        pairs = (
            np.corrcoef(apart.T)[np.triu_indices(apart.shape[1], 1)] if apart.shape[1] > 1 else []
        )
        among = f"{np.mean(pairs):.2f}" if len(pairs) else "-"
        begun = 1000 * changes(standardised(panel, tracks=False).z)
        print(f"| {name} | {apart.std():.2f} | {np.mean(before):.2f} | {among} | {begun:.2f} |")


if __name__ == "__main__":
    main()

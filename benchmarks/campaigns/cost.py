"""What a window costs, how large the state is, how long it takes to come back.

python benchmarks/campaigns/cost.py --sources 200 --statistics 100 --windows 3650
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from credenza.campaigns.panel import PanelScanner

GOALS = {"ms_per_window": 50.0, "kb_per_source": 16.0, "load_s": 1.0}


def main() -> None:
    """Print one JSON line: processor time by window, bytes by source, seconds to load."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=200)
    parser.add_argument("--statistics", type=int, default=100)
    parser.add_argument("--windows", type=int, default=3650, help="ten years of days")
    asked = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (asked.sources, asked.statistics)
    scanner = PanelScanner(
        [f"{s:04d}" for s in range(shape[0])], [f"{p:04d}" for p in range(shape[1])], periods=(7,)
    )
    spent = []
    for _ in range(asked.windows):
        values = rng.standard_normal(shape)
        began = time.process_time()
        scanner.step(values)
        scanner.accept()
        spent.append(time.process_time() - began)
    scanner.step(rng.standard_normal(shape))
    data = scanner.to_bytes()
    began = time.process_time()
    PanelScanner.from_bytes(data)
    line = {
        "sources": shape[0],
        "statistics": shape[1],
        "windows": asked.windows,
        "ms_per_window": round(1e3 * float(np.median(spent[-400:])), 1),
        "kb_per_source": round(len(data) / shape[0] / 1e3, 2),
        "load_s": round(time.process_time() - began, 3),
        "goals": GOALS,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()

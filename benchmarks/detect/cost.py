"""What a default scan costs: time and peak memory from 10^4 to 10^6 rows of 20 mixed columns.

    python benchmarks/detect/cost.py [--rows 10000,100000,1000000] [--seed 0] [--out FILE]

Each size is scanned in a process of its own, from a Parquet file with ten numbers, five
categories (3 to 5,000 values), a text of twelve words, an id, a time, a label and a source.
Processor seconds are the point: wall-clock seconds depend on what else the machine does.
The last column is how the cost grew against the size before: 10 is linear.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CATEGORIES = (3, 12, 50, 400, 5_000)
WORDS = 20_000
TEXT_WORDS = 12


def rows(n: int, seed: int) -> pa.Table:
    """Mixed columns; the label follows two numbers and one category, with noise."""
    rng = np.random.default_rng(seed)
    columns: dict[str, object] = {
        f"n{i}": rng.normal(size=n).astype(np.float32) * 10**i for i in range(5)
    }
    columns |= {f"n{i}": rng.integers(0, 10 ** (i - 3), n) for i in range(5, 10)}
    for size in CATEGORIES:
        drawn = (rng.pareto(1.0, n) * size / 10).astype(np.int64) % size
        columns[f"c{size}"] = [f"v{value}" for value in drawn.tolist()]
    vocabulary = np.array([f"w{i}" for i in range(WORDS)], dtype=object)
    drawn = (rng.pareto(0.7, (n, TEXT_WORDS)) * 5).astype(np.int64) % WORDS
    columns["text"] = [" ".join(words) for words in vocabulary[drawn].tolist()]
    columns["id"] = [f"row-{i:08x}" for i in rng.permutation(n).tolist()]
    columns["when"] = pa.array(1_700_000_000 + rng.integers(0, 10**7, n), pa.timestamp("s"))
    score = np.asarray(columns["n0"]) + np.asarray(columns["n1"]) / 10 + rng.normal(0, 0.7, n)
    columns["label"] = np.where(score > 0, "yes", "no").tolist()
    columns["source"] = [f"s{i}" for i in rng.integers(0, 20, n).tolist()]
    return pa.table(columns)


def measure(path: Path) -> dict[str, object]:
    """Scan one file in this process; seconds by step, and the peak of memory."""
    from credenza import scan  # noqa: PLC0415 - a fresh process a size

    steps: list[tuple[str, float]] = []
    start, wall = time.process_time(), time.perf_counter()
    result = scan(path, progress=lambda step: steps.append((step.doing, time.process_time())))
    spent = {
        doing: round(after - before, 2) for (doing, before), (_, after) in itertools.pairwise(steps)
    }
    own = resource.getrusage(resource.RUSAGE_SELF)
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "rows": result.rows.num_rows,
        "cpu_s": round(time.process_time() - start, 1),
        "wall_s": round(time.perf_counter() - wall, 1),
        "peak_gib": round(max(own.ru_maxrss, child.ru_maxrss) / 2**20, 2),
        "flagged": int(result.flagged.sum()),
        "findings": len(result.findings),
        "steps": spent,
    }


def main() -> None:
    """Write one file a size, scan each, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default="10000,100000,1000000")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for n in (int(size) for size in asked.rows.split(",")):
            path = Path(folder) / f"{n}.parquet"
            pq.write_table(rows(n, asked.seed), path)
            done = subprocess.run(
                [sys.executable, __file__, "--measure", str(path)],
                check=True,
                capture_output=True,
                text=True,
            )
            found.append(json.loads(done.stdout.splitlines()[-1]))
            path.unlink()
    print("| rows | CPU s | wall s | peak GiB | flagged | CPU s per 10x rows |")
    print("|---|---|---|---|---|---|")
    for place, one in enumerate(found):
        grown = "-"
        if place:
            before = found[place - 1]
            power = np.log10(one["rows"] / before["rows"])
            grown = f"{(one['cpu_s'] / before['cpu_s']) ** (1 / power):.1f}"
        print(
            f"| {one['rows']:,} | {one['cpu_s']} | {one['wall_s']} | {one['peak_gib']} "
            f"| {one['flagged']} | {grown} |"
        )
    for one in found:
        print(f"{one['rows']:,} rows, CPU s by step: {one['steps']}")
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""What each aggregation rule costs, as a multiple of reading the updates once.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/training/aggregation.py
    python benchmarks/training/aggregation.py --memmap     # memory, on disk, two sizes

"Reading" is ``updates.sum()`` in the same run: the fastest pass NumPy has. Processor
time on one thread, so that neighbours on the machine weigh less. The plain NumPy
lines are what the rule's core costs without centring, screening or bounded memory. The
hostile line has one far client, first in the list, which forces a second, median-centred
pass. Ratios depend on the machine's memory speed against its arithmetic; compare within a
run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.training.builtin import AGGREGATORS, aggregator

if TYPE_CHECKING:
    from collections.abc import Callable

REPEATS = 5
MIXED = ("nnm+krum", "nnm+coordinate-median", "nnm+trimmed-mean")


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Least processor time of ``work``."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def made(name: str, dimension: int, f: int) -> Any:  # noqa: ANN401 - a benchmark
    """The rule, with a reference where it needs one."""
    given: dict[str, Any] = {}
    if name.endswith("fltrust"):
        given["reference"] = np.ones(dimension, dtype=np.float32)
    return aggregator(name, f=f, dimension=dimension, **given)


def table(clients: int, dimension: int, f: int) -> None:
    """Cost of each rule in memory."""
    rows = np.random.default_rng(0).standard_normal((clients, dimension), dtype=np.float32)
    reading = seconds(rows.sum, 20)
    print(
        f"n={clients} d={dimension} f={f}: reading {1e3 * reading:.1f} ms, numpy {np.__version__}"
    )
    print(f"{'rule':28}{'ms':>9}{'x reading':>12}")
    plain: dict[str, Callable[[], object]] = {
        "(numpy uncentred Gram)": lambda: rows @ rows.T,
        "(numpy mean)": lambda: rows.mean(axis=0),
        "(numpy median)": lambda: np.median(rows, axis=0),
    }
    for name, work in plain.items():
        line(name, seconds(work, 2), reading)
    for name in (*AGGREGATORS, *MIXED):
        rule = made(name, dimension, f)
        line(name, seconds(lambda rule=rule: rule.combine(rows)), reading)  # type: ignore[misc]  # bound now
    rule = made("krum", dimension, f)
    line("krum, verdicts too", seconds(lambda: rule.settle(rows)), reading)
    rows[0] += 1e4
    line("krum, one far client first", seconds(lambda: rule.combine(rows)), reading)


def line(name: str, took: float, reading: float) -> None:
    """One row of the table."""
    print(f"{name:28}{1e3 * took:9.1f}{took / reading:12.1f}", flush=True)


def memory(clients: int, dimension: int, f: int) -> None:
    """Peak of traced memory beyond the output, from a memory map."""
    with tempfile.TemporaryDirectory() as home:
        shape = (clients, dimension)
        rows = np.memmap(Path(home) / "updates", dtype=np.float32, mode="w+", shape=shape)
        rng = np.random.default_rng(0)
        for row in rows:
            row[:] = rng.standard_normal(dimension, dtype=np.float32)
        reading = seconds(rows.sum, 2)
        for name in ("krum", "geometric-median", "coordinate-median", "bulyan", "nnm+krum"):
            rule = made(name, dimension, f)
            tracemalloc.start()
            start = time.process_time()
            rule.combine(rows)
            took = time.process_time() - start
            peak = tracemalloc.get_traced_memory()[1] - 8 * dimension
            tracemalloc.stop()
            mib = peak / 2**20
            print(
                f"memmap d={dimension:.0e} {name:20}{took:8.2f} s{took / reading:7.1f} x reading"
                f"{mib:8.1f} MiB beyond the output",
                flush=True,
            )


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--dimension", type=int, default=1_000_000)
    parser.add_argument("--faulty", type=int, default=10)
    parser.add_argument("--memmap", action="store_true")
    asked = parser.parse_args()
    if asked.memmap:
        memory(asked.clients, 10 * asked.dimension // 3, asked.faulty)
        memory(asked.clients, 10 * asked.dimension, asked.faulty)
    else:
        table(asked.clients, asked.dimension, asked.faulty)


if __name__ == "__main__":
    main()

"""What each aggregation rule costs, as a multiple of reading the updates once.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/training/aggregation.py
    python benchmarks/training/aggregation.py --memmap     # memory and growth, from disk

"Reading" is ``updates.sum()``: one pass of NumPy over all values, which runs at the speed
of the memory. Every line is the least processor time of several rounds in which all lines
take turns, so that what else the machine does falls on all of them alike; ratios are of
these minima. The plain NumPy lines are what a rule's core costs without centring,
screening or bounded memory. Flower's functions are those that its strategies call, without
the messages around them; ByzFL's lines appear where it is installed. The hostile line has
one far client, first in the list, so that the first choice of a centre is the wrong one.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.training.aggregation.blocks import blocks
from credenza.training.builtin import AGGREGATORS, aggregator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Lines = dict[str, Callable[[], object]]

MIXED = ("nnm+krum", "nnm+coordinate-median", "nnm+trimmed-mean")
GOALS = {"krum": 8.0, "geometric-median": 9.0, "coordinate-median": 8.0}
PEERS = {"krum": "krum", "coordinate-median": "median", "geometric-median": "geometric median"}


def least(lines: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least processor seconds of each line over ``rounds`` in which all take turns."""
    best = dict.fromkeys(lines, float("inf"))
    for _ in range(rounds):
        for name, work in lines.items():
            start = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - start)
    return best


def made(name: str, dimension: int, f: int) -> Any:  # noqa: ANN401 - a benchmark
    """The rule, with a reference where it needs one."""
    given: dict[str, Any] = {}
    if name.endswith("fltrust"):
        given["reference"] = np.ones(dimension, dtype=np.float32)
    return aggregator(name, f=f, dimension=dimension, **given)


def peers(rows: Any, f: int) -> Lines:  # noqa: ANN401 - a matrix
    """The same rules of Flower and ByzFL, where they are installed."""
    found: Lines = {}
    if importlib.util.find_spec("flwr"):
        from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict  # noqa: PLC0415 - a peer
        from flwr.serverapp.strategy.multikrum import select_multikrum  # noqa: PLC0415 - a peer

        replies = [
            RecordDict(
                {"a": ArrayRecord({"w": Array(row)}), "m": MetricRecord({"num-examples": 1})}
            )
            for row in rows
        ]
        found["flwr krum"] = lambda: select_multikrum(replies, f, 1)
        found["flwr median"] = lambda: np.median(
            np.stack([reply["a"]["w"].numpy() for reply in replies]), axis=0
        )
    if importlib.util.find_spec("byzfl"):
        import byzfl  # noqa: PLC0415 - a peer

        for name, rule in (
            ("krum", byzfl.Krum(f=f)),
            ("median", byzfl.Median()),
            ("geometric median", byzfl.GeometricMedian()),
        ):
            found[f"byzfl {name}"] = lambda rule=rule: rule(rows)  # type: ignore[misc]  # bound now
    return found


def table(clients: int, dimension: int, f: int, rounds: int) -> None:
    """Cost of each rule in memory."""
    rows = np.random.default_rng(0).standard_normal((clients, dimension), dtype=np.float32)
    far = rows.copy()
    far[0] += 1e4
    turned = np.ascontiguousarray(rows.T)
    close = rows * np.float32(1e-3) + rows[0]
    lines: Lines = {
        "reading": rows.sum,
        "(numpy copy)": rows.copy,
        "(numpy mean)": lambda: rows.mean(axis=0),
        "(numpy uncentred Gram)": lambda: rows @ rows.T,
        "(numpy sort of a transposed copy)": lambda: [
            np.sort(turned[part], axis=1) for part in blocks(dimension, 5_000)
        ],
    }
    for name in (*AGGREGATORS, *MIXED):
        rule = made(name, dimension, f)
        lines[name] = lambda rule=rule: rule.combine(rows)  # type: ignore[misc]  # bound now
    krum = made("krum", dimension, f)
    lines["krum, verdicts too"] = lambda: krum.settle(rows)
    lines["krum, one far client first"] = lambda: krum.combine(far)
    lines["krum, updates near one another"] = lambda: krum.combine(close)
    took = least(lines, rounds)
    reading = took["reading"]
    print(
        f"n={clients} d={dimension} f={f}: reading {1e3 * reading:.1f} ms, numpy {np.__version__}"
    )
    print(f"{'rule':34}{'ms':>9}{'x reading':>12}{'goal':>8}")
    for name, seconds in took.items():
        goal = f"{GOALS[name]:8.0f}" if name in GOALS else ""
        print(f"{name:34}{1e3 * seconds:9.1f}{seconds / reading:12.1f}{goal}", flush=True)
    # The peers are slow: two rounds of them, beside ours and the reading, tell enough.
    beside = {"reading": rows.sum} | {name: lines[name] for name in PEERS} | peers(rows, f)
    slow = least(beside, min(rounds, 2))
    print(f"\n{'peer, in one run with ours':34}{'ms':>9}{'x reading':>12}{'x ours':>8}")
    for name, seconds in slow.items():
        ours = next((own for own, theirs in PEERS.items() if name.endswith(f" {theirs}")), None)
        ratio = f"{seconds / slow[ours]:8.1f}" if ours else ""
        print(f"{name:34}{1e3 * seconds:9.1f}{seconds / slow['reading']:12.1f}{ratio}", flush=True)


def memory(clients: int, dimensions: tuple[int, ...], f: int) -> None:
    """Peak of traced memory beyond the output, and time, from memory maps of growing size."""
    with tempfile.TemporaryDirectory() as home:
        rng = np.random.default_rng(0)
        for dimension in dimensions:
            path = Path(home) / "updates"
            rows = np.memmap(path, dtype=np.float32, mode="w+", shape=(clients, dimension))
            for row in rows:
                # A million values over and over: what is measured does not look at them.
                row[:] = np.resize(rng.standard_normal(1_000_003, dtype=np.float32), dimension)
            reading = least({"reading": rows.sum}, 2)["reading"]
            # What is compiled at first use is compiled before it is measured.
            made("coordinate-median", 100_000, f).combine(rows[:, :100_000])
            for name in ("krum", "geometric-median", "coordinate-median", "bulyan", "nnm+krum"):
                took, peak = traced(made(name, dimension, f), rows)
                print(
                    f"memmap d={dimension:.0e} {name:20}{took:8.2f} s{took / reading:7.1f} x read"
                    f"{took / dimension * 1e9:9.1f} ns per value of d"
                    f"{peak / 2**20:8.1f} MiB beyond the output",
                    flush=True,
                )
            del rows
            path.unlink()


def traced(rule: Any, rows: Any) -> tuple[float, int]:  # noqa: ANN401 - a benchmark
    """Processor seconds, and the peak of memory that Python and NumPy asked for."""
    tracemalloc.start()
    start = time.process_time()
    output = rule.combine(rows)
    took = time.process_time() - start
    peak = tracemalloc.get_traced_memory()[1] - output.nbytes
    tracemalloc.stop()
    return took, peak


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--dimension", type=int, default=1_000_000)
    parser.add_argument("--faulty", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--memmap", action="store_true", help="d = 3e6, 1e7 and 3e7 on disk")
    asked = parser.parse_args()
    if asked.memmap:
        sizes = (3 * asked.dimension, 10 * asked.dimension, 30 * asked.dimension)
        memory(asked.clients, sizes, asked.faulty)
    else:
        table(asked.clients, asked.dimension, asked.faulty, asked.rounds)


if __name__ == "__main__":
    main()

"""What the profile costs, beside a DuckDB scan of the same columns in the same run.

    python benchmarks/profile_cost.py                    # 1 M rows x 20 columns
    python benchmarks/profile_cost.py --rows 20000000 --columns 16
    python benchmarks/profile_cost.py --json

Writes a seeded Parquet file (reals with and without gaps, integers, plain and dictionary
strings, a time, a truth value and a label), then takes turns: DuckDB reads all columns and
computes count, min, max of each, the average of the numeric ones and approximate distinct counts
of none (the cheap scan) or all (``with distinct``); the kernel reads the same file and makes
its full state, with quantiles, distinct counts, exact sums, products of every pair of numbers,
and categories by label. One thread against one process, then two against two.

The goal is a median ratio of at most 5, then 3.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from credenza.profiling.kernel import merge, profile
from credenza.profiling.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK_ROWS = 1 << 20
GROUP_ROWS = 1 << 18
GOALS = (5.0, 3.0)


def column(place: int, rows: int, rng: np.random.Generator) -> pa.Array:
    """One of ten shapes of column, in turn."""
    levels = np.array([f"category-{i}" for i in range(40)])
    many = np.array([f"level-{i:04}" for i in range(900)])
    shapes: tuple[Callable[[], pa.Array], ...] = (
        lambda: pa.array(rng.normal(10.0, 3.0, rows)),
        lambda: pa.array(rng.integers(0, 24, rows)),
        lambda: pa.array(levels[rng.zipf(1.6, rows) % 40]),
        lambda: pa.array(rng.lognormal(2.0, 2.0, rows), mask=rng.random(rows) < 0.05),
        lambda: pa.array(many[rng.integers(0, 900, rows)]).dictionary_encode(),
        lambda: pa.array(rng.integers(0, 10**9, rows)),
        lambda: pa.array(np.round(rng.gamma(2.0, 30.0, rows), 2)),
        lambda: pa.array(levels[rng.integers(0, 12, rows)]).dictionary_encode(),
        lambda: pa.array(rng.random(rows) < 0.3),
        lambda: pa.array(rng.integers(1_356_998_400, 1_388_534_400, rows) * 10**6).view(
            pa.timestamp("us")
        ),
    )
    return shapes[place % len(shapes)]()


def write(path: Path, rows: int, columns: int, seed: int) -> None:
    """A Parquet file of ``rows`` seeded rows, the last column being the label."""
    writer = None
    for start in range(0, rows, CHUNK_ROWS):
        size = min(CHUNK_ROWS, rows - start)
        rng = np.random.default_rng([seed, start])
        data = {f"c{i:02}": column(i, size, rng) for i in range(columns - 1)}
        table = pa.table({**data, "label": rng.integers(0, 2, size)})
        if writer is None:
            writer = pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=GROUP_ROWS)
    if writer is not None:
        writer.close()


def duckdb_scan(path: Path, threads: int, *, distinct: bool) -> float:
    """Seconds for DuckDB to read and summarise every column."""
    with duckdb.connect(config={"threads": threads}) as connection:
        named = connection.execute(
            "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(?))",
            [str(path)],
        ).fetchall()
        wanted = []
        for name, kind in named:
            wanted += [f"count({name})", f"min({name})", f"max({name})"]
            wanted += [f"avg({name})"] if kind in {"DOUBLE", "BIGINT"} else []
            wanted += [f"approx_count_distinct({name})"] if distinct else []
        query = f"SELECT {', '.join(wanted)} FROM read_parquet(?)"  # noqa: S608 - our own names
        start = time.perf_counter()
        connection.execute(query, [str(path)]).fetchall()
        return time.perf_counter() - start


def profile_groups(path: str, groups: range) -> bytes:
    """The state of some row groups, as it would come back from a worker."""
    file = pq.ParquetFile(path)
    step = CHUNK_ROWS // GROUP_ROWS
    states = (
        profile(
            file.read_row_groups(list(groups[at : at + step]), use_threads=False), label="label"
        )
        for at in range(0, len(groups), step)
    )
    return reduce(merge, states).to_ipc()


def kernel_scan(path: Path, pool: ProcessPoolExecutor | None, processes: int) -> float:
    """Seconds for the kernel to read and profile every column."""
    groups = range(pq.ParquetFile(path).num_row_groups)
    start = time.perf_counter()
    if pool is None:
        State.from_ipc(profile_groups(str(path), groups))
    else:
        cut = -(-len(groups) // processes)
        shares = [groups[at : at + cut] for at in range(0, len(groups), cut)]
        parts = pool.map(profile_groups, [str(path)] * len(shares), shares)
        reduce(merge, map(State.from_ipc, parts))
    return time.perf_counter() - start


def small_batch_ms(columns: int, repeats: int, seed: int) -> float:
    """Median milliseconds for a batch of 300 rows, as a feed sends in a week."""
    rng = np.random.default_rng(seed)
    table = pa.table(
        {**{f"c{i:02}": column(i, 300, rng) for i in range(columns - 1)}, "label": [0, 1] * 150}
    )
    times = []
    for _ in range(20 * repeats):
        start = time.perf_counter()
        profile(table, label="label")
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def compare(path: Path, repeats: int) -> list[dict[str, float]]:
    """Medians over rounds in which each contestant runs once, one and two workers."""
    rows = []
    for workers in (1, 2):
        pool = ProcessPoolExecutor(workers) if workers > 1 else None
        kernel_scan(path, pool, workers)
        rounds = [
            (
                duckdb_scan(path, workers, distinct=False),
                duckdb_scan(path, workers, distinct=True),
                kernel_scan(path, pool, workers),
            )
            for _ in range(repeats)
        ]
        if pool is not None:
            pool.shutdown()
        plain, distinct, kernel = (statistics.median(times) for times in zip(*rounds, strict=True))
        rows.append(
            {
                "workers": workers,
                "duckdb_s": plain,
                "duckdb_distinct_s": distinct,
                "kernel_s": kernel,
                "ratio": statistics.median(k / d for d, _, k in rounds),
                "ratio_distinct": statistics.median(k / d for _, d, k in rounds),
            }
        )
    return rows


def main() -> int:
    """Run, print, and fail when the first goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, options.rows, options.columns, options.seed)
        results = compare(path, options.repeats)
        size = path.stat().st_size
    small = small_batch_ms(options.columns, options.repeats, options.seed)
    worst = max(row["ratio"] for row in results)
    if options.json:
        report = {
            "schema": "credenza/profile-cost/1",
            "rows": options.rows,
            "columns": options.columns,
            "repeats": options.repeats,
            "seed": options.seed,
            "parquet_bytes": size,
            "results": results,
            "small_batch_ms": small,
            "goals_met": [goal for goal in GOALS if worst <= goal],
        }
        print(json.dumps(report, indent=2))
    else:
        print(f"{options.rows:,} rows x {options.columns} columns, {size / 1e6:.0f} MB Parquet")
        print("workers  duckdb s  +distinct s  kernel s  ratio  ratio to +distinct")
        for row in results:
            print(
                f"{row['workers']:7}  {row['duckdb_s']:8.3f}  {row['duckdb_distinct_s']:11.3f}  "
                f"{row['kernel_s']:8.3f}  {row['ratio']:5.2f}  {row['ratio_distinct']:18.2f}"
            )
        print(f"300 rows x {options.columns} columns: {small:.2f} ms a batch")
    return 0 if worst <= GOALS[0] else 1


if __name__ == "__main__":
    sys.exit(main())

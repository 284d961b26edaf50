"""What the gate costs: one large batch by stage, and a batch after 10, 100, 1,000 others.

    python benchmarks/gate/cost.py            # both, as text
    python benchmarks/gate/cost.py --json --only history

The large batch is 1 M rows of 20 columns, judged beside vouched-for history with every
detector of the default policy. The history is many small batches; each measured batch is
signed, received, settled and published, and its cost must not depend on their number.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from credenza.gate import reception, settlement
from credenza.gate.policy import DEFAULT_DETECTORS
from credenza.provenance.keys import SigningKey, key_from_seed
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DATASET = "trips"
FIRST_DAY = dt.date(2000, 1, 3)
KNOWN_WINDOWS = 9
"""Of history before the large batch: a source of which less is known is held."""
STAGES: Sequence[tuple[object, str, str]] = (
    (reception, "verify", "verify"),
    (reception, "_profile", "profile"),
    (settlement, "_open_window", "read"),
    (settlement, "_screen", "screen"),
    (settlement, "finish_pending", "publish"),
)


class Watch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time of the block to ``stage``."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - started

    def timed(self, call: Callable[..., object], stage: str) -> Callable[..., object]:
        """``call``, its time added to ``stage``."""

        def run(*args: object, **options: object) -> object:
            with self.time(stage):
                return call(*args, **options)

        return run


def make(home: Path, *, reference: int, detectors: Sequence[str], sources: int) -> Workspace:
    """A workspace of weekly windows and some sources."""
    workspace = Workspace.init(home)
    text = (
        'schema = "credenza.policy/1"\n'
        f"detectors = {json.dumps(list(detectors))}\n"
        f"campaigns = {str(bool(detectors)).lower()}\n"
        f"[window]\ndays = 7\nreference = {reference}\ncalibration = 2\n"
    )
    (home / "policy.toml").write_text(text, encoding="utf-8")
    for place in range(sources):
        workspace.add_source(f"s{place}", [key_of(place).public])
    return workspace


def key_of(place: int) -> SigningKey:
    """The key of source ``place``."""
    return key_from_seed(place.to_bytes(32, "big"))


def rows(seed: int, count: int, columns: int = 20) -> pa.Table:
    """``count`` rows: numbers, a few categories, and a label that follows from them."""
    rng = np.random.default_rng(seed)
    numbers = columns - 5
    table = {f"n{i}": rng.normal(size=count) for i in range(numbers)}
    for i in range(4):
        levels = np.array([f"level {j}" for j in range(10 * (i + 1))])
        table[f"c{i}"] = pa.array(levels[rng.integers(0, len(levels), count)])
    likely = table["n0"] + table["n1"] + rng.normal(0, 0.5, count) > 0
    return pa.table(table | {"y": pa.array(np.where(likely, "yes", "no"))})


def week(window: int) -> tuple[str, str]:
    """First day of a window, and the first after it."""
    day = FIRST_DAY + dt.timedelta(days=7 * window)
    return day.isoformat(), (day + dt.timedelta(days=7)).isoformat()


def signed(workspace: Workspace, place: int, window: int, path: Path) -> bytes:
    """The file as a source's batch of a window."""
    return workspace.sign(
        [path],
        source=f"s{place}",
        key=key_of(place),
        dataset=DATASET,
        label="y",
        collected=week(window),
    )


def send(workspace: Workspace, place: int, window: int, path: Path) -> None:
    """Sign the file as a source's batch of a window, and hand it in."""
    workspace.receive(signed(workspace, place, window, path), [path])


def large(desk: Path, count: int) -> dict[str, object]:
    """Seconds by stage of one large batch beside vouched-for history."""
    workspace = make(desk / "large", reference=2, detectors=DEFAULT_DETECTORS, sources=4)
    path = desk / "batch.parquet"
    for window in range(KNOWN_WINDOWS):
        for place in range(4):
            pq.write_table(rows(100 * window + place, 3_000), path)
            send(workspace, place, window, path)
        workspace.settle(DATASET)
    for place in range(1, 4):
        pq.write_table(rows(1_000 + place, 3_000), path)
        send(workspace, place, KNOWN_WINDOWS, path)
    pq.write_table(rows(7, count), path)
    watch = Watch()
    with watch.time("sign (at the sender)"):
        envelope = signed(workspace, 0, KNOWN_WINDOWS, path)
    processors_s = time.process_time()
    with patched(watch):
        with watch.time("receive, in all"):
            workspace.receive(envelope, [path])
        with watch.time("settle, in all"):
            (settled,) = workspace.settle(DATASET)
    processors_s = time.process_time() - processors_s
    workspace.close()
    seconds = {stage: round(spent, 2) for stage, spent in watch.seconds.items()}
    return {
        "rows": count,
        "columns": 20,
        "seconds": seconds,
        "gate_s": round(seconds["receive, in all"] + seconds["settle, in all"], 2),
        "gate_processor_s": round(processors_s, 2),
        "verdicts": sorted(verdict.outcome.name for verdict in settled.verdicts),
        "silences": [silence.detector for silence in settled.silences],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "sandbox_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
    }


@contextmanager
def patched(watch: Watch) -> Iterator[None]:
    """Time the gate's stages where they are called."""
    patches = [
        patch.object(module, name, watch.timed(getattr(module, name), stage))
        for module, name, stage in STAGES
    ]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()


def history(desk: Path, sizes: Sequence[int], repeats: int) -> dict[str, object]:
    """Median milliseconds of a batch, one a window, after each number of earlier batches.

    The workspaces are measured in turn, so that a busy machine slows them all alike.
    """
    path = desk / "small.parquet"
    pq.write_table(rows(1, 200, columns=8), path)
    detectors = ("confident-disagreement",)
    homes = [make(desk / f"{n}", reference=2, detectors=detectors, sources=1) for n in sizes]
    for workspace, size in zip(homes, sizes, strict=True):
        for done in range(size):
            _one(workspace, path, done, Watch())
    watches: list[list[Watch]] = [[] for _ in sizes]
    for repeat in range(repeats):
        for workspace, size, spent in zip(homes, sizes, watches, strict=True):
            spent.append(Watch())
            _one(workspace, path, size + repeat, spent[-1])
    for workspace in homes:
        workspace.close()
    found = {
        size: {
            stage: round(1000 * statistics.median(watch.seconds[stage] for watch in spent), 1)
            for stage in ("sign", "receive", "settle")
        }
        for size, spent in zip(sizes, watches, strict=True)
    }
    first, last = found[sizes[0]], found[sizes[-1]]
    return {
        "median_ms": {str(size): stages for size, stages in found.items()},
        "ratio": {stage: round(last[stage] / first[stage], 2) for stage in first},
    }


def _one(workspace: Workspace, path: Path, done: int, watch: Watch) -> None:
    """Sign, receive and settle the batch that follows ``done`` others."""
    with watch.time("sign"):
        envelope = signed(workspace, 0, done, path)
    with watch.time("receive"):
        workspace.receive(envelope, [path])
    with watch.time("settle"):
        workspace.settle(DATASET, until=week(done)[1])


def together(desk: Path, count: int) -> dict[str, object]:
    """Milliseconds a batch for a window of small batches, one by one and together."""
    found: dict[str, float] = {}
    for name in ("one by one", "together"):
        workspace = make(desk / name, reference=2, detectors=(), sources=count)
        sent = []
        for place in range(count):
            path = desk / f"{name} {place}".replace(" ", "-")
            path = path.with_suffix(".parquet")
            pq.write_table(rows(place, 200, columns=8), path)
            sent.append((signed(workspace, place, 0, path), [path]))
        started = time.perf_counter()
        if name == "together":
            workspace.receive_together(sent)
        else:
            for envelope, files in sent:
                workspace.receive(envelope, files)
        found[name] = round(1000 * (time.perf_counter() - started) / count, 1)
        workspace.close()
    return {"batches": count, "ms_per_batch": found}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--only", choices=["large", "history", "together"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parts: dict[str, Callable[[Path], dict[str, object]]] = {
        "large": lambda desk: large(desk, options.rows),
        "history": lambda desk: history(desk, options.sizes, options.repeats),
        "together": lambda desk: together(desk, 26),
    }
    result: dict[str, object] = {"schema": "credenza.benchmark.gate-cost/1"}
    for name, measure in parts.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as desk:
                result[name] = measure(Path(desk))
    print(json.dumps(result, indent=None if options.json else 2))


if __name__ == "__main__":
    main()

"""``kill -9`` at random moments of a submission loop: what was acknowledged is there once.

A child submits and settles batches in a loop and writes a line for each acknowledgement;
this process kills it at a random moment, reopens the workspace, and checks that every
acknowledged batch is known once, that no version holds a batch twice or by halves, that
the audit passes, and that a catalog rebuilt from the ledger equals the one that was there.

    python benchmarks/gate/kill_loop.py --kills 100
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from credenza.provenance.keys import key_from_seed
from credenza.workspace import Workspace

DATASET = "trips"
ROWS = 20
KEYS = {name: key_from_seed(bytes([place + 1]) * 32) for place, name in enumerate(["a", "b"])}
POLICY = """\
schema = "credenza.policy/1"
detectors = []
campaigns = false
[window]
days = 1
reference = 1
calibration = 10000
"""


def prepare(home: Path) -> None:
    """A workspace that vouches for everything, so that every batch ends in a version."""
    with Workspace.init(home) as workspace:
        (home / "policy.toml").write_text(POLICY, encoding="utf-8")
        for name, key in KEYS.items():
            workspace.add_source(name, [key.public])


def rows_of(name: str, sequence: int) -> pa.Table:
    """The rows that a source sends as its batch ``sequence``."""
    rng = np.random.default_rng([sequence, *name.encode()])
    label = np.where(rng.random(ROWS) < 0.5, "yes", "no")
    return pa.table({"x": rng.normal(size=ROWS), "y": pa.array(label.tolist())})


def submit_forever(home: Path) -> None:
    """The child: submit from both sources, settle, and say so, until it is killed."""
    desk = home.parent
    with Workspace.open(home) as workspace:
        workspace.settle(DATASET)  # finishes what the last kill interrupted, and loads all code
        while True:
            known = len(workspace.batches(DATASET))
            day = np.datetime64("2000-01-01") + known  # a window of its own for each round
            for name, key in KEYS.items():
                path = desk / f"{name}-{os.getpid()}.parquet"
                pq.write_table(rows_of(name, known), path)
                envelope = workspace.sign(
                    [path],
                    source=name,
                    key=key,
                    dataset=DATASET,
                    label="y",
                    collected=(str(day), str(day + 1)),
                )
                receipt = workspace.receive(envelope, [path])
                print(f"received {receipt.batch}", flush=True)
            for settled in workspace.settle(DATASET):
                for verdict in settled.verdicts:
                    print(f"admitted {verdict.batch}", flush=True)


def run_and_kill(home: Path, after_s: float) -> list[str]:
    """Lines that the child acknowledged before it was killed, ``after_s`` after its first."""
    command = [sys.executable, __file__, "--child", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        first = child.stdout.readline()
        time.sleep(after_s)
        os.kill(child.pid, signal.SIGKILL)
        rest = child.stdout.read()
        status = child.wait()
    if status != -signal.SIGKILL:
        raise SystemExit(f"the child ended by itself with {status} before it was killed")
    lines = (first + rest).split("\n")
    return [line for line in lines[:-1] if line]  # a line without its end says nothing


def check(home: Path, acknowledged: list[str]) -> dict[str, int]:
    """Reopen, finish what was interrupted, and compare with what was acknowledged.

    Raises:
        AssertionError: with what was lost, doubled or half done.
    """
    received = [line.split()[1] for line in acknowledged if line.startswith("received")]
    admitted = {line.split()[1] for line in acknowledged if line.startswith("admitted")}
    with Workspace.open(home) as workspace:
        workspace.settle(DATASET)
        records = workspace.batches(DATASET)
        counts = Counter(record.digest for record in records)
        assert all(counts[digest] == 1 for digest in received), "an acknowledged batch is lost"
        assert {r.status for r in records} <= {"admitted"}, "a batch is neither here nor there"
        assert admitted <= {r.digest for r in records if r.version is not None}
        log = workspace.datasets.log(DATASET)
        published = Counter(digest for version in log for digest in version.batches)
        assert set(published) == set(counts), "versions and batches differ"
        assert set(published.values()) == {1}, "a batch was published twice"
        out = home.parent / f"checkout-{len(log)}"
        files = workspace.datasets.checkout(DATASET, None, out)
        kept = pa.concat_tables([pq.read_table(path, columns=["_batch", "_row"]) for path in files])
        rows = Counter(kept["_batch"].to_pylist())
        assert rows == dict.fromkeys(counts, ROWS), "a batch is there by halves"
        assert len(set(zip(*kept.to_pydict().values(), strict=True))) == len(kept)
        audit = workspace.log.audit()
        assert not audit.problems, audit.problems
        before = workspace.log.catalog_dump()
        workspace.log.rebuild_catalog()
        assert workspace.log.catalog_dump() == before, "the rebuilt catalog differs"
    for path in [*out.iterdir(), *home.parent.glob("*.parquet")]:
        path.unlink()
    out.rmdir()
    return {"batches": len(records), "versions": len(log), "entries": audit.entries}


def main() -> None:
    """Kill, check, repeat; print what survived."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--within-s", type=float, default=1.0, help="latest moment of a kill")
    parser.add_argument("--check-every", type=int, default=5, help="kills between full checks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child is not None:
        submit_forever(options.child)
    rng = random.Random(options.seed)  # noqa: S311 - moments of a test, not secrets
    started = time.monotonic()
    acknowledged: list[str] = []
    found: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as desk:
        home = Path(desk) / "home"
        prepare(home)
        for kill in range(1, options.kills + 1):
            acknowledged += run_and_kill(home, rng.random() * options.within_s)
            if kill % options.check_every == 0 or kill == options.kills:
                found = check(home, acknowledged)
    result = {
        "schema": "credenza.benchmark.kill/1",
        "kills": options.kills,
        "acknowledged": len({line for line in acknowledged if line.startswith("received")}),
        **found,
        "seconds": round(time.monotonic() - started, 1),
    }
    print(json.dumps(result) if options.json else "\n".join(f"{k}: {v}" for k, v in result.items()))


if __name__ == "__main__":
    main()

"""From a finding to containment: what the machine's part of it takes.

    python benchmarks/response/containment.py

A gate with so many batches, in the last week of which one sender turned its labels. Measured is
the processor time from the opening of the incident to the state "contained": hold, recall,
evidence, check, and the entries that record them. People are not in it. Seed 0; nothing is tuned.
"""

from __future__ import annotations

import argparse
import datetime as dt
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from credenza import Workspace
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import load_key
from credenza.response.incident import State

SENDERS = 10
ROWS = 100
POLICY = """
schema = "credenza.policy/1"
detectors = []
campaigns = false
[window]
reference = 1
calibration = 1
[outcomes]
silence = "admit"
"""


def table(seed: int, week: int, *, turned: bool) -> pa.Table:
    """Rows of one batch."""
    rng = np.random.default_rng([seed, week, turned])
    size = rng.normal(size=ROWS)
    late = (size > 0) != turned
    return pa.table({"size": size, "late": np.where(late, "yes", "no")})


def build(home: Path, batches: int) -> tuple[Workspace, str]:
    """A gate with so many batches, and the digest of the last sender's newest."""
    workspace = Workspace.init(home / "gate")
    (workspace.home / "policy.toml").write_text(POLICY, encoding="utf-8")
    names = [f"s{place}" for place in range(SENDERS)]
    for name in names:
        workspace.add_source(name, [Workspace.new_key(home / f"{name}.key")])
    digest, weeks = "", batches // SENDERS
    for week in range(weeks):
        first = dt.date(2024, 1, 1) + dt.timedelta(days=7 * week)
        span = (first.isoformat(), (first + dt.timedelta(days=7)).isoformat())
        sent = []
        for place, name in enumerate(names):
            path = home / f"{name}.parquet"
            turned = week == weeks - 1 and place == SENDERS - 1
            pq.write_table(table(place, week, turned=turned), path)
            key = load_key(home / f"{name}.key")
            envelope = workspace.sign(
                [path],
                source=name,
                key=key,
                dataset="d",
                label="late",
                collected=span,
                read=read_own,
            )
            sent.append((envelope, [path]))
        receipts = workspace.receive_together(sent)
        digest = receipts[-1].batch  # type: ignore[union-attr] # none is refused
        workspace.settle("d", until=span[1])
    workspace.releases.create("d", home / "released")
    return workspace, digest


def main() -> None:
    """Print one line for each size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, nargs="+", default=[50, 200])
    for batches in parser.parse_args().batches:
        with tempfile.TemporaryDirectory() as folder:
            workspace, digest = build(Path(folder), batches)
            begun = time.process_time()
            desk = workspace.incidents
            known = desk.open("turned", playbook="label-flip", by="bench", batch=digest)
            desk.run(known.id)
            desk.enter(known.id, State.ACKNOWLEDGED, by="bench", note="measured")
            known = desk.enter(known.id, State.CONTAINED, by="bench", note="measured")
            took = time.process_time() - begun
            recalled = len(workspace.releases.recalled())
            workspace.close()
            print(
                f"{batches} batches: contained after {took:.2f} s of processor time, "
                f"{len(known.done)} steps, {recalled} release recalled"
            )


if __name__ == "__main__":
    main()

"""Excision of one source and rollback of a channel, at two sizes of the dataset.

    python benchmarks/response/scale.py --rows 100000 10000000

Data: normal numbers, 20 columns, 25 sources, one batch of each in each of 50 versions. The
workspace's ledger, catalog and dataset are real; only the intake is left out, because 10^7
rows would take an hour to sign and parse. Prints, for each size: how long the excision of
one source takes through the gate (event, Lance version, ledger), what share of the
dataset's bytes it writes, and the cost of a channel's rollback, with quartiles.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.core.types import FileDigest, Manifest
from credenza.datasets.checks import ID
from credenza.datasets.lineage_columns import with_lineage
from credenza.gate.excision import excision
from credenza.gate.holdings import whole
from credenza.gate.journal import Event
from credenza.gate.publication import finish_pending
from credenza.provenance.keys import key_from_seed
from credenza.provenance.manifest import encode_manifest
from credenza.store.rows import BatchRow
from credenza.workspace import Workspace

DATASET = "numbers"
COLUMNS, SOURCES, VERSIONS = 20, 25, 50
VICTIM = "s07"
ROLLBACKS = 40
KEY = key_from_seed(bytes(32))


def envelope_of(version: int, source: str, records: int) -> bytes:
    """The signed manifest of the batch that a source sent for a version; its rows are not in it."""
    never = hashlib.sha256(f"{version} {source}".encode()).hexdigest()
    manifest = Manifest(
        DATASET,
        source,
        version,
        "" if version == 1 else never,
        (FileDigest("rows.parquet", never, 1),),
        records,
        never,
        never,
        ("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"),
    )
    return dsse.sign(encode_manifest(manifest), [KEY.private])


def fill(workspace: Workspace, rows: int, seed: int) -> None:
    """Versions as the gate would have made them, without parsing and signing their batches."""
    stores = workspace._stores  # noqa: SLF001 - the intake is what is left out
    stores.journal.lock()
    rng = np.random.default_rng(seed)
    names = [f"s{place:02}" for place in range(SOURCES)]
    each = rows // (VERSIONS * SOURCES)
    for version in range(1, VERSIONS + 1):
        envelopes = {name: envelope_of(version, name, each) for name in names}
        batches = {name: sha256_hex(one) for name, one in envelopes.items()}
        table = pa.concat_tables(
            with_lineage(
                pa.table({f"c{place:02}": rng.normal(size=each) for place in range(COLUMNS)}),
                batch=digest,
                source=name,
            )
            for name, digest in batches.items()
        )
        digests = batches.values()
        publish: list[Any] = [{"batch": one, "only": None, "without": []} for one in digests]
        settled = Event(
            "settlement",
            {
                "dataset": DATASET,
                "window": f"{1970 + version}-01-05",
                "late": False,
                "campaigns": [],
                "watch": [],
                "probation": [],
                "until": "",
                "panel": "",
                "publish": publish,
                "rationale": "",
            },
        )
        sent = [
            Event("submission", submission(name, digest, version, each))
            for name, digest in batches.items()
        ]
        intent = stores.journal.record([*sent, settled], [*envelopes.values()])[-1].digest
        number = stores.datasets.publish(DATASET, table, {ID: intent})
        stores.journal.record([Event("version", made(number, intent, batches, number * each))])


def submission(name: str, digest: str, version: int, records: int) -> dict[str, Any]:
    """What a received batch leaves in the ledger."""
    return {
        "batch": digest,
        "dataset": DATASET,
        "source": name,
        "sequence": version,
        "records": records,
        "bytes": records,
        "window": f"{1970 + version}-01-05",
        "label": "",
        "keyids": [],
        "table": "",
        "profile": "",
    }


def made(number: int, intent: str, batches: dict[str, str], rows: int) -> dict[str, Any]:
    """What a published version leaves in the ledger."""
    return {
        "intent": intent,
        "dataset": DATASET,
        "number": number,
        "rows": rows * SOURCES,
        "batches": list(batches.values()),
        "rationale": "",
        "parent": number - 1 or None,
    }


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def excise(workspace: Workspace) -> dict[str, Any]:
    """Take one source out through the gate; seconds and bytes."""
    stores = workspace._stores  # noqa: SLF001 - the gate's own way
    folder = workspace.home / "datasets"
    with stores.journal.catalog.snapshot() as index:
        victims = index.find(BatchRow, dataset=DATASET, source=VICTIM)
    gone = {row.digest: whole(row.records) for row in victims}
    before, rows = size_of(folder), stores.datasets.count(DATASET)
    wall, cpu = time.perf_counter(), time.process_time()
    stores.journal.record([excision(stores, DATASET, gone, "benchmark")])
    version = finish_pending(stores)[-1]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert version.rows == rows - sum(row.records for row in victims), "not the rows that went"
    return {
        "excised_rows": rows - version.rows,
        "excision_cpu_s": round(cpu, 2),
        "excision_wall_s": round(wall, 2),
        "dataset_bytes": before,
        "bytes_written_share": round((size_of(folder) - before) / before, 6),
    }


def roll_back(workspace: Workspace) -> dict[str, Any]:
    """A channel forth and back; milliseconds of processor time of the way back."""
    response, spent, written = workspace.response, [], []
    ledger = workspace.home / "ledger"
    response.move_channel(DATASET, "prod", version=VERSIONS // 2, reason="good")
    for _ in range(ROLLBACKS):
        response.move_channel(DATASET, "prod", version=VERSIONS, reason="newest")
        before, cpu = size_of(ledger), time.process_time()
        response.roll_back_channel(DATASET, "prod", "poison")
        spent.append((time.process_time() - cpu) * 1000)
        written.append(size_of(ledger) - before)
    low, middle, high = statistics.quantiles(spent, n=4)
    return {
        "rollback_cpu_ms": round(middle, 2),
        "rollback_cpu_ms_quartiles": [round(low, 2), round(high, 2)],
        "rollback_ledger_bytes": round(statistics.median(written)),
    }


def main() -> None:
    """Build, measure and print, one line of JSON for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--directory", type=Path, help="where to build; a temporary one by default")
    options = parser.parse_args()
    for rows in options.rows:
        with tempfile.TemporaryDirectory(dir=options.directory) as desk:
            with Workspace.init(Path(desk) / "home") as workspace:
                fill(workspace, rows, options.seed)
                measured = {**roll_back(workspace), **excise(workspace)}
            print(json.dumps({"rows": rows, "columns": COLUMNS, **measured}), flush=True)


if __name__ == "__main__":
    main()

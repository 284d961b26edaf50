"""What proving costs: the ledger, row roots, and the verification of a release.

    python benchmarks/provenance/ledger.py
    python benchmarks/provenance/ledger.py --entries 100000

Processor time of one process, best of the repeats, since other work may share the
machine; the release is compared with hashing the same bytes in the same run. Data is
made from a fixed seed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core.canonical import sha256_hex
from credenza.core.keys import public_hex
from credenza.core.rows import row_root
from credenza.datasets.release import Claim, write_release
from credenza.datasets.verify_release import verify_release
from credenza.store.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ORIGIN = "benchmark.example/log"
REPEATS = 5
COMMIT = 10_000


def best_s(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Processor seconds of the fastest of several runs."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def ledger(folder: Path, entries: int) -> dict[str, float]:
    """Append, open cold, prove, audit."""
    digests = [sha256_hex(n.to_bytes(8, "big")) for n in range(COMMIT)]
    items = [("verdict", digest) for digest in digests]
    start = time.process_time()
    with Ledger.create(folder / "log", ORIGIN, KEY) as log:
        for _ in range(entries // COMMIT):
            log.append_many(items, 1_700_000_000)
        append_s = time.process_time() - start
        rng = np.random.default_rng(0)
        wanted = rng.integers(0, log.size, 500).tolist()
        start = time.process_time()
        for index in wanted:
            log.prove_inclusion(index)
        prove_s = time.process_time() - start
        start = time.process_time()
        log.audit(KEY.public_key())
        audit_s = time.process_time() - start
    return {
        "entries": entries,
        "appended a second": entries / append_s,
        "cold open with root, ms": 1e3
        * best_s(lambda: Ledger.open(folder / "log", ORIGIN, KEY.public_key())),
        "inclusion proofs a second": len(wanted) / prove_s,
        "audited a second": entries / audit_s,
    }


def rows(count: int = 300_000) -> dict[str, float]:
    """The identity of a table's rows."""
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "number": rng.normal(size=count),
            "count": rng.integers(0, 1_000, count),
            "text": pa.array(rng.integers(0, 1_000, count)).cast(pa.string()),
        }
    )
    return {"row roots, rows a second": count / best_s(lambda: row_root(table), 3)}


def release(folder: Path, megabytes: int = 5) -> dict[str, float]:
    """Verification beside bare hashing of the same bytes."""
    rng = np.random.default_rng(0)
    count = megabytes * 2**20 // 8
    batch = pa.record_batch(
        {
            "x": rng.normal(size=count),
            "_batch": pa.array(["0" * 64] * count),
            "_row": pa.array(range(count), pa.int64()),
            "_source": pa.array(["acme"] * count),
        }
    )
    claim = Claim("flights", 1, "f" * 64, "", "2024-01-01T00:00:00Z")
    write_release(folder / "release", [batch], claim, KEY)
    data = [path.read_bytes() for path in (folder / "release").glob("*.parquet")]
    trust = [public_hex(KEY)]
    hashing_s = best_s(lambda: [hashlib.sha256(one).digest() for one in data], 20)
    verify_s = best_s(lambda: verify_release(folder / "release", trust=trust), 20)
    return {
        "release, MB": sum(map(len, data)) / 2**20,
        "release verified, ms": 1e3 * verify_s,
        "of which hashing alone, ms": 1e3 * hashing_s,
        "verified beyond hashing, ms": 1e3 * (verify_s - hashing_s),
    }


def main() -> None:
    """Print the figures as one object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entries", type=int, default=1_000_000)
    entries = parser.parse_args().entries
    folder = Path(tempfile.mkdtemp(prefix="credenza-benchmark-"))
    try:
        found = {**ledger(folder, entries), **rows(), **release(folder)}
    finally:
        shutil.rmtree(folder)
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()

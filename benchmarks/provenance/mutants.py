"""Damage everything that is ever verified, and count what is accepted all the same.

    python benchmarks/provenance/mutants.py
    python benchmarks/provenance/mutants.py --each 10000 --seed 7

For each kind of document: honest bytes, what reads them, and so many mutants of them, drawn
from a fixed seed: bits, bytes and lines changed, dropped, doubled, swapped and cut; JSON values
changed one at a time and well spelled again; payloads swapped under an honest signature.

A mutant is *refused* (an ``UntrustedError``), *respelled* (only in proof files: a
space in outer JSON that nobody signs, or the order of a note's signature lines, which is free;
read as exactly the honest meaning),
*accepted*, or it ends in a *traceback* (any other exception). Exits with 1 unless the last two
are 0.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from damage import (
    BYTES,
    ENVELOPE,
    JSON,
    STRANGER,
    cut,
    double,
    drop,
    flip,
    insert,
    lines,
    payload,
    resigned,
    swap,
)

from credenza.core import dsse
from credenza.core.canonical import sha256_hex
from credenza.core.errors import UntrustedError
from credenza.datasets.attestation import ATTESTATION, Recalls, read_recalls, sign_recalls
from credenza.datasets.release import Claim, write_release
from credenza.datasets.verify_release import verify_release
from credenza.gate.proofs import check, log_of, origin_of
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import key_from_seed
from credenza.provenance.manifest import decode_manifest
from credenza.provenance.ring import RingFiles, follow
from credenza.provenance.ring_directory import published
from credenza.provenance.ring_keeping import (
    Holders,
    begin,
    delegate,
    publish,
    sign_drafts,
)
from credenza.provenance.roster import Mandate
from credenza.provenance.row_proof import prove_row, verify_row
from credenza.provenance.sign import sign_batch
from credenza.store.ledger.checkpoint import read_checkpoint
from credenza.store.ledger.cosignature import cosign
from credenza.store.ledger.ledger import Ledger
from credenza.store.ledger.note import COSIGNATURE, Verifier, write_vkey
from credenza.store.ledger.proof import verify_proof
from credenza.store.ledger.receipt import Promise, read_promise, sign_promise
from credenza.store.ledger.tree import verify_consistency
from credenza.store.ledger.trust import read_trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from damage import Mutator

    Reader = Callable[[bytes], object]

GATE, EYES, SENDER = (key_from_seed(bytes([n]) * 32) for n in (1, 2, 3))
START_S = 1_700_000_000
ENTRIES = 300
HASH_BYTES = 32


class Kind(NamedTuple):
    """Something that is verified: its honest bytes, and what reads them.

    Attributes:
        has_spellings: what is around the signed part may be spelled otherwise; else any
            mutant that is not refused counts as accepted.
    """

    name: str
    honest: bytes
    read: Reader
    mutators: tuple[Mutator, ...]
    has_spellings: bool = False


class Tally(NamedTuple):
    """What became of a kind's mutants; ``broken`` names the first tracebacks and acceptances."""

    name: str
    mutants: int
    refused: int
    respelled: int
    accepted: int
    tracebacks: int
    broken: tuple[str, ...]


# -- what is verified


def kinds(folder: Path) -> list[Kind]:
    """Every kind of document that somebody verifies, made in an empty directory."""
    envelope, table = batch(folder)
    return [
        *batches(envelope, table),
        *log_kinds(folder),
        *releases(folder),
        *rings(folder / "ring"),
    ]


def batch(folder: Path) -> tuple[bytes, pa.Table]:
    """A signed batch and its rows."""
    table = pa.table({"hour": list(range(20)), "late": ["no", "yes"] * 10})
    pq.write_table(table, folder / "june.parquet")
    envelope = sign_batch(
        [folder / "june.parquet"],
        source="acme",
        key=SENDER,
        dataset="flights",
        sequence=2,
        previous="a" * 64,
        collected=("2013-06-03T00:00:00Z", "2013-06-10T00:00:00Z"),
        label="late",
        provenance={"method": "reporting"},
        read=read_own,
    )
    return envelope, table


def batches(envelope: bytes, table: pa.Table) -> list[Kind]:
    """What a sender and a receiver hold."""

    def manifest(data: bytes) -> object:
        return decode_manifest(dsse.verify(data, [SENDER.public]).payload)

    promise = Promise("log", 7, "submission", "b" * 64, "c" * 64, START_S, START_S + 60)
    receipt = sign_promise(promise, GATE.private)
    return [
        Kind("envelope", envelope, manifest, (*JSON, resigned)),
        Kind("manifest in an envelope", envelope, manifest, (payload,)),
        Kind(
            "row proof",
            prove_row(table, 11, envelope),
            lambda data: verify_row(data, trust=[SENDER.public]),
            JSON,
            has_spellings=True,
        ),
        Kind("receipt", receipt, lambda data: read_promise(data, GATE.public), ENVELOPE),
    ]


class Log(NamedTuple):
    """What a ledger publishes of an entry, and of having grown.

    Attributes:
        cosigned: the entry's proof, with a witness's signature.
        grown: hashes that the tree of 100 entries is a beginning of the whole one.
        roots: of both.
    """

    checkpoint: bytes
    leaf: bytes
    proof: bytes
    cosigned: bytes
    grown: bytes
    roots: tuple[bytes, bytes]


def published_log(folder: Path, eyes: Verifier) -> Log:
    """A small ledger, cosigned by one witness."""
    with Ledger.create(folder / "log", origin_of(GATE.public), GATE.private) as ledger:
        digests = [sha256_hex(n.to_bytes(2, "big")) for n in range(ENTRIES)]
        ledger.append_many([("verdict", digest) for digest in digests], START_S)
        checkpoint = ledger.checkpoint()
        text = checkpoint.decode().split("\n\n")[0] + "\n"
        signed = checkpoint + cosign(text, eyes.name, EYES.private, START_S).encode()
        leaf, proof = ledger.entry_bytes(200), ledger.proof(200)
        ledger.keep_cosigned(signed)
        grown = b"".join(ledger.prove_consistency(100, ENTRIES))
        roots = ledger.root_at(100), ledger.root_at(ENTRIES)
        return Log(checkpoint, leaf, proof, ledger.proof(200), grown, roots)


def log_kinds(folder: Path) -> list[Kind]:
    """What the ledger publishes."""
    origin, log = origin_of(GATE.public), log_of(GATE.public)
    eyes = Verifier("eyes.example/w1", EYES.private.public_key(), COSIGNATURE)
    policy = read_trust(f"witness w1 {write_vkey(eyes)}\nquorum w1\n")
    checkpoint, leaf, proof, cosigned, grown, roots = published_log(folder, eyes)
    told = {"schema": "credenza.proof/1", "leaf": leaf.decode(), "tlog_proof": proof.decode()}

    def consistent(data: bytes) -> object:
        hashes = [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
        verify_consistency(100, roots[0], ENTRIES, roots[1], hashes)
        return hashes

    public, text_like = GATE.private.public_key(), (*BYTES, lines)
    return [
        Kind("checkpoint", checkpoint, lambda d: read_checkpoint(d, origin, public), text_like),
        Kind("inclusion proof", proof, lambda d: verify_proof(d, leaf, log), text_like),
        Kind("leaf of a proof", leaf, lambda d: verify_proof(proof, d, log), JSON),
        Kind(
            "proof with cosignature",
            cosigned,
            lambda d: verify_proof(d, leaf, log, policy),
            text_like,
            has_spellings=True,  # the order of a note's signature lines is free
        ),
        Kind(
            "proof file",
            json.dumps(told, indent=1).encode(),
            lambda d: check(d.decode("utf-8", "surrogateescape"), GATE.public),
            JSON,
            has_spellings=True,
        ),
        Kind("consistency proof", grown, consistent, (flip, insert, drop, double, swap, cut)),
    ]


def releases(folder: Path) -> list[Kind]:
    """What training is handed."""
    directory = folder / "release"
    rows = pa.table(
        {
            "hour": list(range(6)),
            "_batch": [f"{n // 3 + 1:064x}" for n in range(6)],
            "_row": [n % 3 for n in range(6)],
            "_source": ["acme"] * 6,
        }
    )
    claim = Claim("flights", 2, "f" * 64, "", "2024-01-02T03:04:05Z", "")
    write_release(directory, rows.to_batches(), claim, GATE.private)
    [part] = [path for path in directory.iterdir() if path.suffix == ".parquet"]

    def verified_with(path: Path) -> Reader:
        honest = path.read_bytes()

        def read(data: bytes) -> object:
            path.write_bytes(data)
            try:
                return verify_release(directory, trust=[GATE.public])
            finally:
                path.write_bytes(honest)

        return read

    for path in (directory / ATTESTATION, part):
        path.chmod(0o600)
    recalls = sign_recalls(Recalls({"d" * 64: "label flips"}, "2024-02-01T00:00:00Z"), GATE.private)
    attestation = directory / ATTESTATION
    return [
        Kind("release: statement", attestation.read_bytes(), verified_with(attestation), ENVELOPE),
        Kind("release: data", part.read_bytes(), verified_with(part), BYTES),
        Kind("recall list", recalls, lambda data: read_recalls(data, [GATE.public]), ENVELOPE),
    ]


def rings(directory: Path) -> list[Kind]:
    """What the keepers of a key ring publish."""
    root = Holders(tuple(key.public for key in (GATE, EYES, STRANGER)), 2)
    begin(directory, root, Holders((SENDER.public,), 1), Holders((GATE.public,), 1), START_S)
    mandate = Mandate((SENDER.public, STRANGER.public), 2, ("flights",), START_S + 10**7)
    delegate(directory, "acme", mandate, START_S)
    for key in (GATE, EYES, SENDER):
        sign_drafts(directory, key)
    publish(directory, GATE, START_S)
    files = published(directory, 0)
    trusted = follow(None, files)

    def meaning(changed: RingFiles) -> object:
        now = follow(trusted if not changed.roots else None, changed)
        return now.versions, dict(now.mandates), now.expiries_s, sorted(now.root.signed.keys)

    return [
        Kind("ring: root", files.roots[0], lambda d: meaning(files._replace(roots=(d,))), JSON),
        *(
            Kind(
                f"ring: {name}",
                getattr(files, name),
                lambda d, name=name: meaning(files._replace(roots=(), **{name: d})),
                JSON,
            )
            for name in ("timestamp", "snapshot", "targets")
        ),
    ]


# -- the count


def tally(kind: Kind, each: int, seed: int) -> Tally:
    """What becomes of ``each`` different mutants of a kind."""
    rng = random.Random(f"{seed} {kind.name}")  # noqa: S311 - damage, not keys
    meant, found, broken = kind.read(kind.honest), Counter[str](), []
    seen = {kind.honest}
    while len(seen) <= each:
        mutate = rng.choice(kind.mutators)
        mutant = mutate(kind.honest, rng)
        if mutant in seen:
            continue
        seen.add(mutant)
        fate = _fate(kind, mutant, meant)
        found[fate] += 1
        if fate not in {"refused", "respelled"} and len(broken) < 3:
            broken.append(f"{fate} by {mutate.__name__}: {mutant[:200]!r}")
    return Tally(
        kind.name,
        each,
        found["refused"],
        found["respelled"],
        found["accepted"],
        each - found["refused"] - found["respelled"] - found["accepted"],
        tuple(broken),
    )


def _fate(kind: Kind, mutant: bytes, meant: object) -> str:
    try:
        same = kind.read(mutant) == meant
    except UntrustedError:
        return "refused"
    except Exception as wrong:  # noqa: BLE001 - any other exception is what is counted
        return f"traceback {type(wrong).__name__}: {wrong}"
    return "respelled" if same and kind.has_spellings else "accepted"


def count(each: int, seed: int) -> list[Tally]:
    """A tally for every kind."""
    with tempfile.TemporaryDirectory() as folder:
        return [tally(kind, each, seed) for kind in kinds(Path(folder))]


def main() -> int:
    """Print the table; 1 if anything was accepted or broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=2_000, help="mutants of each kind")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.process_time()
    found = count(options.each, options.seed)
    print("| kind | mutants | refused | respelled | accepted | tracebacks |")
    print("|---|---|---|---|---|---|")
    for one in found:
        print(f"| {' | '.join(str(part) for part in one[:-1])} |")
    sums = [sum(one[at] for one in found) for at in range(1, 6)]
    print(f"| **all {len(found)} kinds** | {' | '.join(f'**{total:,}**' for total in sums)} |")
    print(f"\nseed {options.seed}, {time.process_time() - start:.0f} s of processor time")
    for one in found:
        for line in one.broken:
            print(f"{one.name}: {line}", file=sys.stderr)
    return 1 if sums[-1] or sums[-2] else 0


if __name__ == "__main__":
    sys.exit(main())

"""The ledger recounted, and proofs of its entries that hold offline."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from credenza.core.canonical import MAX_BYTES, strict_json
from credenza.core.errors import NotFoundError, UntrustedError
from credenza.core.keys import check_public_key, keyid_of
from credenza.core.rows import differing_cells
from credenza.core.types import Limits
from credenza.provenance.intake.sandbox import read_sandboxed
from credenza.provenance.row_proof import prove_row
from credenza.store.ledger.note import Verifier
from credenza.store.ledger.proof import verify_proof

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from credenza.core.types import Entry
    from credenza.gate.stores import Stores
    from credenza.store.ledger.trust import TrustPolicy
    from credenza.store.rows import BatchRow

SCHEMA = "credenza.proof/1"


@dataclass(frozen=True, slots=True)
class LogAudit:
    """What a full recount of the ledger, and of the content behind it, found.

    Attributes:
        root: root of the recounted tree, in hex.
        problems: one sentence each; empty when all fits.
    """

    entries: int
    root: str
    problems: tuple[str, ...]


def origin_of(public: str) -> str:
    """The ledger's name: it follows from the key, so trusting a key names the ledger."""
    return f"credenza.log/{keyid_of(public)[:16]}"


def log_of(public: str) -> Verifier:
    """The log of this operator, as witnesses and monitors know it."""
    return Verifier(origin_of(public), key_of(public))


def key_of(public: str) -> Ed25519PublicKey:
    """The key that 64 hex digits spell."""
    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(check_public_key(public)))


def audit(stores: Stores, public: str) -> LogAudit:
    """Recount the ledger and look up the content behind every entry."""
    found = stores.journal.ledger.audit(key_of(public))
    problems = list(found.problems)
    for entry in stores.journal.ledger.entries():
        try:
            stores.journal.document(entry.digest)
        except (UntrustedError, NotFoundError) as wrong:
            problems.append(f"entry {entry.index}: {wrong.what}")
    return LogAudit(found.entries, found.root.hex(), tuple(problems))


def prove(stores: Stores, index: int) -> str:
    """Proof that entry ``index`` is in the ledger: its leaf and a C2SP ``.tlog-proof``.

    Raises:
        NotFoundError: there is no such entry.
    """
    ledger = stores.journal.ledger
    if not 0 <= index < ledger.size:
        raise NotFoundError(
            "no-such-entry",
            f"the ledger has no entry {index}",
            why=f"it has {ledger.size} entries, numbered from 0",
            fix="count entries from 0; `credenza log audit` says how many there are",
        )
    proof = {
        "schema": SCHEMA,
        "leaf": ledger.entry_bytes(index).decode("utf-8"),
        "tlog_proof": ledger.proof(index).decode("utf-8"),
    }
    return json.dumps(proof, indent=1)


def check(text: str, trust: str, policy: TrustPolicy | None = None) -> Entry:
    """The entry that ``text`` proves to whoever trusts the operator's key ``trust``.

    Args:
        text: as ``prove`` gave it.
        trust: the operator's public key, 64 hex digits.
        policy: demand that a quorum of its witnesses has cosigned.

    Raises:
        UntrustedError: it proves nothing.
    """
    found = strict_json(text.encode("utf-8", "surrogateescape"))
    if not isinstance(found, dict) or set(found) != {"schema", "leaf", "tlog_proof"}:
        raise UntrustedError(
            "bad-proof",
            "this is not a proof that credenza made",
            why="its parts are not those of a proof",
            fix="have it written again by `credenza log prove`",
        )
    return verify_proof(
        str(found["tlog_proof"]).encode(),
        str(found["leaf"]).encode(),
        log_of(trust),
        policy,
    )


def prove_row_of(stores: Stores, batch: BatchRow, row: int) -> bytes:
    """Proof, for whoever trusts the sender's key, that a row was in a batch.

    The rows are read again from the files as they were sent.

    Raises:
        NotFoundError: the batch has no such row.
    """
    envelope = stores.journal.blobs.get(batch.digest, max_bytes=MAX_BYTES)
    return prove_row(_as_sent(stores, batch.digest), row, envelope)


def changed_cells(
    stores: Stores, batch: BatchRow, files: Sequence[Path]
) -> tuple[tuple[int, str], ...]:
    """Row and column of every cell in which files differ from a batch as it was sent.

    Raises:
        UntrustedError: a file cannot be read, or has more rows, fewer or other columns.
    """
    return differing_cells(_as_sent(stores, batch.digest), read_sandboxed([*files], Limits()))


def _as_sent(stores: Stores, batch: str) -> pa.Table:
    """A batch's rows, parsed again from the files that its sender signed."""
    files = stores.manifest(batch).files
    paths = {file.name: stores.journal.blobs.path(file.sha256) for file in files}
    return read_sandboxed(paths, Limits())

"""Proof that one row was in one signed batch, and that its batch is or is not in a release.

Holds offline and for ever: the sender signed the root over all rows of the batch, a
release's signer signed the sorted set of its batches, and the rest is ``log2(n)`` hashes.
"""

from __future__ import annotations

import base64
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from credenza.core import dsse
from credenza.core.canonical import canonical_json, sha256_hex, strict_json
from credenza.core.errors import NotFoundError, UntrustedError, UsageError
from credenza.core.rows import merkle_root, row_digests
from credenza.provenance.manifest import decode_manifest
from credenza.store.ledger.tree import inclusion_ranges, verify_inclusion

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa

    from credenza.core.types import Manifest

SCHEMA = "credenza.row-proof/1"
_FIELDS = frozenset({"schema", "row", "leaf", "hashes", "envelope"})


@dataclass(frozen=True, slots=True)
class ProvenRow:
    """What a valid proof shows.

    Attributes:
        batch: digest of the batch.
        manifest: what its sender signed.
        row: position in the batch, from 0.
        leaf: RFC 6962 leaf hash of the row, in hex.
    """

    batch: str
    manifest: Manifest
    row: int
    leaf: str


class Membership(NamedTuple):
    """Whether a batch is in a sorted set, by those that would stand beside it.

    Attributes:
        before: the largest digest below it, "" when it would be the first.
        after: the smallest digest above it, "" when it would be the last.
    """

    is_member: bool
    before: str
    after: str


def prove_row(table: pa.Table, row: int, envelope: bytes) -> bytes:
    """A proof of row ``row`` of the batch whose rows are ``table``.

    Args:
        table: the batch's rows as they were signed, in order.
        row: position, from 0.
        envelope: the batch's signed manifest.

    Raises:
        NotFoundError: the batch has no such row.
        UntrustedError: these are not the rows that were signed.

    Complexity:
        O(rows) hashes to make, O(log rows) to check.
    """
    leaves = row_digests(table)
    if not 0 <= row < len(leaves):
        raise NotFoundError(
            "no-such-row",
            f"the batch has no row {row}",
            why=f"it has {len(leaves)}, from 0",
            fix="count rows from 0",
        )
    if merkle_root(leaves) != decode_manifest(dsse.parse(envelope).payload).row_root:
        raise UntrustedError(
            "row-root",
            "these are not the rows that the sender signed",
            why="their root is not the one in the signed manifest",
            fix="give the batch's files as they were submitted",
        )
    hashes = [merkle_root(leaves[low:high]) for low, high in inclusion_ranges(row, len(leaves))]
    return canonical_json(
        {
            "schema": SCHEMA,
            "row": row,
            "leaf": leaves[row].tobytes().hex(),
            "hashes": list(hashes),
            "envelope": base64.b64encode(envelope).decode(),
        }
    )


def verify_row(proof: bytes, *, trust: Iterable[str], row: pa.Table | None = None) -> ProvenRow:
    """What a proof shows to whoever trusts a sender's keys.

    Blind to whether the gate admitted the batch, and to when: ask the ledger for that.

    Args:
        proof: as ``prove_row`` made it.
        trust: the sender's public keys, 64 hex digits each.
        row: the row itself, as a table of one row, to be compared with the proven one;
            without it the proof is about a hash.

    Raises:
        UntrustedError: it shows nothing, or the row is another one.
        UsageError: ``row`` is not one row.
    """
    found = strict_json(proof)
    if not isinstance(found, dict) or found.keys() != _FIELDS or found["schema"] != SCHEMA:
        raise _refused("its fields are not those of a row proof")
    position, leaf = found["row"], _hash(found["leaf"])
    if not isinstance(position, int) or isinstance(position, bool):
        raise _refused("its row is not a number")
    if not isinstance(found["hashes"], list):
        raise _refused("its hashes are not a list")
    envelope = _envelope(found["envelope"])
    manifest = decode_manifest(dsse.verify(envelope, trust).payload)
    verify_inclusion(
        leaf,
        position,
        manifest.records,
        [_hash(one) for one in found["hashes"]],
        bytes.fromhex(manifest.row_root),
    )
    if row is not None:
        _compare(row, leaf)
    return ProvenRow(sha256_hex(envelope), manifest, position, leaf.hex())


def membership(batch: str, batches: Sequence[str]) -> Membership:
    """Whether a batch is among the sorted batches of an attested release.

    The answer *no* is as good as *yes*: the signed set is sorted and has no doubles, so
    the two neighbours between which the batch would stand leave no room for it. So "row
    r was never in version v" is a row proof, and a *no* for its batch.

    Args:
        batch: digest.
        batches: of the release, as attested.
    """
    at = bisect_left(batches, batch)
    is_member = at < len(batches) and batches[at] == batch
    after = at + is_member
    return Membership(
        is_member,
        batches[at - 1] if at else "",
        batches[after] if after < len(batches) else "",
    )


def _compare(row: pa.Table, leaf: bytes) -> None:
    if row.num_rows != 1:
        raise UsageError(
            "not-one-row",
            f"{row.num_rows} rows were given, not one",
            why="a proof is of one row",
            fix="cut the table to that row",
        )
    if row_digests(row)[0].tobytes() != leaf:
        raise _refused("the row that was given is not the proven one")


def _hash(value: object) -> bytes:
    if not isinstance(value, str) or len(value) != 64 or value != value.lower():
        raise _refused("a hash is not 64 lower-case hex digits")
    try:
        return bytes.fromhex(value)
    except ValueError as wrong:
        raise _refused("a hash is not 64 lower-case hex digits") from wrong


def _envelope(value: object) -> bytes:
    try:
        return base64.b64decode(str(value).encode("ascii"), validate=True)
    except ValueError as wrong:
        raise _refused("its envelope is not base64") from wrong


def _refused(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-proof", "a row proof was refused", why=why, fix="ask for a new proof"
    )

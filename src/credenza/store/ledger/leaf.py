"""An entry as the exact bytes that are hashed."""

from __future__ import annotations

import re

from credenza.core.canonical import MAX_INTEGER, canonical_json
from credenza.core.errors import UntrustedError, UsageError
from credenza.core.types import Entry

_LEAF = re.compile(
    rb'\{"digest":"([0-9a-f]{64})","kind":"([a-z][a-z0-9._-]{0,63})",'
    rb'"time_s":(0|[1-9][0-9]{0,15})\}'
)


def leaf_bytes(kind: str, digest: str, time_s: int) -> bytes:
    """Canonical JSON of an entry without its index, which the tree itself fixes.

    Args:
        kind: lower-case name, up to 64 of ``a-z 0-9 . _ -``.
        digest: SHA-256 of the content, 64 hex digits.
        time_s: seconds since the epoch, 0 or later.

    Raises:
        UsageError: a field is not of that form.
    """
    data = canonical_json({"digest": digest, "kind": kind, "time_s": time_s})
    if _LEAF.fullmatch(data) is None:
        raise UsageError(
            "bad-entry",
            "the ledger cannot hold this entry",
            why=f"kind {kind!r}, digest {digest!r}, time {time_s!r}",
            fix="give a lower-case kind, 64 hex digits and whole seconds",
        )
    return data


def parse_leaf(data: bytes, index: int) -> Entry:
    """The entry in a leaf; accepts exactly what ``leaf_bytes`` writes.

    Raises:
        UntrustedError: any other bytes.
    """
    matched = _matched(data)
    if matched is None:
        raise UntrustedError(
            "bad-entry",
            f"entry {index} of the ledger is malformed",
            why=f"it starts with {data[:60]!r}",
            fix="run `credenza log audit`, and restore the ledger from a copy",
        )
    return Entry(index, matched[2].decode(), matched[1].decode(), int(matched[3]))


def is_leaf(data: bytes) -> bool:
    """Whether ``parse_leaf`` would accept these bytes."""
    return _matched(data) is not None


def _matched(data: bytes) -> re.Match[bytes] | None:
    matched = _LEAF.fullmatch(data)
    return matched if matched is not None and int(matched[3]) <= MAX_INTEGER else None

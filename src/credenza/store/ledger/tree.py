"""The Merkle tree of RFC 6962, pure: hashes, proofs, and their verification."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

HASH_BYTES = 32
LEAF = b"\x00"
NODE = b"\x01"
EMPTY_ROOT = hashlib.sha256(b"").digest()

_sha256 = hashlib.sha256


def hash_leaf(data: bytes) -> bytes:
    """Hash of an entry; the prefix keeps an inner node from posing as an entry."""
    return _sha256(LEAF + data).digest()


def hash_leaves(entries: Iterable[bytes]) -> bytes:
    """Leaf hashes of ``entries``, concatenated."""
    return b"".join([_sha256(LEAF + entry).digest() for entry in entries])


def hash_node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node."""
    return _sha256(NODE + left + right).digest()


def fold(row: bytes) -> bytes:
    """Root over a row of sibling hashes; the odd last one is promoted unchanged.

    Pairing level by level gives the same tree as RFC 6962's split at the largest
    power of two, because a split there leaves the left half complete.

    Args:
        row: one or more 32-byte hashes, concatenated; the first must sit at a
            position divisible by the row's width rounded up to a power of two.
    """
    while len(row) > HASH_BYTES:
        paired = len(row) & ~63
        row = (
            b"".join([_sha256(NODE + row[at : at + 64]).digest() for at in range(0, paired, 64)])
            + row[paired:]
        )
    return row


def fold_edge(rows: Sequence[bytes]) -> bytes:
    """Root of a tree from its right edge.

    Args:
        rows: for each tile level from the leaves up, the hashes of the last,
            incomplete tile; empty where the level ends on a full tile.
    """
    carry = b""
    for row in rows:
        carry = fold(row + carry)
    return carry or EMPTY_ROOT


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The subtrees whose hashes prove that leaf ``index`` is in a tree of ``size``.

    Returns:
        Half-open ranges of leaves, from the leaf's sibling up.

    Raises:
        UsageError: there is no such leaf.

    Source:
        RFC 6962, section 2.1.1.
    """
    if not 0 <= index < size:
        raise UsageError(
            "no-such-entry",
            f"the ledger of {size} entries has no entry {index}",
            why="entries are counted from 0",
            fix="ask for one below its size",
        )
    low, high = 0, size
    ranges = []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """The subtrees whose hashes prove that a tree of ``old`` leaves grew into ``new``.

    Returns:
        Half-open ranges of leaves, from the lowest up. When ``old`` is no complete
        subtree of the new tree, the first range ends at ``old``.

    Raises:
        UsageError: ``old`` is not within 0 to ``new``.

    Source:
        RFC 6962, section 2.1.2. An empty old tree needs no proof.
    """
    if not 0 <= old <= new:
        raise UsageError(
            "no-such-size",
            f"no tree of {old} entries grew into one of {new}",
            why="trees only grow",
            fix="give the smaller size first",
        )
    if old == 0:
        return []
    low, high = 0, new
    ranges = []
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    if low > 0:
        ranges.append((low, high))
    return ranges[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Pass only if the leaf hash sits at ``index`` of the tree with this size and root.

    Size and root must come from one verified checkpoint: the proof binds them to
    each other and to the leaf, and says nothing of who published them.

    Args:
        leaf: 32-byte leaf hash.
        index: position of the leaf, from 0.
        size: number of leaves.
        proof: exactly as many 32-byte hashes as the position needs.
        root: 32 bytes.

    Raises:
        UntrustedError: anything does not fit, the length of the proof included.
    """
    if not 0 <= index < size:
        raise _refused(f"entry {index} lies outside a tree of {size}")
    ranges = inclusion_ranges(index, size)
    _check_lengths(proof, len(ranges), leaf, root)
    found = leaf
    for (low, _), sibling in zip(ranges, proof, strict=True):
        found = hash_node(found, sibling) if low > index else hash_node(sibling, found)
    if found != root:
        raise _refused("the hashes do not lead to the signed root")


def verify_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Pass only if the tree of ``old`` leaves is a prefix of the tree of ``new`` leaves.

    Raises:
        UntrustedError: anything does not fit, the length of the proof included.
    """
    if not 0 <= old <= new:
        raise _refused(f"a tree of {old} entries cannot grow into one of {new}")
    ranges = consistency_ranges(old, new)
    _check_lengths(proof, len(ranges), old_root, new_root)
    if old == 0:
        if old_root != EMPTY_ROOT:
            raise _refused("the empty tree has another root")
        return
    steps = list(zip(ranges, proof, strict=True))
    old_found = new_found = old_root
    if steps and steps[0][0][1] == old:
        old_found = new_found = steps.pop(0)[1]
    for (low, _), sibling in steps:
        if low >= old:
            new_found = hash_node(new_found, sibling)
        else:
            old_found = hash_node(sibling, old_found)
            new_found = hash_node(sibling, new_found)
    if old_found != old_root:
        raise _refused("the hashes do not lead to the old root")
    if new_found != new_root:
        raise _refused("the hashes do not lead to the new root")


def _split(leaves: int) -> int:
    """The largest power of two below ``leaves``, which is at least 2."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _check_lengths(proof: Sequence[bytes], wanted: int, *hashes: bytes) -> None:
    if len(proof) != wanted:
        raise _refused(f"it has {len(proof)} hashes where {wanted} belong")
    if any(len(one) != HASH_BYTES for one in (*proof, *hashes)):
        raise _refused("a hash is not 32 bytes long")


def _refused(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-proof", "a ledger proof was refused", why=why, fix="ask the ledger for a new proof"
    )

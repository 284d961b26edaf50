"""What a reader of the tree's files may believe: entries and proofs, checked as they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError
from credenza.store.ledger.files import TreeFiles, altered
from credenza.store.ledger.leaf import parse_leaf
from credenza.store.ledger.tiles import WIDTH
from credenza.store.ledger.tree import (
    HASH_BYTES,
    consistency_ranges,
    hash_leaves,
    inclusion_ranges,
    verify_consistency,
    verify_inclusion,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Entry


def entries_between(
    files: TreeFiles, start: int, stop: int, root: bytes | None = None
) -> Iterator[Entry]:
    """Entries ``[start, stop)`` in order, each checked against its leaf hash.

    With ``root`` each tile is proven against it too, once: a proof of one leaf folds
    the whole tile. Without, blind to an entry and its tile altered together.

    Raises:
        UntrustedError: an entry or a tile was altered.
    """
    for index in range(start // WIDTH, -(-stop // WIDTH)):
        leaves = files.bundle(index)
        if hash_leaves(leaves) != files.tile(0, index):
            raise altered(f"entries {index * WIDTH} and following do not match their tile")
        first = index * WIDTH
        if root is not None:
            inclusion_of(files, first, root)
        for position in range(max(start, first), min(stop, first + len(leaves))):
            yield parse_leaf(leaves[position - first], position)


def inclusion_of(files: TreeFiles, index: int, root: bytes) -> tuple[bytes, ...]:
    """Hashes that prove leaf ``index`` of these files against ``root``; verified.

    Raises:
        UsageError: there is no such leaf.
        UntrustedError: a tile was altered, so that no proof can be given.
    """
    ranges = inclusion_ranges(index, files.size)
    proof = tuple(files.range_hash(low, high) for low, high in ranges)
    at = index % WIDTH * HASH_BYTES
    leaf = files.tile(0, index // WIDTH)[at : at + HASH_BYTES]
    try:
        verify_inclusion(leaf, index, files.size, proof, root)
    except UntrustedError as wrong:
        raise altered(f"the tiles over entry {index} do not lead to the root") from wrong
    return proof


def prove_growth(
    files: TreeFiles, old: tuple[int, bytes], new: tuple[int, bytes]
) -> tuple[bytes, ...]:
    """A verified consistency proof between two sizes and their roots.

    Raises:
        UsageError: the old tree is larger than the new one.
        UntrustedError: the one is no prefix of the other.
    """
    ranges = consistency_ranges(old[0], new[0])
    proof = tuple(files.range_hash(low, high) for low, high in ranges)
    try:
        verify_consistency(*old, *new, proof)
    except UntrustedError as wrong:
        raise altered(f"the tree of {old[0]} entries is no prefix of that of {new[0]}") from wrong
    return proof

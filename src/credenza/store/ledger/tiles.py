"""Where the tree lies in files: C2SP tlog-tiles, pure.

A tile holds up to 256 hashes of one level; level ``L`` hashes complete subtrees of
``256**L`` leaves. An entry bundle holds the entries under one level-0 tile.

Source:
    c2sp.org/tlog-tiles.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from credenza.store.ledger.tree import HASH_BYTES, fold, hash_leaves

WIDTH = 256
LEVEL_BITS = 8
TILE_BYTES = WIDTH * HASH_BYTES
ENTRIES = "entries"
PARTIAL = ".p"


def tile_path(level: int | str, index: int, width: int = WIDTH) -> str:
    """Path of a tile, relative to the ledger.

    Args:
        level: 0 for leaf hashes, upwards; or ``ENTRIES`` for an entry bundle.
        index: position within the level.
        width: how many hashes or entries it holds, 1 to 256.
    """
    digits = f"{index % 1000:03d}"
    while index := index // 1000:
        digits = f"x{index % 1000:03d}/{digits}"
    whole = f"tile/{level}/{digits}"
    return whole if width == WIDTH else f"{whole}{PARTIAL}/{width}"


def tile_width(level: int, index: int, size: int) -> int:
    """How many hashes a tile holds in a tree of ``size`` leaves, 0 to 256."""
    return max(0, min(WIDTH, (size >> (LEVEL_BITS * level)) - WIDTH * index))


def level_count(size: int) -> int:
    """How many levels of tiles a tree of ``size`` leaves has."""
    return -(-size.bit_length() // LEVEL_BITS)


def pack_bundle(entries: tuple[bytes, ...] | list[bytes]) -> bytes:
    """Entries, each after its length as a big-endian uint16."""
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def unpack_bundle(data: bytes, width: int) -> list[bytes]:
    """The ``width`` entries of a bundle, which holds nothing else.

    Raises:
        ValueError: it ends early or goes on.
    """
    entries = []
    at = 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        entries.append(data[start:at])
    if at != len(data):
        raise ValueError(f"{len(data)} bytes are not {width} entries")
    return entries


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a tree: all that appending needs, whatever the size.

    Attributes:
        size: number of leaves.
        rows: per level, the hashes of the last, incomplete tile, concatenated.
        pending: the entries under the incomplete level-0 tile.
    """

    size: int = 0
    rows: tuple[bytes, ...] = ()
    pending: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Growth:
    """What an append changes.

    Attributes:
        edge: the right edge afterwards.
        files: new content by path; no path lies under an earlier checkpoint.
        filled: paths of tiles that became full, so that their partial ones may go.
    """

    edge: Edge
    files: dict[str, bytes] = field(default_factory=dict)
    filled: tuple[str, ...] = ()


def grow(edge: Edge, entries: list[bytes]) -> Growth:
    """Append entries to a tree.

    Complexity:
        O(new entries), plus at most one tile of rewriting per level.
    """
    if not entries:
        return Growth(edge)
    files: dict[str, bytes] = {}
    filled: list[str] = []

    def place(level: int | str, index: int, width: int, data: bytes) -> None:
        path = tile_path(level, index, width)
        files[path] = data
        if width == WIDTH:
            filled.append(path)

    held = [*edge.pending, *entries]
    first = edge.size // WIDTH
    for at in range(0, len(held), WIDTH):
        bundle = held[at : at + WIDTH]
        place(ENTRIES, first + at // WIDTH, len(bundle), pack_bundle(bundle))
    pending = tuple(held[len(held) // WIDTH * WIDTH :])

    rows = list(edge.rows)
    arriving = hash_leaves(entries)
    level = 0
    while arriving:
        row = (rows[level] if level < len(rows) else b"") + arriving
        first = edge.size >> (LEVEL_BITS * (level + 1))
        parents = []
        for at in range(0, len(row), TILE_BYTES):
            tile = row[at : at + TILE_BYTES]
            place(level, first + at // TILE_BYTES, len(tile) // HASH_BYTES, tile)
            if len(tile) == TILE_BYTES:
                parents.append(fold(tile))
        rows[level : level + 1] = [row[len(parents) * TILE_BYTES :]]
        arriving = b"".join(parents)
        level += 1
    grown = Edge(edge.size + len(entries), tuple(rows), pending)
    return Growth(grown, files, tuple(filled))

"""Reads the tree's files as of one size. Never blocks, never writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import NotFoundError, UntrustedError
from credenza.store.ledger.tiles import (
    ENTRIES,
    LEVEL_BITS,
    WIDTH,
    level_count,
    tile_path,
    tile_width,
    unpack_bundle,
)
from credenza.store.ledger.tree import HASH_BYTES, fold, hash_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Fetch = Callable[[str], bytes | None]

CHECKPOINT = "checkpoint"
COSIGNED = "checkpoint.cosigned"


def lying_in(directory: Path) -> Fetch:
    """Reads the files of a ledger by their paths in it; None for one that is not there."""

    def fetch(path: str) -> bytes | None:
        try:
            return (directory / path).read_bytes()
        except FileNotFoundError:
            return None

    return fetch


def read_checkpoint_file(directory: Path) -> bytes:
    """The signed note of the latest commit.

    Raises:
        NotFoundError: no ledger lies here.
    """
    try:
        return (directory / CHECKPOINT).read_bytes()
    except FileNotFoundError as wrong:
        raise NotFoundError(
            "no-ledger",
            f"no ledger lies in {directory}",
            why="it has no checkpoint file",
            fix="create the workspace with `credenza init`, or name its directory",
        ) from wrong


class TreeFiles:
    """Tiles and bundles of a tree, at a size that some checkpoint has vouched for.

    Lengths are checked here, hashes by those who ask: a proof is verified before it
    is given out, and an audit recomputes everything.

    Args:
        fetch: gives the bytes of a file by its path in the ledger, from a directory or
            from wherever the tiles are published.
        size: number of leaves; what lies beyond is not looked at.
    """

    def __init__(self, fetch: Fetch, size: int) -> None:
        self._fetch = fetch
        self.size = size
        self._latest: dict[int, tuple[int, bytes]] = {}

    def tile(self, level: int, index: int) -> bytes:
        """Concatenated hashes of a tile, as wide as the tree's size makes it.

        Raises:
            UntrustedError: it is missing or too short.
        """
        width = tile_width(level, index, self.size)
        data, held = self._read(level, index, width)
        if len(data) != held * HASH_BYTES:
            raise altered(f"{tile_path(level, index, width)} has the wrong length")
        return data[: width * HASH_BYTES]

    def bundle(self, index: int) -> list[bytes]:
        """The entries under level-0 tile ``index``.

        Raises:
            UntrustedError: the bundle is missing or of the wrong length.
        """
        width = tile_width(0, index, self.size)
        data, held = self._read(ENTRIES, index, width)
        try:
            return unpack_bundle(data, held)[:width]
        except ValueError as wrong:
            raise altered(f"{tile_path(ENTRIES, index, width)}: {wrong}") from wrong

    def edge_rows(self) -> tuple[bytes, ...]:
        """Per level, the hashes of the last, incomplete tile; one small read each."""
        rows = []
        for level in range(level_count(self.size)):
            width = self.size >> (LEVEL_BITS * level)
            rows.append(self.tile(level, width // WIDTH) if width % WIDTH else b"")
        return tuple(rows)

    def range_hash(self, low: int, high: int) -> bytes:
        """Hash of the subtree over leaves ``[low, high)`` of some RFC 6962 tree.

        Args:
            low: divisible by the range's length rounded up to a power of two.
            high: at most ``size``.
        """
        found = b""
        while high > low:
            bits = (high & -high).bit_length() - 1
            bits = min(bits, (high - low).bit_length() - 1)
            part = self._complete(bits, (high >> bits) - 1)
            found = hash_node(part, found) if found else part
            high -= 1 << bits
        return found

    def _complete(self, bits: int, index: int) -> bytes:
        """Hash of the ``index``-th complete subtree of ``2**bits`` leaves."""
        level, bits = divmod(bits, LEVEL_BITS)
        tile_index, start = divmod(index << bits, WIDTH)
        # A proof asks one tile of each level for up to eight subtrees in a row.
        held = self._latest.get(level)
        if held is None or held[0] != tile_index:
            held = self._latest[level] = (tile_index, self.tile(level, tile_index))
        at = start * HASH_BYTES
        return fold(held[1][at : at + (HASH_BYTES << bits)])

    def _read(self, level: int | str, index: int, width: int) -> tuple[bytes, int]:
        """A file's bytes, and for how many hashes or entries it was written."""
        # A partial tile may have been dropped once the full one was durable.
        for held in dict.fromkeys((width, WIDTH)):
            data = self._fetch(tile_path(level, index, held))
            if data is not None:
                return data, held
        raise altered(f"{tile_path(level, index, width)} is missing")


def altered(why: str) -> UntrustedError:
    """The ledger is not what it signed to be."""
    return UntrustedError(
        "ledger-altered",
        "the ledger was altered",
        why=why,
        fix="run `credenza log audit`, and restore the ledger from a copy",
    )

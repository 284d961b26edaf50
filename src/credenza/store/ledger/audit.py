"""Recomputes the whole ledger from its entries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError
from credenza.store.ledger.checkpoint import read_checkpoint
from credenza.store.ledger.files import TreeFiles, lying_in, read_checkpoint_file
from credenza.store.ledger.leaf import is_leaf
from credenza.store.ledger.tiles import TILE_BYTES, WIDTH, tile_path, tile_width
from credenza.store.ledger.tree import fold, fold_edge, hash_leaves

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PROBLEMS_MAX = 100


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found.

    Attributes:
        entries: how many the checkpoint claims.
        root: recomputed from the entries; of the tiles where entries are unreadable;
            empty when neither can be read, or the checkpoint cannot.
        problems: one sentence each, the first ``PROBLEMS_MAX``; none when all agree.
    """

    entries: int
    root: bytes
    problems: tuple[str, ...]


def audit_ledger(directory: Path, origin: str, public_key: Ed25519PublicKey) -> Audit:
    """Compare every entry, every tile and the signed checkpoint with one another.

    Blind to what the operator has rewritten and signed afresh: that takes an earlier
    checkpoint and a consistency proof, which a witness keeps.

    Complexity:
        Two hashes an entry; memory for one tile a level.

    Raises:
        NotFoundError: no ledger lies here.
    """
    try:
        head = read_checkpoint(read_checkpoint_file(directory), origin, public_key)
    except UntrustedError as wrong:
        return Audit(0, b"", (f"the checkpoint: {wrong.why}",))
    recount = _Recount(TreeFiles(lying_in(directory), head.size))
    try:
        for index in range(-(-head.size // WIDTH)):
            recount.bundle(index)
        root = recount.root()
    except UntrustedError as wrong:
        recount.report(f"nothing after it could be recomputed: {wrong.why}")
        return Audit(head.size, b"", tuple(recount.problems))
    if root != head.root:
        recount.report(
            f"the checkpoint signs root {head.root.hex()}, the entries give {root.hex()}"
        )
    return Audit(head.size, root, tuple(recount.problems))


@dataclass(slots=True)
class _Recount:
    """A tree grown again from its entries, and checked against its tiles on the way."""

    files: TreeFiles
    problems: list[str] = field(default_factory=list)
    rows: list[bytearray] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def bundle(self, index: int) -> None:
        """Hash one bundle's entries, or fall back to their tile and say so."""
        try:
            entries = self.files.bundle(index)
        except UntrustedError as wrong:
            self.report(wrong.why)
            self._extend(0, self.files.tile(0, index))
            return
        for position, entry in enumerate(entries, index * WIDTH):
            if not is_leaf(entry):
                self.report(f"entry {position} is malformed")
        self._extend(0, hash_leaves(entries))

    def root(self) -> bytes:
        """Check the incomplete tiles, then fold them."""
        for level, row in enumerate(self.rows):
            if row:
                self._compare(level, bytes(row))
        return fold_edge([bytes(row) for row in self.rows])

    def report(self, problem: str) -> None:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)

    def _extend(self, level: int, hashes: bytes) -> None:
        if level == len(self.rows):
            self.rows.append(bytearray())
            self.done.append(0)
        row = self.rows[level]
        row += hashes
        if len(row) == TILE_BYTES:
            tile = bytes(row)
            self._compare(level, tile)
            row.clear()
            self.done[level] += 1
            self._extend(level + 1, fold(tile))

    def _compare(self, level: int, recomputed: bytes) -> None:
        index = self.done[level]
        try:
            if self.files.tile(level, index) == recomputed:
                return
        except UntrustedError as wrong:
            self.report(wrong.why)
            return
        path = tile_path(level, index, tile_width(level, index, self.files.size))
        self.report(f"{path} differs from what the entries give")

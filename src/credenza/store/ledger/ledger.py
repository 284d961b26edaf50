"""The ledger: what happened, in order, such that nobody can change it unseen."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from credenza.core.errors import ConflictError, UsageError
from credenza.core.types import Entry
from credenza.store.disk import explained, sync, write_durably
from credenza.store.ledger.audit import Audit, audit_ledger
from credenza.store.ledger.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from credenza.store.ledger.files import (
    CHECKPOINT,
    COSIGNED,
    TreeFiles,
    altered,
    lying_in,
    read_checkpoint_file,
)
from credenza.store.ledger.leaf import leaf_bytes
from credenza.store.ledger.lock import lock_for_writing
from credenza.store.ledger.proof import write_proof
from credenza.store.ledger.reading import entries_between, inclusion_of, prove_growth
from credenza.store.ledger.tiles import PARTIAL, WIDTH, Edge, Growth, grow
from credenza.store.ledger.tree import (
    EMPTY_ROOT,
    consistency_ranges,
    fold_edge,
    hash_leaves,
    inclusion_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

NEXT_CHECKPOINT = "checkpoint.next"


class Ledger:
    """An append-only Merkle log in a directory. One writer, any number of readers.

    A commit makes entries and tiles durable, then renames the signed checkpoint into
    place: what is acknowledged is in the tree, and what a crash left beyond the
    checkpoint is ignored and written over. A ledger opened for reading stands at the
    checkpoint it found, until ``refresh``.

    Blind to its own operator, who holds the key: only someone who kept an earlier
    checkpoint can tell that history was rewritten. Not safe for several threads.

    Open it with ``create`` or ``open``; close it, or use it in a ``with`` block.
    """

    def __init__(
        self,
        directory: Path,
        head: Checkpoint,
        edge: Edge,
        *,
        public_key: Ed25519PublicKey | None,
        private_key: Ed25519PrivateKey | None = None,
        lock: int | None = None,
    ) -> None:
        self._directory = directory
        self._head = head
        self._edge = edge
        self._public_key = public_key
        self._private_key = private_key
        self._lock = lock

    @classmethod
    def create(cls, directory: Path, origin: str, private_key: Ed25519PrivateKey) -> Self:
        """Start an empty ledger and hold it for writing.

        Raises:
            ConflictError: a ledger lies here already, or is being written.
        """
        head = sign_checkpoint(origin, 0, EMPTY_ROOT, private_key)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = lock_for_writing(directory)
            try:
                _refuse_existing(directory)
                _publish(directory, head)
                sync([directory, directory.parent])
            except BaseException:
                os.close(lock)
                raise
        except OSError as wrong:
            raise explained(wrong, "the ledger was not created") from wrong
        public_key = private_key.public_key()
        return cls(
            directory, head, Edge(), public_key=public_key, private_key=private_key, lock=lock
        )

    @classmethod
    def open(
        cls,
        directory: Path,
        origin: str,
        key: Ed25519PrivateKey | Ed25519PublicKey | None = None,
    ) -> Self:
        """Open a ledger; its root is recomputed from the right edge and compared.

        Args:
            directory: where it lies.
            origin: its name, as signed.
            key: the private key opens it for writing; the public key for reading with
                the signature checked; None for reading without any trust.

        Raises:
            NotFoundError: no ledger lies here.
            ConflictError: another writer is at work.
            UntrustedError: checkpoint and tiles do not agree, or the signature is bad.
        """
        private_key = key if isinstance(key, Ed25519PrivateKey) else None
        public_key = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
        note = read_checkpoint_file(directory)
        lock = lock_for_writing(directory) if private_key is not None else None
        try:
            if lock is not None:
                note = read_checkpoint_file(directory)
            head = read_checkpoint(note, origin, public_key)
            edge = _read_edge(TreeFiles(lying_in(directory), head.size), head)
        except BaseException:
            if lock is not None:
                os.close(lock)
            raise
        return cls(directory, head, edge, public_key=public_key, private_key=private_key, lock=lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another writer in. Closing twice does nothing."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def origin(self) -> str:
        """The ledger's name, as signed."""
        return self._head.origin

    @property
    def size(self) -> int:
        """Number of entries."""
        return self._head.size

    @property
    def root(self) -> bytes:
        """Root of the tree, 32 bytes."""
        return self._head.root

    def checkpoint(self) -> bytes:
        """The signed note over origin, size and root."""
        return self._head.note

    def append_many(self, items: Sequence[tuple[str, str]], time_s: int) -> list[Entry]:
        """Append entries in one group commit; on return they are durable.

        Args:
            items: kind and SHA-256 in hex of each entry's content, which must already
                lie in the content store.
            time_s: seconds since the epoch, as the operator says.

        Complexity:
            O(new entries), whatever the size of the ledger.

        Raises:
            UsageError: an entry is malformed, or the ledger is not open for writing.
            ConflictError: the disk is full; nothing was appended.
        """
        if self._lock is None or self._private_key is None:
            raise UsageError(
                "read-only-ledger",
                "this ledger is not open for writing",
                why="every new checkpoint is signed",
                fix="open it with its private key",
            )
        leaves = [leaf_bytes(kind, digest, time_s) for kind, digest in items]
        if not leaves:
            return []
        start = self.size
        growth = grow(self._edge, leaves)
        head = sign_checkpoint(
            self.origin, growth.edge.size, fold_edge(growth.edge.rows), self._private_key
        )
        self._commit(growth, head)
        for path in growth.filled:
            shutil.rmtree(self._directory / f"{path}{PARTIAL}", ignore_errors=True)
        return [
            Entry(index, kind, digest, time_s) for index, (kind, digest) in enumerate(items, start)
        ]

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Entries ``start`` to ``stop`` in order, each checked against its leaf hash.

        Blind to an entry and its tile altered together; ``audit`` is not.

        Raises:
            UntrustedError: an entry or a tile was altered.
        """
        if start < 0:
            raise UsageError(
                "no-such-entry",
                f"the ledger has no entry {start}",
                why="entries are counted from 0",
                fix="ask for one below its size",
            )
        yield from entries_between(
            self._files(), start, self.size if stop is None else min(stop, self.size)
        )

    def entry_bytes(self, index: int) -> bytes:
        """The exact bytes of one entry, as a proof needs them."""
        inclusion_ranges(index, self.size)
        return self._files().bundle(index // WIDTH)[index % WIDTH]

    def prove_inclusion(self, index: int, head: Checkpoint | None = None) -> tuple[bytes, ...]:
        """Hashes that prove entry ``index`` against a tree head, the present one by default.

        Raises:
            UsageError: there is no such entry.
            UntrustedError: a tile was altered, so that no proof can be given.
        """
        head = head or self._head
        return inclusion_of(TreeFiles(lying_in(self._directory), head.size), index, head.root)

    def prove_consistency(self, old: int, new: int | None = None) -> tuple[bytes, ...]:
        """Hashes that prove that the tree of ``old`` entries grew into that of ``new``.

        Args:
            old: an earlier size.
            new: a later size, by default the present one.

        Raises:
            UsageError: sizes beyond the ledger.
            UntrustedError: a tile was altered.
        """
        new = self.size if new is None else new
        return prove_growth(self._files(), (old, self.root_at(old)), (new, self.root_at(new)))

    def root_at(self, size: int) -> bytes:
        """Root that the ledger had at an earlier size."""
        if size == self.size:
            return self.root
        consistency_ranges(size, self.size)
        return self._files().range_hash(0, size) or EMPTY_ROOT

    def proof(self, index: int) -> bytes:
        """A ``.tlog-proof`` file for entry ``index``, for ``verify_proof``.

        Against the latest cosigned checkpoint where that has the entry already, so that
        the proof satisfies a quorum too; otherwise against the latest one.
        """
        head = self.cosigned()
        if head is None or head.size <= index:
            head = self._head
        return write_proof(index, self.prove_inclusion(index, head), head.note)

    def cosigned(self) -> Checkpoint | None:
        """The latest checkpoint that was kept with the cosignatures of witnesses."""
        note = lying_in(self._directory)(COSIGNED)
        return None if note is None else read_checkpoint(note, self.origin, self._public_key)

    def keep_cosigned(self, note: bytes) -> Checkpoint:
        """Keep a checkpoint of this ledger that witnesses have cosigned.

        Raises:
            UntrustedError: it is not this ledger's, or not of a tree that it grew from.
        """
        head = read_checkpoint(note, self.origin, self._public_key)
        prove_growth(self._files(), (head.size, head.root), (self.size, self.root))
        beside = f"{COSIGNED}.next"
        write_durably(self._directory, {beside: note})
        (self._directory / beside).replace(self._directory / COSIGNED)
        return head

    def audit(self, public_key: Ed25519PublicKey) -> Audit:
        """Recompute the latest tree from its entries; see ``audit_ledger``."""
        return audit_ledger(self._directory, self.origin, public_key)

    def refresh(self) -> int:
        """Move a reader to the latest checkpoint, if it continues this one; its size.

        Raises:
            UntrustedError: the ledger shrank, or its history is another.
        """
        if self._lock is not None:
            return self.size
        head = read_checkpoint(read_checkpoint_file(self._directory), self.origin, self._public_key)
        if head.size < self.size:
            raise altered(f"it shrank from {self.size} to {head.size} entries")
        files = TreeFiles(lying_in(self._directory), head.size)
        edge = _read_edge(files, head)
        prove_growth(files, (self.size, self.root), (head.size, head.root))
        self._head, self._edge = head, edge
        return self.size

    def _files(self) -> TreeFiles:
        return TreeFiles(lying_in(self._directory), self.size)

    def _commit(self, growth: Growth, head: Checkpoint) -> None:
        """Tiles, then the checkpoint; a failure before the rename leaves nothing.

        From the rename on readers may see the new tree, so it is ours as well, even
        when the last sync fails and the caller hears of it.
        """
        try:
            write_durably(self._directory, growth.files)
            try:
                _publish(self._directory, head)
            except OSError:
                for path in (*growth.files, NEXT_CHECKPOINT):
                    (self._directory / path).unlink(missing_ok=True)
                raise
        except OSError as wrong:
            raise explained(wrong, "the ledger entries were not appended") from wrong
        self._head, self._edge = head, growth.edge
        try:
            sync([self._directory])
        except OSError as wrong:
            raise explained(
                wrong, "the ledger entries were appended, but may not survive a power cut"
            ) from wrong


def _refuse_existing(directory: Path) -> None:
    if (directory / CHECKPOINT).exists():
        raise ConflictError(
            "ledger-exists",
            f"a ledger lies in {directory} already",
            why="a ledger is never begun over another",
            fix="open it, or choose another directory",
        )


def _publish(directory: Path, head: Checkpoint) -> None:
    write_durably(directory, {NEXT_CHECKPOINT: head.note})
    (directory / NEXT_CHECKPOINT).replace(directory / CHECKPOINT)


def _read_edge(files: TreeFiles, head: Checkpoint) -> Edge:
    """The right edge, once it is known to lead to the signed root."""
    rows = files.edge_rows()
    if fold_edge(rows) != head.root:
        raise altered("the tiles at its right edge do not lead to the signed root")
    pending = files.bundle(head.size // WIDTH) if head.size % WIDTH else []
    if hash_leaves(pending) != (rows[0] if rows else b""):
        raise altered("its last entries do not match their tile")
    return Edge(head.size, rows, tuple(pending))

"""Events: written to the content store, then the ledger, then folded into the catalog.

The ledger is the truth and the catalog its index: both the running gate and
``rebuild`` put every event through the same fold, so they cannot disagree.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.canonical import canonical_json, strict_json
from credenza.core.errors import InternalError
from credenza.gate.fold import fold
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.store.blobs import BlobStore
    from credenza.store.catalog import Catalog, Transaction
    from credenza.store.ledger.ledger import Ledger

MAX_EVENT_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as it will be read in a year."""

    kind: str
    document: dict[str, Json]


class Journal:
    """The one way to change a workspace.

    Args:
        open_writer: opens the ledger for writing, once, when something is first
            recorded; readers never take the writer's lock.
        reader: the same ledger, read-only.
    """

    def __init__(
        self,
        reader: Ledger,
        open_writer: Callable[[], Ledger],
        blobs: BlobStore,
        catalog: Catalog,
        clock: Callable[[], int],
    ) -> None:
        self._reader = reader
        self._open_writer = open_writer
        self._writer: Ledger | None = None
        self._clock = clock
        self._warrant: tuple[Event, ...] = ()
        self.blobs = blobs
        self.catalog = catalog

    @property
    def is_writing(self) -> bool:
        """Whether this process holds the ledger for writing."""
        return self._writer is not None

    def now_s(self) -> int:
        """The time that the next entry would carry, in seconds since the epoch."""
        return self._clock()

    def lock(self) -> None:
        """Become the workspace's one writer, or say who is.

        The index is brought up to the ledger first: what another writer recorded
        before this one must be seen before anything is decided on it.

        Raises:
            ConflictError: another process writes.
        """
        if self._writer is None:
            self._writer = self._open_writer()
            self.catch_up()

    @contextmanager
    def warranted(self, events: Sequence[Event]) -> Iterator[None]:
        """Put ``events`` directly before whatever is recorded first inside the block.

        They become durable together with it or not at all, so a warrant is used up exactly
        when what it allows has happened.
        """
        self._warrant = tuple(events)
        try:
            yield
        finally:
            self._warrant = ()

    def record(self, events: Sequence[Event], content: Sequence[bytes] = ()) -> list[Entry]:
        """Make ``events`` durable together; acknowledged means present.

        Args:
            events: what happened, in order.
            content: bytes that the events name by digest, stored in the same sync.

        Raises:
            ConflictError: another process writes to this workspace.
        """
        self.lock()
        if self._writer is None:
            raise InternalError("no-writer", "the ledger is not open for writing")
        asked, events = len(events), [*self._warrant, *events]
        self._warrant = ()
        documents = [canonical_json(event.document) for event in events]
        digests = self.blobs.put_many([*content, *documents])[len(content) :]
        entries = self._writer.append_many(
            [(event.kind, digest) for event, digest in zip(events, digests, strict=True)],
            time_s=self._clock(),
        )
        with self.catalog.transaction() as index:
            # A reader that saw the new entries first may have folded them already.
            done = _folded(index)
            for entry, event in zip(entries, events, strict=True):
                if entry.index >= done:
                    fold(index, entry, event.document)
        return entries[len(entries) - asked :]

    @property
    def ledger(self) -> Ledger:
        """The ledger as far as it is known to this process."""
        return self._writer or self._reader

    def catch_up(self) -> int:
        """Fold what the ledger has and the catalog has not; how many entries that was."""
        ledger = self.ledger
        if self.catalog.entry_count() >= ledger.size:
            return 0
        with self.catalog.transaction() as index:
            # Counted again inside: another process may have folded them since, and an
            # event folded after its successors would undo them.
            done = _folded(index)
            for entry in ledger.entries(done):
                fold(index, entry, self.document(entry.digest))
        return max(0, ledger.size - done)

    def rebuild(self) -> int:
        """Drop the index and fold the whole ledger again; how many entries it has."""
        self.catalog.clear()
        return self.catch_up()

    def document(self, digest: str) -> dict[str, Json]:
        """The event document with that digest."""
        data = self.blobs.get(digest, max_bytes=MAX_EVENT_BYTES)
        return cast("dict[str, Json]", strict_json(data, max_bytes=MAX_EVENT_BYTES))

    def close(self) -> None:
        """Let go of the ledger and the catalog."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.catalog.close()


def _folded(index: Transaction) -> int:
    """How many ledger entries the catalog has."""
    last = index.newest(EntryRow)
    return 0 if last is None else last.index + 1

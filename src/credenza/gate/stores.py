"""What the gate keeps things in, handed from use-case to use-case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from credenza.core import dsse
from credenza.core.canonical import MAX_BYTES
from credenza.gate.governance.charter import Charter
from credenza.provenance.manifest import decode_manifest
from credenza.provenance.roster import Roster
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.canonical import Json
    from credenza.core.catalog import Catalog
    from credenza.core.protocols import Detector
    from credenza.core.types import Manifest
    from credenza.datasets.versions import LanceDatasets
    from credenza.gate.journal import Journal
    from credenza.gate.reference import Reference
    from credenza.gate.shape import Shape
    from credenza.provenance.ring import Ring
    from credenza.store.rows import BatchRow

MAX_TABLE_BYTES = 16 * 2**30


def our_detectors() -> Catalog[Detector]:
    """The detectors of this package."""
    from credenza.screening.builtin import DETECTORS  # noqa: PLC0415 - a second to load

    return DETECTORS


@dataclass(slots=True)
class KnownRoster:
    """The roster and the key ring as far as they were read: a cache of the ledger."""

    roster: Roster = field(default_factory=Roster)
    ring: Ring | None = None
    events: int = 0


@dataclass(frozen=True, slots=True)
class Stores:
    """The journal and the datasets, and whom a policy may ask about rows.

    Attributes:
        detectors: those that can be named; other packages' too where the hall lets them in.
        references: fitted references by dataset: a cache, rebuilt from the journal.
        roster: registered sources and the key ring: a cache, likewise.
        charter: who may do what: a cache, read from the ledger alone.
        shapes: columns, types and label by dataset: a cache, likewise.
    """

    journal: Journal
    datasets: LanceDatasets
    detectors: Callable[[], Catalog[Detector]] = our_detectors
    references: dict[str, Reference] = field(default_factory=dict)
    roster: KnownRoster = field(default_factory=KnownRoster)
    charter: Charter = field(default_factory=Charter)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def submission(self, row: BatchRow) -> dict[str, Json]:
        """The event that submitted the batch."""
        return self.event(row.submitted_index)

    def event(self, index: int) -> dict[str, Json]:
        """The document of the ledger's entry ``index``."""
        with self.journal.catalog.snapshot() as catalog:
            entry = catalog.get(EntryRow, index)
        if entry is None:
            raise LookupError(f"the catalog lacks entry {index}")
        return self.journal.document(entry.digest)

    def manifest(self, digest: str) -> Manifest:
        """What the sender of a batch signed, whatever the catalog says of it."""
        envelope = self.journal.blobs.get(digest, max_bytes=MAX_BYTES)
        return decode_manifest(dsse.parse(envelope).payload)

    def table(self, row: BatchRow) -> pa.Table:
        """The batch's rows, as verified and parsed when it was submitted."""
        digest = str(self.submission(row)["table"])
        data = self.journal.blobs.get(digest, max_bytes=MAX_TABLE_BYTES)
        with pa.ipc.open_file(pa.py_buffer(data)) as reader:
            return reader.read_all()


def table_bytes(table: pa.Table) -> bytes:
    """``table`` as a compressed Arrow IPC file."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]  # pyarrow is untyped

"""How much of a version can be followed back to its sender: counted row by row, not claimed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core import dsse
from credenza.core.canonical import MAX_BYTES
from credenza.core.errors import CredenzaError, UntrustedError
from credenza.core.keys import keyid_of
from credenza.datasets.lineage_columns import BATCH, ROW
from credenza.gate.governance.reading import charter
from credenza.gate.holdings import segments
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credenza.core.types import Ints
    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class Completeness:
    """How many rows of a version lead back to signed bytes and a verdict.

    Attributes:
        rows: rows of the version.
        whole: rows of which every link is present and true to its digest.
        missing: for each broken link, in words, how many rows hang on it; a row may hang
            on several.
    """

    dataset: str
    version: int
    rows: int
    whole: int
    batches: int
    missing: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """Of the rows; 1 for a version without rows."""
        return self.whole / self.rows if self.rows else 1.0


def completeness(stores: Stores, dataset: str, version: int) -> Completeness:
    """Follow every row of a version: dataset, batch, manifest, submission, verdict, bytes.

    Each link is looked up and its digest recomputed: the original files are read again. A
    row counts when its batch's signature verifies under a key of the source that it names,
    the submission and the verdict are in the ledger, its place is one that the ledger
    published, and all files as received are there. Blind to values: that a cell is what the
    file said is for ``credenza validate``, which parses again.

    Complexity:
        Linear in the rows of the version and in the bytes of its batches' files.
    """
    rows = _rows_by_batch(stores, dataset, version)
    published = _published(stores, dataset, version)
    keys = _keys(stores)
    missing: dict[str, int] = {}
    whole = 0
    for batch, positions in rows.items():
        broken = list(_broken(stores, batch, keys))
        placed = np.isin(positions, published.get(batch, np.empty(0, np.int64)))
        fresh = np.zeros(len(positions), dtype=bool)
        fresh[np.unique(positions, return_index=True)[1]] = True
        for reason in broken:
            missing[reason] = missing.get(reason, 0) + len(positions)
        for reason, fits in (
            ("the ledger published no such row in this version", placed),
            ("the version holds the row twice", fresh),
        ):
            if not fits.all():
                missing[reason] = missing.get(reason, 0) + int((~fits).sum())
        whole += 0 if broken else int((placed & fresh).sum())
    total = sum(len(positions) for positions in rows.values())
    told = tuple(sorted(missing.items(), key=lambda one: (-one[1], one[0])))
    return Completeness(dataset, version, total, whole, len(rows), told)


def _rows_by_batch(stores: Stores, dataset: str, version: int) -> dict[str, Ints]:
    """Positions in its batch of every row that the dataset holds."""
    found: dict[str, list[Ints]] = {}
    for read in stores.datasets.read(dataset, version, columns=[BATCH, ROW]):
        batches = read[BATCH].dictionary_encode()
        codes = batches.indices.to_numpy(zero_copy_only=False)
        places = read[ROW].to_numpy(zero_copy_only=False)
        for code, name in enumerate(batches.dictionary.to_pylist()):
            found.setdefault(str(name), []).append(places[codes == code])
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _published(stores: Stores, dataset: str, version: int) -> dict[str, Ints]:
    """Positions that the ledger says the version holds, by batch."""
    found: dict[str, list[Ints]] = {}
    for batch, spans in segments(stores, dataset, version):
        found.setdefault(batch, []).extend(np.arange(*span) for span in spans)
    return {batch: np.concatenate(parts) for batch, parts in found.items() if parts}


def _broken(stores: Stores, batch: str, keys: dict[str, set[str]]) -> Iterator[str]:
    """Links of a batch that are missing or not true, in words."""
    for reason, holds in _LINKS:
        try:
            sound = holds(stores, batch, keys)
        except (CredenzaError, LookupError):
            sound = False
        if not sound:
            yield reason


def _is_signed(stores: Stores, batch: str, keys: dict[str, set[str]]) -> bool:
    """Blobs are checked against their digest whenever they are read."""
    envelope = stores.journal.blobs.get(batch, max_bytes=MAX_BYTES)
    source = stores.manifest(batch).source
    signers = {one.keyid for one in dsse.parse(envelope).signatures}
    own = [key for key in keys.get(source, ()) if keyid_of(key) in signers]
    try:
        dsse.verify(envelope, own)
    except UntrustedError:
        return False
    return True


def _is_submitted(stores: Stores, batch: str, keys: dict[str, set[str]]) -> bool:  # noqa: ARG001 - one signature
    document = stores.submission(_row(stores, batch))
    return document["batch"] == batch and document["source"] == stores.manifest(batch).source


def _is_judged(stores: Stores, batch: str, keys: dict[str, set[str]]) -> bool:  # noqa: ARG001 - one signature
    index = _row(stores, batch).verdict_index
    return index is not None and stores.event(index)["batch"] == batch


def _is_kept(stores: Stores, batch: str, keys: dict[str, set[str]]) -> bool:  # noqa: ARG001 - one signature
    blobs = stores.journal.blobs
    return all(blobs.check(file.sha256) == file.size for file in stores.manifest(batch).files)


_LINKS: tuple[tuple[str, Callable[[Stores, str, dict[str, set[str]]], bool]], ...] = (
    ("no manifest that its source signed", _is_signed),
    ("no submission in the ledger", _is_submitted),
    ("no verdict in the ledger", _is_judged),
    ("original bytes missing or altered", _is_kept),
)


def _row(stores: Stores, batch: str) -> BatchRow:
    with stores.journal.catalog.snapshot() as index:
        row = index.get(BatchRow, batch)
    if row is None:
        raise LookupError(batch)
    return row


def _keys(stores: Stores) -> dict[str, set[str]]:
    """Every public key that any source ever had."""
    return charter(stores).source_keys

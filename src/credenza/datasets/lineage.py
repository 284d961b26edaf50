"""Where each row came from, and where each batch went: answered from ``lineage_columns``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import NotFoundError
from credenza.datasets.lineage_columns import BATCH, LINEAGE, ROW, SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from credenza.datasets.versions import LanceDatasets
    from credenza.store.rows import BatchRow, ReleaseRow, VersionRow


@dataclass(frozen=True, slots=True)
class Origin:
    """The batch, the position in it and the sender of one row of a dataset."""

    dataset: str
    version: int
    position: int
    batch: str
    row: int
    source: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Where a batch or a source got to.

    Attributes:
        rows: rows in the version that was asked about.
        versions: numbers of the versions that hold any of its batches.
        releases: digests of the releases made from those versions.
    """

    batches: tuple[str, ...]
    rows: int
    versions: tuple[int, ...]
    releases: tuple[str, ...]


def row_origin(store: LanceDatasets, dataset: str, version: int, position: int) -> Origin:
    """The origin of the row at ``position`` of a version, counted from 0.

    Raises:
        NotFoundError: no such version or position.
    """
    found = store.take(dataset, [position], version=version, columns=LINEAGE.names).to_pylist()[0]
    return Origin(dataset, version, position, found[BATCH], found[ROW], found[SOURCE])


def version_batches(versions: Iterable[VersionRow], number: int) -> frozenset[str]:
    """Digests of the batches that version ``number`` of one dataset holds.

    A version names the batches it added and the version it continues, which for a
    rollback is not the one before it; so its content is what lies on its own line back
    to the first.

    Raises:
        NotFoundError: a version on that line is not among ``versions``.
    """
    by_number = {version.number: version for version in versions}
    held: set[str] = set()
    at: int | None = number
    while at is not None:
        version = by_number.get(at)
        if version is None:
            raise NotFoundError(
                "no-such-version",
                f"version {at} is not in the catalog",
                why="the walk back through its parents came to a version that is not there",
                fix="run `credenza catalog rebuild`",
            )
        held.update(version.batches)
        at = version.parent
    return frozenset(held)


def batch_reach(
    store: LanceDatasets,
    batches: Iterable[BatchRow],
    versions: Sequence[VersionRow],
    releases: Iterable[ReleaseRow],
) -> Reach:
    """Which versions and releases of one dataset hold any of ``batches``.

    Blind to copies: a release that was checked out and re-published elsewhere is not
    in this catalog.

    Args:
        store: where the rows are counted, in the newest version.
        batches: rows of the catalog, all of one dataset; those of one source ask
            where that source got to.
        versions: every version of that dataset.
        releases: every release of that dataset.
    """
    wanted = frozenset(batch.digest for batch in batches)
    holding = _holding(versions, wanted)
    rows = 0
    if versions and wanted:
        newest = max(versions, key=lambda version: version.number)
        rows = _count(store, newest, wanted)
    return Reach(
        tuple(sorted(wanted)),
        rows,
        tuple(sorted(holding)),
        tuple(sorted(made.digest for made in releases if made.version in holding)),
    )


def _holding(versions: Sequence[VersionRow], wanted: frozenset[str]) -> frozenset[int]:
    """Versions that hold any wanted batch: they added one, or their parent holds one.

    A parent is older than its child, so one pass in order is enough.
    """
    holding: set[int] = set()
    for version in sorted(versions, key=lambda each: each.number):
        if version.parent in holding or wanted & set(version.batches):
            holding.add(version.number)
    return frozenset(holding)


def _count(store: LanceDatasets, version: VersionRow, wanted: frozenset[str]) -> int:
    digests = pa.array(sorted(wanted), pa.string())
    return sum(
        pc.sum(pc.is_in(rows[BATCH], value_set=digests)).as_py() or 0
        for rows in store.read(version.dataset, version.number, columns=[BATCH])
    )

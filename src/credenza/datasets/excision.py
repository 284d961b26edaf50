"""Rows taken out of a dataset without writing the others again.

Lance marks rows as deleted in a small file beside each data file; the data files stay,
so that earlier versions are read as before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.spans import within
from credenza.datasets.lineage_columns import BATCH, ROW

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.spans import Spans
    from credenza.core.types import Bools, Ints
    from credenza.datasets.checks import Dataset

_OFFSET = 0xFFFF_FFFF  # a row's address is its fragment and, in the lower half, its place there
_READ_ROWS = 262_144


class Staged(NamedTuple):
    """Deletions that no version shows yet.

    Attributes:
        operation: what a commit makes a version of.
        rows: how many rows it takes out.
        files: deletion files that were written for it.
    """

    operation: Any
    rows: int
    files: tuple[Path, ...]


def stage_excision(opened: Dataset, gone: Mapping[str, Spans | None]) -> Staged:
    """Mark rows as deleted where no version sees it yet.

    Rows are found by the batch and position that they carry, so rows that are not there,
    or were excised before, change nothing.

    Args:
        opened: the version to continue.
        gone: batch digest to positions in that batch; None for all of it.

    Complexity:
        Reads the batch column of every row (and the positions, if only some rows of a
        batch go); writes a few bytes for each row that goes.
    """
    search = _Search(gone)
    changed, emptied, rows = [], [], 0
    for fragment in opened.get_fragments():
        offsets = search.offsets(fragment)
        if not len(offsets):
            continue
        rows += len(offsets)
        left = fragment.delete_rows(offsets.tolist())
        if left is None:
            emptied.append(fragment.fragment_id)
        else:
            changed.append(left)
    operation = lance.LanceOperation.Delete(changed, emptied, f"excision of {rows} rows")
    files = tuple(Path(opened.uri, one.deletion_file.path(one.id)) for one in changed)
    return Staged(operation, rows, files)


class _Search:
    """Finds the rows that are to go."""

    def __init__(self, gone: Mapping[str, Spans | None]) -> None:
        self._whole = pa.array([name for name, spans in gone.items() if spans is None], pa.string())
        self._partly = {name: spans for name, spans in gone.items() if spans is not None}

    def offsets(self, fragment: Any) -> Ints:  # noqa: ANN401 - Lance ships no types
        """Where they lie in the fragment, counted with the rows deleted before."""
        columns = [BATCH, ROW] if self._partly else [BATCH]
        found = [np.empty(0, np.int64)]
        for rows in fragment.to_batches(
            columns=columns, with_row_address=True, batch_size=_READ_ROWS
        ):
            hit = self._hits(rows)
            if hit.any():
                found.append(rows["_rowaddr"].to_numpy()[hit].astype(np.int64) & _OFFSET)
        return np.concatenate(found)

    def _hits(self, rows: pa.RecordBatch) -> Bools:
        names = rows[BATCH].dictionary_encode()
        known, codes = names.dictionary, names.indices.to_numpy()
        whole = pc.is_in(known, value_set=self._whole).to_numpy(zero_copy_only=False)
        hit: Bools = whole[codes]
        for code, name in enumerate(known.to_pylist()):
            if name in self._partly:
                own = np.flatnonzero(codes == code)
                hit[own] = within(rows[ROW].to_numpy()[own], self._partly[name])
        return hit

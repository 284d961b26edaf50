"""Rows in two dimensions, from whatever they are made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role
from credenza.interfaces.scan.samples import spread
from credenza.screening.features.table import coded_columns, columns_of, one_hot
from credenza.screening.features.text import hashed_bag, tokens

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.scanning.result import ScanResult

MAX_FLAGGED = 600
MAX_ACCEPTED = 2_400


def project(result: ScanResult) -> tuple[Floats, Ints]:
    """The first two singular directions of some rows' features, centred.

    Args:
        result: of a scan.

    Returns:
        ``(k, 2)`` coordinates and the ``(k,)`` rows they belong to; none when the rows
        have nothing that could be projected.
    """
    flagged = result.flagged
    rows = np.concatenate(
        [
            spread(np.flatnonzero(flagged), MAX_FLAGGED),
            spread(np.flatnonzero(~flagged), MAX_ACCEPTED),
        ]
    )
    view = result.view
    small = replace(
        view,
        table=view.table.take(rows).combine_chunks(),
        source=view.source[rows],
        trusted=view.trusted[rows],
        expected=None,
        classes=(),
    )
    blocks = _features(small)
    if not blocks or len(rows) < 3:
        return np.zeros((0, 2)), rows[:0]
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - heavy

    matrix = np.hstack(blocks)
    if matrix.shape[1] < 2:
        return np.column_stack([matrix[:, 0], np.zeros(len(matrix))]), rows
    svd = TruncatedSVD(2, algorithm="randomized", random_state=0)
    return np.asarray(svd.fit_transform(matrix), dtype=np.float64), rows


def _features(view: View) -> list[Any]:
    """Dense blocks, centred, each of unit variance in all."""
    blocks = []
    for name in columns_of(view, Role.EMBEDDING, Role.IMAGE):
        column = view.table.column(name)
        chunks = [getattr(chunk, "storage", chunk) for chunk in column.chunks]
        flat = np.concatenate([np.asarray(chunk.flatten(), np.float32) for chunk in chunks])
        blocks.append(_scaled(flat.reshape(view.table.num_rows, -1)))
    coded = coded_columns(view)
    if coded:
        blocks.append(_scaled(one_hot(coded).toarray()))
    for name in columns_of(view, Role.TEXT):
        bag = hashed_bag(tokens(view, name)).tocsc()
        used = np.argsort(-np.diff(bag.indptr))[:512]
        blocks.append(_scaled(bag[:, np.sort(used)].toarray()))
    return blocks


def _scaled(block: Any) -> Any:  # noqa: ANN401 - a dense block
    centred = block - block.mean(axis=0, dtype=np.float64)
    size = float(np.sqrt((centred**2).sum() / max(len(centred), 1)))
    # What is left of a constant is rounding, which must not be blown up.
    return centred / size if size > 1e-6 * float(np.abs(block).max(initial=0)) else 0 * centred

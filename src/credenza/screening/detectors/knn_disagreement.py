"""Labels against those of similar rows from other sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.label import labels_of
from credenza.screening.features.table import (
    FEW_LEVELS,
    by_value,
    columns_of,
    content_of,
    numbers,
    one_hot,
    row_hash,
    sample,
    source_codes,
)
from credenza.screening.features.text import hashed_bag, tokens
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View

CHUNK_PAIRS = 2**22


@dataclass(frozen=True, slots=True)
class KnnDisagreement:
    """Share of a row's neighbours, all from other sources, that have another label.

    A source that sends many alike rows would vouch for itself; others cannot be made
    to. Numbers are compared by rank among trusted rows, categories by equality, texts
    by hashed tokens. Above ``pairs`` comparisons neighbours come from a sample of the
    rows, half of it trusted, drawn by content; the more rows, the smaller the sample.

    Blind to clean-label poison, to triggers so frequent across sources that they are
    their own neighbours, and to labels that depend on one column among many noisy ones.

    Attributes:
        neighbours: how many are asked.
        pairs: comparisons at most, for the whole view.
        max_reference: rows that neighbours are drawn from at most.

    Complexity:
        O(pairs · d), in blocks of bounded memory.

    Source:
        Deep k-NN, arXiv:1909.13374; SimiFeat, arXiv:2110.06283; other sources only is ours.
    """

    neighbours: int = 16
    pairs: int = 2**25
    max_reference: int = 1024

    @property
    def name(self) -> str:
        """The detector's name."""
        return "knn-disagreement"

    @property
    def needs(self) -> frozenset[Role]:
        """A label; features are checked when scoring."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """Distance-weighted share of disagreeing neighbours, in [0, 1].

        Raises:
            NotApplicableError: the view has no column to compare rows by.
        """
        labels = labels_of(view)
        n = len(labels.codes)
        if not columns_of(view, Role.NUMBER, Role.CATEGORY, Role.TEXT):
            raise NotApplicableError("there is no number, category or text to compare rows by")
        reference = self._reference(view, labels.codes)
        if n == 0 or len(reference) <= 1:
            return Scores(np.zeros(n))
        matrix = _matrix(view)
        source, names = source_codes(view)
        # With a single source the row itself is all that must not vouch for it.
        apart = source if len(names) > 1 else np.arange(n, dtype=np.int64)
        values = np.zeros(n)
        dense = np.asarray(matrix[reference].toarray(), dtype=np.float32)
        length = (dense**2).sum(axis=1)
        step = max(1, CHUNK_PAIRS // len(reference))
        for start in range(0, n, step):
            rows = np.arange(start, min(n, start + step))
            far = length - 2.0 * np.asarray((matrix[rows] @ dense.T), dtype=np.float32)
            far += (np.asarray(matrix[rows].multiply(matrix[rows]).sum(axis=1))).reshape(-1, 1)
            far[apart[rows][:, None] == apart[reference][None, :]] = np.inf
            other = labels.codes[rows][:, None] != labels.codes[reference][None, :]
            values[rows] = self._disagreement(far, other)
        values[labels.codes < 0] = 0.0
        return Scores(values)

    def _reference(self, view: View, labels: Ints) -> Ints:
        n = len(labels)
        size = min(self.max_reference, max(48, self.pairs // max(n, 1)))
        old = np.flatnonzero(view.trusted & (labels >= 0))
        new = np.flatnonzero(~view.trusted & (labels >= 0))
        from_old = sample(view, old, max(size // 2, size - len(new)))
        rows = np.r_[from_old, sample(view, new, size - len(from_old))]
        # By content, so that ties of distance do not depend on the order of the rows.
        key = row_hash(content_of(view), n)[rows]
        order = np.lexsort((view.trusted[rows], labels[rows], key))
        return np.asarray(rows[order], dtype=np.int64)

    def _disagreement(self, far: Floats, other: Any) -> Floats:  # noqa: ANN401 - a bool matrix
        k = min(self.neighbours, far.shape[1])
        nearest = np.argpartition(far, k - 1, axis=1)[:, :k]
        distance = np.take_along_axis(far, nearest, axis=1).astype(np.float64)
        disagrees = np.take_along_axis(other, nearest, axis=1)
        reached = np.isfinite(distance)
        weight = np.where(reached, 1.0 / (0.1 + np.maximum(np.where(reached, distance, 0), 0)), 0)
        total = weight.sum(axis=1)
        return np.asarray((weight * disagrees).sum(axis=1) / np.maximum(total, 1e-12))


def _matrix(view: View) -> Any:  # noqa: ANN401 - scipy is untyped
    """Sparse float32 features in which one column's full disagreement is worth 1."""
    from scipy import sparse  # noqa: PLC0415 - heavy

    n = view.table.num_rows
    blocks: list[Any] = []
    for column in columns_of(view, Role.NUMBER):
        rank = _ranks(numbers(view, column), view)
        blocks.append(sparse.csr_array(rank.astype(np.float32).reshape(n, 1)))
    categories = [by_value(view, column) for column in columns_of(view, Role.CATEGORY)]
    if categories:
        blocks.append(one_hot(categories, levels=4 * FEW_LEVELS) * np.float32(np.sqrt(0.5)))
    blocks += [hashed_bag(tokens(view, column)) for column in columns_of(view, Role.TEXT)]
    return sparse.hstack(blocks, format="csr", dtype=np.float32)


def _ranks(values: Floats, view: View) -> Floats:
    """Rank in [0, 1] among trusted values (all, if none is); missing sits in the middle."""
    missing = np.isnan(values)
    known = np.sort(values[view.trusted & ~missing])
    if len(known) == 0:
        known = np.sort(values[~missing])
    left = np.searchsorted(known, values, side="left")
    right = np.searchsorted(known, values, side="right")
    return np.where(missing, 0.5, (left + right) / (2.0 * max(len(known), 1)))

"""From a plan to the vector, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.training.aggregation.blocks import as_matrix, blocks, lay, scratch, width_within
from credenza.training.aggregation.ordering import ordering

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.types import Floats, Ints
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Plan

SUM_BYTES = 4 * 2**20
SORT_BYTES = 2**20
"""Scratch for a block: what streams best to a product, and what a cache holds while sorted."""

ALIKE = 100.0
"""Squared size of a row over its squared distance to another from which they are alike."""


def carry_out(plan: Plan, rows: Sequence[Row], dimension: int) -> Floats:
    """``(d,)`` float64 output of ``plan`` in one pass over the rows that it uses.

    Weighted sums of rows that share much more than they differ by are taken about one of
    them, so that float32 rounds only differences. Medians and trims sort each coordinate's
    values in a transposed block, since sorting along memory is several times faster than
    across it.

    Args:
        plan: weights in terms of ``rows``, the anchors last.
        rows: vectors of ``dimension`` finite values.
        dimension: d.
    """
    used = np.flatnonzero(plan.mix.any(axis=0))
    mix = np.ascontiguousarray(plan.mix[:, used])
    sources = [rows[int(place)] for place in used]
    output = np.zeros(dimension)
    if plan.reduce is not None:
        reduce, places = plan.reduce, plan.read or range(len(mix))
        order = ordering(len(mix) * dimension, len(mix), places)
        _sort(mix, sources, lambda block: reduce(order(block)), output)
    elif sources:
        _sum(mix[0], sources, output)
    return output


def _sum(weights: Floats, rows: Sequence[Row], output: Floats) -> None:
    if len(rows) == 1:
        np.multiply(rows[0], weights[0], out=output)
        return
    heaviest, *others = np.argsort(-np.abs(weights), kind="stable")
    dtype = _working_type(rows)
    narrow = weights.astype(dtype)
    whole = as_matrix(rows, dtype)
    stage = scratch(len(rows), width_within(SUM_BYTES, len(rows)), dtype)
    for part in blocks(output.size, stage.shape[1]):
        pivot = rows[heaviest][part].astype(dtype)
        if whole is None or _alike(pivot, [rows[place][part] for place in others[:1]]):
            output[part] = narrow @ lay(rows, part, stage, pivot)
            output[part] += weights.sum() * pivot.astype(np.float64)
        else:
            output[part] = narrow @ whole[:, part]


def _alike(pivot: Row, others: Sequence[Row]) -> bool:
    """Whether rows share so much more than they differ by that rounding it would show."""
    apart = [pivot - other for other in others]
    return any(ALIKE * np.dot(gap, gap) < np.dot(pivot, pivot) for gap in apart)


def _sort(
    mix: Floats, rows: Sequence[Row], reduce: Callable[[Row], Floats], output: Floats
) -> None:
    only = _one_hot(mix)
    if only is not None:
        rows = [rows[int(place)] for place in only]
    dtype = _working_type(rows) if only is not None else np.dtype(np.float64)
    whole = as_matrix(rows, dtype)
    stage = scratch(len(rows), width_within(SORT_BYTES, len(rows)), dtype)
    for part in blocks(output.size, stage.shape[1]):
        block = lay(rows, part, stage) if whole is None else whole[:, part]
        output[part] = reduce(block if only is not None else mix @ block)


def _one_hot(mix: Floats) -> Ints | None:
    """The row that each candidate copies, or None when candidates are mixtures."""
    if not np.array_equal(mix, mix == 1) or not np.array_equal(mix.sum(axis=1), np.ones(len(mix))):
        return None
    return np.asarray(mix.argmax(axis=1), dtype=np.int64)


def _working_type(rows: Sequence[Row]) -> np.dtype[Any]:
    return np.dtype(np.float32 if all(row.dtype.itemsize <= 4 for row in rows) else np.float64)

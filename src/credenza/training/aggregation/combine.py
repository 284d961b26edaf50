"""From a plan to the vector, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.training.aggregation.updates import blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.types import Floats, Ints
    from credenza.training.aggregation.rule import Plan
    from credenza.training.aggregation.updates import Row


def carry_out(plan: Plan, rows: Sequence[Row], dimension: int) -> Floats:
    """``(d,)`` float64 output of ``plan`` in one pass over the rows that it uses.

    Weighted sums are taken about one row, so that float32 rounds only differences. Medians
    and trims sort each coordinate's values in a transposed block, since sorting along
    memory is several times faster than across it.

    Args:
        plan: weights in terms of ``rows``, the anchors last.
        rows: vectors of ``dimension`` finite values.
        dimension: d.
    """
    used = np.flatnonzero(plan.mix.any(axis=0))
    mix = np.ascontiguousarray(plan.mix[:, used])
    sources = [rows[int(place)] for place in used]
    output = np.zeros(dimension)
    if plan.reduce is None and sources:
        _sum(mix[0], sources, output)
    if plan.reduce is not None:
        _sort(mix, sources, plan.reduce, output)
    return output


def _sum(weights: Floats, rows: Sequence[Row], output: Floats) -> None:
    # About the heaviest row, so that float32 rounds what rows differ by and not what they
    # share; a far row of little weight must not be that row.
    heaviest = int(np.abs(weights).argmax())
    dtype = _working_type(rows)
    narrow = weights.astype(dtype)
    for part in blocks(output.size, len(rows)):
        pivot = rows[heaviest][part].astype(dtype)
        block = np.empty((len(rows), part.stop - part.start), dtype=dtype)
        for place, row in enumerate(rows):
            np.subtract(row[part], pivot, out=block[place], casting="same_kind")
        output[part] = narrow @ block
        output[part] += weights.sum() * pivot.astype(np.float64)


def _sort(
    mix: Floats, rows: Sequence[Row], reduce: Callable[[Row], Floats], output: Floats
) -> None:
    only = _one_hot(mix)
    if only is not None:
        rows = [rows[int(place)] for place in only]
    dtype = np.dtype(np.float64) if only is None else _working_type(rows)
    for part in blocks(output.size, len(rows)):
        block = _gather(rows, part, dtype)
        ordered = np.ascontiguousarray((block if only is not None else mix @ block).T)
        ordered.sort(axis=1)
        output[part] = reduce(ordered)


def _one_hot(mix: Floats) -> Ints | None:
    """The row that each candidate copies, or None when candidates are mixtures."""
    if not np.array_equal(mix, mix == 1) or not np.array_equal(mix.sum(axis=1), np.ones(len(mix))):
        return None
    return np.asarray(mix.argmax(axis=1), dtype=np.int64)


def _working_type(rows: Sequence[Row]) -> np.dtype[Any]:
    return np.dtype(np.float32 if all(row.dtype.itemsize <= 4 for row in rows) else np.float64)


def _gather(rows: Sequence[Row], part: slice, dtype: np.dtype[Any]) -> Row:
    block = np.empty((len(rows), part.stop - part.start), dtype=dtype)
    for place, row in enumerate(rows):
        block[place] = row[part]
    return block

"""Numbers to buckets, registers and exact sums, a block of rows at a time.

Blocks are small enough for the processor's cache, and all columns of a group go through
together, so that a batch of 300 rows costs few calls and a million rows little memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.profiling import sketches
from credenza.profiling.arrays import laid_open
from credenza.profiling.state import CORRELATED_COLUMNS, ONES, PRODUCT_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints

BLOCK_ROWS = 8192
SORTED_BELOW_ROWS = 3 * BLOCK_ROWS
"""Tables below this size are sorted; above it, clearing the dense counters pays off."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """One numeric column, ready for NumPy.

    Attributes:
        place: its place among the columns of the state.
        values: ``(n,)`` float64, float32 or integers; anything where ``present`` is False.
        present: ``(n,)`` False for nulls, or None when there are none.
        low: exact smallest value for integers and times, None for reals.
        high: exact largest.
    """

    place: int
    values: npt.NDArray[np.generic]
    present: Bools | None
    nulls: int
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class NumberSketches:
    """What a group of numeric columns came to; keys as in ``State``."""

    nans: Ints
    low: Floats
    high: Floats
    bucket_keys: Ints
    bucket_counts: Ints
    register_keys: Ints
    product_keys: Ints
    product_limbs: Ints


def numbers(place: int, column: pa.Array) -> Numbers:
    """Lay a numeric or time array open; decimals become the nearest float."""
    if pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_temporal(column.type):
        column = column.view(pa.int64() if column.type.bit_width == 64 else pa.int32())
    values, present = laid_open(column)
    low = high = None
    if values.dtype.kind != "f":
        there = values if present is None else values[present]
        low, high = (int(there.min()), int(there.max())) if len(there) else (None, None)
    return Numbers(place, values, present, column.null_count, low, high)


def sketched(group: Sequence[Numbers], first_operand: int, *, correlate: bool) -> NumberSketches:
    """Summarise numeric columns of equal length.

    Quantiles and sums take the nearest float of integers beyond 2^53; ranges and distinct
    counts take the integers themselves. Sums leave out values of ``sketches.LARGEST`` and
    more, and count them as gaps; blind there, and to differences below 2^-90.

    Args:
        group: the columns.
        first_operand: product operand of the first column's values.
        correlate: keep the products of different columns too.
    """
    k, n = len(group), len(group[0].values)
    places = np.array([column.place for column in group], dtype=np.int64)
    block = np.empty((k, min(n, BLOCK_ROWS)))
    words = np.empty(block.shape, dtype=np.uint64)
    low, high = np.full(k, np.nan), np.full(k, np.nan)
    counter = _Sorted(places) if n < SORTED_BELOW_ROWS else _Dense(places)
    sums = np.zeros((2 * k + 1, 2 * k + 1, sketches.LIMBS), dtype=np.int64)
    for start in range(0, n, BLOCK_ROWS):
        rows = slice(start, min(start + BLOCK_ROWS, n))
        x = block[:, : rows.stop - rows.start]
        w = words[:, : rows.stop - rows.start]
        _fill(group, rows, x, w)
        gaps = np.isnan(x)
        low = np.fmin(low, np.fmin.reduce(x, axis=1))
        high = np.fmax(high, np.fmax.reduce(x, axis=1))
        counter.count(sketches.bucket_keys(x), sketches.mixed(w), gaps)
        _add_products(sums, x, gaps)
    keys, counts, registers = counter.result()
    bucket = keys & (sketches.BUCKETS - 1)
    real = (bucket & (sketches.NEGATIVE_BUCKET - 1)) <= sketches.INFINITE_BUCKET
    column = np.searchsorted(places, keys[~real] >> sketches.BUCKET_BITS)
    gap_rows = np.zeros(k, dtype=np.int64)
    np.add.at(gap_rows, column, counts[~real])
    nans = gap_rows - np.array([column.nulls for column in group], dtype=np.int64)
    product_keys, limbs = _products(sums, first_operand, correlate=correlate)
    return NumberSketches(nans, low, high, keys[real], counts[real], registers, product_keys, limbs)


def _fill(group: Sequence[Numbers], rows: slice, x: Floats, words: npt.NDArray[np.uint64]) -> None:
    """Copy a block: floats with gaps as NaN, and the 64-bit words that are hashed."""
    for i, column in enumerate(group):
        values = column.values[rows]
        # Adding zero turns -0.0 into 0.0 and quiets NaNs, so that equal numbers have equal bits.
        with np.errstate(invalid="ignore"):
            np.add(values, 0.0, out=x[i], dtype=np.float64, casting="unsafe")
        if values.dtype.kind == "f":
            words[i] = x[i].view(np.uint64)
        else:
            words[i].view(np.int64)[:] = (
                values.view(np.int64) if values.dtype == np.uint64 else values
            )
        if column.present is not None:
            x[i][~column.present[rows]] = np.nan


class _Sorted:
    """Counts few rows by sorting their keys."""

    def __init__(self, places: Ints) -> None:
        self._bucket_column = (places << sketches.BUCKET_BITS)[:, None]
        self._column = places[:, None]
        self._keys: list[Ints] = []
        self._registers: list[Ints] = []

    def count(self, buckets: Ints, hashes: npt.NDArray[np.uint64], gaps: Bools) -> None:
        self._keys.append((buckets | self._bucket_column).ravel())
        columns = np.broadcast_to(self._column, gaps.shape)
        self._registers.append(sketches.register_keys(hashes[~gaps], columns[~gaps]))

    def result(self) -> tuple[Ints, Ints, Ints]:
        empty = [np.empty(0, dtype=np.int64)]
        keys, counts = np.unique(np.concatenate(self._keys or empty), return_counts=True)
        registers = sketches.highest(np.concatenate(self._registers or empty))
        return keys, counts.astype(np.int64), registers


class _Dense:
    """Counts many rows into arrays with a cell for every bucket and register.

    The smallest tail of a hash has the highest rank, so registers are kept as tails and
    ranked once at the end.
    """

    def __init__(self, places: Ints) -> None:
        self._places = places
        self._buckets = np.zeros((len(places), sketches.BUCKETS), dtype=np.int64)
        self._tails = np.full(
            (len(places), sketches.REGISTERS), np.uint64(1) << np.uint64(52), dtype=np.uint64
        )

    def count(self, buckets: Ints, hashes: npt.NDArray[np.uint64], gaps: Bools) -> None:
        register = (hashes >> np.uint64(sketches.TAIL_BITS)).view(np.int64)
        tails = np.bitwise_and(hashes, sketches.TAIL_MASK, out=hashes)
        tails[gaps] = np.uint64(1) << np.uint64(52)
        for i in range(len(self._places)):
            np.add.at(self._buckets[i], buckets[i], 1)
            np.minimum.at(self._tails[i], register[i], tails[i])

    def result(self) -> tuple[Ints, Ints, Ints]:
        row, bucket = np.nonzero(self._buckets)
        keys = self._places[row] << sketches.BUCKET_BITS | bucket
        rank = sketches.ranks(self._tails)
        column, register = np.nonzero(rank)
        registers = (
            self._places[column] << sketches.REGISTER_KEY_BITS
            | register << sketches.RANK_BITS
            | rank[column, register]
        )
        return keys, self._buckets[row, bucket], registers


def _add_products(sums: Ints, x: Floats, gaps: Bools) -> None:
    """Add one block's exact sums of products to ``sums``; ``x`` is used up.

    Row 0 of ``sums`` is the constant one, then each column's values and its gaps.
    """
    magnitude = np.fmax(np.fmax.reduce(x, axis=1), -np.fmin.reduce(x, axis=1))
    if (magnitude >= sketches.LARGEST).any():
        gaps = gaps | ~(np.abs(x) < sketches.LARGEST)
    gappy = np.flatnonzero(gaps.any(axis=1))
    if len(gappy):
        x[gaps] = 0.0
        magnitude = np.abs(x).max(axis=1)
    digits, owners, windows = sketches.digit_rows(x, magnitude)
    units = np.concatenate((np.ones((1, x.shape[1])), gaps[gappy]))
    rows: Floats = np.concatenate((units, digits))
    operand = np.concatenate(([ONES], 2 + 2 * gappy, 1 + 2 * owners))
    one = sketches.POINT_BITS // sketches.LIMB_BITS
    window = np.concatenate((np.full(len(units), one), windows))
    gram = (rows @ rows.T).astype(np.int64)
    pair = (operand[:, None] * len(sums) + operand) * sketches.LIMBS
    cells = pair + (window[:, None] + window)
    np.add.at(sums.reshape(-1), cells.ravel(), gram.ravel())


def _products(sums: Ints, first_operand: int, *, correlate: bool) -> tuple[Ints, Ints]:
    """Name the sums that are kept, and carry them to their one form."""
    a, b = np.triu_indices(len(sums))
    if not correlate:
        own = (a == ONES) | ((a - 1) // 2 == (b - 1) // 2)
        a, b = a[own], b[own]
    if first_operand != 1:
        a, b = a[b != ONES], b[b != ONES]
    touched = sums[a, b].any(axis=1)
    a, b = a[touched], b[touched]
    limbs = sketches.carried(sums[a, b])
    kept = limbs.any(axis=1)
    shift = first_operand - 1
    a, b = np.where(a == ONES, ONES, a + shift)[kept], np.where(b == ONES, ONES, b + shift)[kept]
    keys = a << PRODUCT_BITS | b
    order = np.argsort(keys)
    return keys[order], limbs[kept][order]


def grouped(columns: Sequence[Numbers]) -> list[Sequence[Numbers]]:
    """Columns in groups whose counters fit in memory; the first group is correlated."""
    width = CORRELATED_COLUMNS
    return [columns[at : at + width] for at in range(0, len(columns), width)]

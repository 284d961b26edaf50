"""Figures read from a profile: means, variances, correlations, quantiles, distinct, top."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from credenza.core.errors import UsageError
from credenza.profiling import sketches
from credenza.profiling.state import (
    CORRELATED_COLUMNS,
    NUMERIC,
    ONES,
    PRODUCT_BITS,
    Column,
    Kind,
    State,
    column_slice,
    operands,
    position,
)


def column_of(state: State, name: str) -> Column:
    """The plain facts of a column: nulls, NaN, range, categories.

    Raises:
        NotFoundError: the profile has no such column.
    """
    return state.columns[position(state, name)]


def measured(state: State, name: str) -> int:
    """Rows that the sums of a column cover: with a number, finite and below 2^89.

    Raises:
        NotFoundError, UsageError: no such column, or not a numeric one.
    """
    gaps = _operand(state, name) + 1
    return int(_product(state, ONES, ONES) - _product(state, ONES, gaps))


def total(state: State, name: str) -> Fraction:
    """The exact sum of a column over ``measured`` rows.

    Each value counts as its float, rounded to a multiple of 2^-90.

    Raises:
        NotFoundError, UsageError: as ``measured``.
    """
    return _product(state, ONES, _operand(state, name))


def mean(state: State, name: str) -> float:
    """The mean, correctly rounded; NaN without values.

    Raises:
        NotFoundError, UsageError: as ``measured``.
    """
    rows = measured(state, name)
    return float(total(state, name) / rows) if rows else math.nan


def variance(state: State, name: str) -> float:
    """The mean squared distance from the mean, without cancellation; NaN without values.

    Raises:
        NotFoundError, UsageError: as ``measured``.
    """
    rows = measured(state, name)
    return float(_spread(state, name)) if rows else math.nan


def correlation(state: State, first: str, second: str) -> float:
    """Pearson's correlation of two numeric columns.

    The covariance is over rows where both have a number, the variances over each column's
    own; with gaps the quotient may pass ±1 and is cut there. Blind to columns beyond the
    first 24 numeric ones by name, and to dependence that is not linear.

    Returns:
        In [-1, 1]; NaN where a column is constant or the two never meet.

    Raises:
        NotFoundError: no such column.
        UsageError: not numeric, or beyond the columns whose products are kept.
    """
    a, b = sorted((_operand(state, first), _operand(state, second)))
    if b > 2 * CORRELATED_COLUMNS and a != b:
        raise UsageError(
            "not-correlated",
            f"the profile keeps no products of {first!r} and {second!r}",
            why=f"only those of the first {CORRELATED_COLUMNS} numeric columns by name",
        )
    both = (
        _product(state, ONES, ONES)
        - _product(state, ONES, a + 1)
        - _product(state, ONES, b + 1)
        + _product(state, a + 1, b + 1)
    )
    if not both:
        return math.nan
    sums = [
        _product(state, ONES, x) - _product(state, *sorted((x, gaps)))
        for x, gaps in ((a, b + 1), (b, a + 1))
    ]
    covariance = _product(state, a, b) / both - sums[0] / both * (sums[1] / both)
    scale = math.sqrt(_spread(state, first)) * math.sqrt(_spread(state, second))
    return min(1.0, max(-1.0, float(covariance) / scale)) if scale else math.nan


def quantile(state: State, name: str, q: float) -> float:
    """A value within a relative 2^-6 of the ``ceil(q n)``-th smallest.

    The middle of that value's bucket, cut to the column's range; magnitudes below 2^-1022
    come out as zero. NaN without values.

    Args:
        state: the profile.
        name: a numeric column.
        q: in [0, 1].

    Raises:
        NotFoundError: no such column.
        UsageError: not numeric, or ``q`` out of range.
    """
    if not 0 <= q <= 1:
        raise UsageError("bad-quantile", f"a quantile lies in [0, 1], not at {q}")
    _operand(state, name)
    at = position(state, name)
    column = state.columns[at]
    stretch = column_slice(state.bucket_keys, at)
    keys = state.bucket_keys[stretch] & (sketches.BUCKETS - 1)
    if column.low is None or column.high is None:
        return math.nan
    order = np.argsort(sketches.in_value_order(keys))
    below = np.cumsum(state.bucket_counts[stretch][order])
    rank = max(1, math.ceil(q * int(below[-1])))
    key = keys[order][np.searchsorted(below, rank) :][:1]
    if not key[0] & (sketches.NEGATIVE_BUCKET - 1):
        return 0.0
    near, far = (float(end[0]) for end in sketches.bucket_bounds(key))
    middle = near if math.isinf(far) else near + (far - near) / 2
    return min(max(middle, float(column.low)), float(column.high))


def distinct(state: State, name: str) -> float:
    """How many distinct values a column has: exact for counted categories, else 1.6 %.

    Raises:
        NotFoundError: no such column.
        UsageError: a column without a summary.
    """
    at = position(state, name)
    column = state.columns[at]
    if column.kind is Kind.OTHER:
        raise UsageError("not-summarised", f"{name!r} has no summary", why=f"it is {column.type}")
    if column.counts is not None:
        return float(len(column.counts))
    keys = state.register_keys[column_slice(state.register_keys, at)]
    return sketches.estimated_distinct(keys & ((1 << sketches.RANK_BITS) - 1))


def top(state: State, name: str, count: int = 10) -> tuple[tuple[str, int], ...]:
    """The most frequent categories and their rows, ties by name.

    Empty for a column over its cap: ``column_of(state, name).counts`` is None then.

    Raises:
        NotFoundError: no such column.
    """
    counts = column_of(state, name).counts or {}
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(ranked[:count])


def _operand(state: State, name: str) -> int:
    """The product operand of a numeric column's values."""
    at = position(state, name)
    if state.columns[at].kind not in NUMERIC:
        raise UsageError(
            "not-numeric",
            f"column {name!r} is not numeric",
            why=f"it is summarised as {state.columns[at].kind}",
        )
    return operands(state.columns)[at]


def _product(state: State, a: int, b: int) -> Fraction:
    """The exact sum over rows of operand ``a`` times operand ``b``."""
    key = a << PRODUCT_BITS | b
    at = int(np.searchsorted(state.product_keys, key))
    if at == len(state.product_keys) or state.product_keys[at] != key:
        return Fraction(0)
    point = 1 << 2 * sketches.POINT_BITS
    return Fraction(sketches.exact_integer(state.product_limbs[at]), point)


def _spread(state: State, name: str) -> Fraction:
    """The exact variance; never negative."""
    rows, x = measured(state, name), _operand(state, name)
    if not rows:
        return Fraction(0)
    return _product(state, x, x) / rows - (_product(state, ONES, x) / rows) ** 2

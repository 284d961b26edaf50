"""How numbers go together."""

from __future__ import annotations

from itertools import combinations, islice
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.profiling.statistics.rows import Measures, Rows

MOST_PAIRS = 15
LEAST_ROWS = 10


def correlations(rows: Rows) -> Measures:
    """Fisher's z of every pair of numbers, each cut at the trusted 1 % and 99 %.

    Skewed columns are cut so that one row cannot make a correlation; what bends two
    columns together beyond the cut is not seen, nor are categories, labels, and pairs
    after the first ``MOST_PAIRS`` by name.
    """
    unit = {}
    for name, value in rows.numbers.items():
        own = rows.reference.numbers[name]
        unit[name] = (np.clip(value, own.low, own.high) - own.centre) / own.spread
    pairs = islice(combinations(sorted(unit), 2), MOST_PAIRS)
    return {f"correlation {a}, {b}": _fisher_z(unit[a], unit[b]) for a, b in pairs}


def _fisher_z(a: Floats, b: Floats) -> tuple[float, float]:
    known = np.isfinite(a) & np.isfinite(b)
    size = int(known.sum())
    if size < LEAST_ROWS:
        return float("nan"), float("nan")
    x, y = a[known] - a[known].mean(), b[known] - b[known].mean()
    power = float(np.sqrt(np.sum(x * x) * np.sum(y * y)))
    r = float(np.clip(np.sum(x * y) / power, -0.999, 0.999)) if power > 0 else 0.0
    return float(np.arctanh(r)), float(1 / np.sqrt(size - 3))

"""Rows that repeat within the batch, exactly or nearly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Ints
    from credenza.profiling.statistics.rows import Measures, Rows


def repeats(rows: Rows) -> Measures:
    """Pairs of rows that agree in every column, exactly or nearly.

    Nearly: numbers in coarse bins, texts of the same known words in any order, vectors in
    nearly one direction. The number of pairs grows with the square of a flood, and is set
    against the rows; labels and times are left out, so that a copy with another label is
    a copy. Blind to floods that vary more than that in some column.
    """
    reading, categories = rows.reading, sorted(rows.reference.categories)
    plain = sorted(rows.numbers.keys() - reading.numbers.keys())
    coarse = [rows.codes[name] for name in sorted([*plain, *categories])]
    coarse += [reading.near[name] for name in sorted(reading.near)]
    exact = [np.nan_to_num(rows.numbers[n], nan=-1.5) for n in plain]
    exact += [rows.codes[n].astype(np.float64) for n in categories]
    exact += [reading.exact[n].astype(np.float64) for n in sorted(reading.exact)]
    return {
        "repeat exact": _pairs(np.column_stack(exact)) if exact else (0.0, 1.0),
        "repeat near": _pairs(np.column_stack(coarse)) if coarse else (0.0, 1.0),
    }


def _pairs(keys: Ints | np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> tuple[float, float]:
    _, count = np.unique(keys, axis=0, return_counts=True)
    pairs = float(np.sum(count * (count - 1)) / 2)
    return float(2 * np.sqrt(pairs + 0.375)), 1.0

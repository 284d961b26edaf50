"""A batch decoded once, for all families of statistics."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote
from credenza.profiling.statistics.reference import (
    ReferenceSummary,
    fine_codes,
    level_codes,
    numbers_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.types import Bools, Floats, Ints
    from credenza.profiling.statistics.unstructured import Reading

Measures = dict[str, tuple[float, float]]
"""Value and sampling standard deviation by name; NaN where nothing can be said."""


@dataclass(frozen=True, slots=True)
class Rows:
    """``n`` rows of one batch.

    Attributes:
        numbers: ``(n,)`` float64 by column, missing as NaN.
        codes: ``(n,)`` fine code by column, as in ``fine_codes``.
        label: ``(n,)`` place among the classes; -1 missing, C unknown.
        expected: ``(n, C)`` label probabilities by the reference model, or None.
        reading: what texts, vectors and times say.
        subgroups: ``(n,)`` membership by name.
    """

    size: int
    reference: ReferenceSummary
    numbers: Mapping[str, Floats]
    codes: Mapping[str, Ints]
    label: Ints | None
    expected: Floats | None
    reading: Reading
    subgroups: Mapping[str, Bools]


def decode(table: pa.Table, reference: ReferenceSummary, expected: Floats | None) -> Rows:
    """The columns of the reference, as arrays."""
    reading = reference.read(table)
    numbers = numbers_of(table, reference, reading)
    codes = fine_codes(table, reference, numbers)
    label = None
    if reference.label:
        label = level_codes(table, reference.label, reference.classes)
    return Rows(
        table.num_rows,
        reference,
        numbers,
        codes,
        label,
        expected,
        reading,
        _subgroups(reference, numbers, codes, reading),
    )


def root_rate(count: float, size: int) -> tuple[float, float]:
    """A rate as its square root, whose sampling error does not depend on the rate.

    Source:
        Anscombe 1948: the square root of a Poisson count plus 3/8.
    """
    if size == 0:
        return float("nan"), float("nan")
    return float(np.sqrt((count + 0.375) / size)), float(0.5 / np.sqrt(size))


def _subgroups(
    reference: ReferenceSummary,
    numbers: Mapping[str, Floats],
    codes: Mapping[str, Ints],
    reading: Reading,
) -> dict[str, Bools]:
    found: dict[str, Bools] = {}
    for name, number in reference.numbers.items():
        cuts = (-np.inf, *number.bands, np.inf)
        for low, high in itertools.pairwise(cuts):
            inside = (numbers[name] > low) & (numbers[name] <= high)
            found[_band(name, low, high)] = np.asarray(inside, dtype=np.bool_)
    for name, category in reference.categories.items():
        for place, level in enumerate(category.levels[: category.frequent]):
            found[f"{name} = {quote(level)}"] = np.asarray(codes[name] == place, dtype=np.bool_)
    # A trigger in a text is a word that honest rows hardly have.
    found |= {f"{name} has a rare word": own for name, own in reading.rare.items()}
    return found


def _band(name: str, low: float, high: float) -> str:
    if np.isinf(low) and np.isinf(high):
        return name
    if np.isinf(low):
        return f"{name} <= {high:g}"
    if np.isinf(high):
        return f"{name} > {low:g}"
    return f"{low:g} < {name} <= {high:g}"

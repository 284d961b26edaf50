"""What trusted rows look like, in fixed size: the yardstick of every statistic."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.profiling.statistics.unstructured import read, summarise_text, summarise_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Floats, Ints
    from credenza.profiling.statistics.unstructured import Reading, TextSummary, VectorSummary

MOST_COLUMNS = 16
MOST_LEVELS = 4096
FREQUENT_LEVELS = 4
RARE_SHARE = 0.005
FINE_BINS = 16
PAIR_BITS = 2**15
UNKNOWN = MOST_LEVELS
"""Code of a value that is no level."""


@dataclass(frozen=True, slots=True)
class NumberSummary:
    """A number in the trusted rows.

    Attributes:
        centre: mean between the 1 % and 99 % quantiles.
        spread: standard deviation of the values cut there; 1 if they do not vary.
        low, high: those quantiles.
        tails: 5 % and 95 % quantiles.
        bands: cuts into three subgroups of about equal size.
        fine: cuts into at most 16 bins, or every value if there are few.
    """

    centre: float
    spread: float
    low: float
    high: float
    tails: tuple[float, float]
    bands: tuple[float, ...]
    fine: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """A category in the trusted rows: its levels, the most frequent first.

    Attributes:
        frequent: how many of them make subgroups.
        common: how many of them are not rare.
    """

    levels: tuple[str, ...]
    frequent: int
    common: int


@dataclass(frozen=True, slots=True)
class ReferenceSummary:
    """Trusted rows in fixed size; cuts never move, so that statistics stay comparable.

    Attributes:
        rows: trusted rows it was made from.
        classes: label values, in the order of the model's probabilities.
        numbers, categories: summary by column, sorted by name; numbers are also what is
            read from texts, vectors and times, such as ``words(note)``.
        pairs: for each pair of these, which value pairs occurred, as hashed bits.
        texts, vectors: what was learnt of them, by column.
        times: columns of times.
    """

    label: str
    rows: int
    classes: tuple[str, ...]
    numbers: Mapping[str, NumberSummary]
    categories: Mapping[str, CategorySummary]
    pairs: Mapping[tuple[str, str], bytes]
    texts: Mapping[str, TextSummary]
    vectors: Mapping[str, VectorSummary]
    times: tuple[str, ...]

    def read(self, table: pa.Table) -> Reading:
        """What the texts, vectors and times of rows say."""
        return read(table, self.texts, self.vectors, self.times)


def summarise(
    table: pa.Table, *, label: str, classes: tuple[str, ...], facets: Mapping[str, Role]
) -> ReferenceSummary:
    """Summarise trusted rows.

    Args:
        table: trusted rows, the more the better up to some 100,000.
        label: the label's column, or "".
        classes: label values in the order of the reference model.
        facets: role of each column; numbers, categories, texts, vectors and times are
            read, at most 16 of each.

    Raises:
        UsageError: there is no row.
    """
    if table.num_rows == 0:
        raise UsageError(
            "no-trusted-rows", "there are no trusted rows to summarise", fix="admit some first"
        )
    texts = {name: summarise_text(table.column(name)) for name in columns(facets, Role.TEXT, label)}
    vectors = {
        name: summarise_vectors(table.column(name))
        for name in columns(facets, Role.EMBEDDING, label)
    }
    times = columns(facets, Role.TIME, label)
    values = {
        **read(table, texts, vectors, times).numbers,
        **{name: number_column(table, name) for name in columns(facets, Role.NUMBER, label)},
    }
    summary = ReferenceSummary(
        label,
        table.num_rows,
        classes,
        {name: _summarise_number(values[name]) for name in sorted(values)},
        {name: _summarise_category(table, name) for name in columns(facets, Role.CATEGORY, label)},
        {},
        texts,
        vectors,
        times,
    )
    codes = fine_codes(table, summary, values)
    names = sorted(codes)
    pairs = {(a, b): _bits(pair_places(codes[a], codes[b])) for a in names for b in names if a < b}
    return replace(summary, pairs=pairs)


def columns(facets: Mapping[str, Role], role: Role, label: str) -> tuple[str, ...]:
    """Columns of a role, sorted, at most 16, never the label."""
    found = sorted(name for name, own in facets.items() if own is role and name != label)
    return tuple(found[:MOST_COLUMNS])


def number_column(table: pa.Table, name: str) -> Floats:
    """A column as float64; missing and infinite as NaN."""
    value = np.asarray(
        pc.cast(table[name], pa.float64(), safe=False).to_numpy(zero_copy_only=False),
        dtype=np.float64,
    )
    return np.where(np.isfinite(value), value, np.nan)


def level_codes(table: pa.Table, name: str, levels: tuple[str, ...]) -> Ints:
    """Place of each value among ``levels``; -1 missing, ``UNKNOWN`` if it is no level."""
    text = pc.cast(table[name], pa.string()).combine_chunks()
    found = pc.index_in(text, value_set=pa.array(levels, pa.string()))
    code = np.asarray(pc.fill_null(found, UNKNOWN).to_numpy(zero_copy_only=False), np.int64)
    return np.where(np.asarray(pc.is_null(text).to_numpy(zero_copy_only=False)), -1, code)


def numbers_of(table: pa.Table, summary: ReferenceSummary, reading: Reading) -> dict[str, Floats]:
    """Every number of the reference: columns, and what was read from other columns."""
    return {
        name: number_column(table, name) if name in table.column_names else reading.numbers[name]
        for name in summary.numbers
    }


def fine_codes(
    table: pa.Table, summary: ReferenceSummary, values: Mapping[str, Floats]
) -> dict[str, Ints]:
    """All numbers and categories as small integers: bins and levels."""
    codes: dict[str, Ints] = {}
    for name, number in summary.numbers.items():
        place = np.searchsorted(np.asarray(number.fine), values[name], side="right")
        codes[name] = np.where(np.isnan(values[name]), -1, place).astype(np.int64)
    for name, category in summary.categories.items():
        codes[name] = level_codes(table, name, category.levels)
    return codes


def pair_places(first: Ints, second: Ints) -> Ints:
    """Hashed place of each value pair, below ``PAIR_BITS``."""
    mixed = (first + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= (second + 1).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray((mixed >> np.uint64(32)) % np.uint64(PAIR_BITS), dtype=np.int64)


def _bits(places: Ints, known: bytes = b"") -> bytes:
    seen = np.zeros(PAIR_BITS, dtype=np.uint8)
    if known:
        seen = np.unpackbits(np.frombuffer(known, dtype=np.uint8))
    seen[places] = 1
    return np.packbits(seen).tobytes()


def _summarise_number(value: Floats) -> NumberSummary:
    known = value[np.isfinite(value)]
    if len(known) == 0:
        return NumberSummary(0.0, 1.0, 0.0, 0.0, (0.0, 0.0), (), ())
    low, five, ninety_five, high = (float(q) for q in np.quantile(known, (0.01, 0.05, 0.95, 0.99)))
    cut = np.clip(known, low, high)
    distinct = np.unique(known)
    if len(distinct) <= 4 * FINE_BINS:
        fine = distinct
    else:
        fine = np.unique(np.quantile(known, np.linspace(0, 1, FINE_BINS + 1)[1:-1]))
    bands = np.unique(np.quantile(known, (1 / 3, 2 / 3)))
    return NumberSummary(
        float(cut.mean()),
        float(cut.std()) or 1.0,
        low,
        high,
        (five, ninety_five),
        tuple(float(b) for b in bands),
        tuple(float(f) for f in fine),
    )


def _summarise_category(table: pa.Table, name: str) -> CategorySummary:
    counted = pc.value_counts(pc.cast(table[name], pa.string()))
    found = sorted(
        (-count, level)
        for level, count in zip(
            counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True
        )
        if level is not None
    )[:MOST_LEVELS]
    shares = [-count / max(1, table.num_rows) for count, _ in found]
    return CategorySummary(
        tuple(level for _, level in found),
        min(FREQUENT_LEVELS, len(found)),
        sum(share >= RARE_SHARE for share in shares),
    )

"""Discrete features that may be a trigger: values, value pairs, tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from credenza.core.text import quote, tick
from credenza.core.types import Role
from credenza.screening.features.style import styles_of
from credenza.screening.features.table import Coded, by_range, by_value, columns_of, sample
from credenza.screening.features.text import tokens

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.grams import Grams
    from credenza.screening.features.style import Style

DENSE_CODES = 2**18
PAIR_ROWS = 150_000
EVERYONE = 0.95


class Describing(Protocol):
    """Says what a code of a column means."""

    @property
    def column(self) -> str:
        """The column's name."""
        ...

    def describe(self, code: int) -> str:
        """A condition in words."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Features of one kind: entry ``i`` says that row ``rows[i]`` carries ``codes[i]``.

    Attributes:
        rows: ``(t,)`` row numbers, of 32 bits where a row carries many codes.
        codes: ``(t,)`` feature codes in ``0 … size - 1``.
        size: number of codes.
        parts: the columns (one or two) or tokens that codes are made of.
        raw: code of each part by feature code, ``(size, len(parts))``, or None for
            products: then ``code = first · parts[1].size + second``.
        n: number of rows in the view.
    """

    rows: npt.NDArray[np.integer]
    codes: npt.NDArray[np.integer]
    size: int
    parts: tuple[Part, ...]
    raw: Ints | None
    n: int

    def halves(self, codes: Ints) -> tuple[Ints, ...]:
        """The code of each part, for feature codes."""
        whole = codes if self.raw is None else self.raw[codes]
        if len(self.parts) == 1:
            return (whole,)
        second = self.parts[1].size
        return whole // second, whole % second

    def describe(self, code: int) -> str:
        """The feature in words."""
        halves = self.halves(np.array([code]))
        said = [p.describe(int(h[0])) for p, h in zip(self.parts, halves, strict=True)]
        return " and ".join(said)

    def carriers(self, code: int) -> Bools:
        """``(n,)`` mask of all rows that carry a feature, counted or not."""
        mask = np.zeros(self.n, dtype=bool)
        if self.parts[0].is_sparse:
            mask[self.rows[self.codes == code]] = True
            return mask
        mask[:] = True
        for part, half in zip(self.parts, self.halves(np.array([code])), strict=True):
            mask &= part.codes == half[0]
        return mask

    def slices(self, entries: int) -> Iterator[Candidates]:
        """The same features with ``entries`` entries at a time."""
        for start in range(0, len(self.rows), entries):
            kept = slice(start, start + entries)
            yield replace(self, rows=self.rows[kept], codes=self.codes[kept])

    def lean(self) -> Candidates:
        """The same features without the rows, where their parts know them."""
        if self.parts[0].is_sparse:
            return self
        nothing = np.empty(0, dtype=np.int64)
        return replace(self, rows=nothing, codes=nothing)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One column's frequent codes, renumbered from 0; ``codes`` is -1 for the others."""

    codes: npt.NDArray[np.int32]
    size: int
    original: Ints
    coded: Describing

    @property
    def column(self) -> str:
        """The column that the codes were read from."""
        return self.coded.column

    @property
    def is_sparse(self) -> bool:
        """Whether a row carries many codes at once, so that there is none per row."""
        return len(self.codes) == 0

    def describe(self, code: int) -> str:
        """The condition in words."""
        return self.coded.describe(int(self.original[code]))

    def trusted_share(self, own: Floats, trusted: Bools, base: float, prior: float) -> Floats:
        """``(size,)`` share of a label among trusted carriers, shrunk to ``base``."""
        rows = np.flatnonzero(trusted & (self.codes >= 0))
        here = self.codes[rows]
        labelled = np.bincount(here, weights=own[rows], minlength=self.size)
        carried = np.bincount(here, minlength=self.size)
        return np.asarray((labelled + prior * base) / (carried + prior))


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The tokens of a text column, described as values are."""

    column: str
    levels: Any

    def describe(self, code: int) -> str:
        """The condition in words."""
        return f"{tick(self.column)} contains {quote(self.levels[code].as_py())}"


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """The words and word pairs of a text column, described as values are."""

    grams: Grams

    @property
    def column(self) -> str:
        """The text column."""
        return self.grams.column

    def describe(self, code: int) -> str:
        """The condition in words."""
        return f"{tick(self.column)} contains {quote(' '.join(self.grams.words(code)))}"


def enumerate_candidates(view: View, tested: Bools, min_carriers: int) -> Iterator[Candidates]:
    """Every value, every pair of values from two columns, manner of writing, and token.

    Args:
        view: the rows.
        tested: ``(n,)`` rows under test; only what enough of them carry is proposed.
        min_carriers: fewest such rows.
    """
    yield from value_candidates(view, tested, min_carriers)
    yield from style_candidates(view, tested, min_carriers)
    for column in columns_of(view, Role.TEXT):
        yield _words(view, column, tested, min_carriers)


def value_candidates(view: View, tested: Bools, min_carriers: int) -> Iterator[Candidates]:
    """Every value, range, and pair of them from two columns.

    Above 150,000 rows pairs are counted on that many, drawn by content.

    Args:
        view: the rows.
        tested: ``(n,)`` rows under test; only what enough of them carry is proposed.
        min_carriers: fewest such rows.
    """
    n = view.table.num_rows
    parts = _parts(view, tested, min_carriers)
    yield from map(_single, parts)
    counted = sample(view, np.arange(n, dtype=np.int64), PAIR_ROWS)
    for i, first in enumerate(parts):
        for second in parts[i + 1 :]:
            if first.coded.column != second.coded.column and not _both_ranges(first, second):
                yield _pair(first, second, counted, n)


def style_candidates(view: View, tested: Bools, min_carriers: int) -> Iterator[Candidates]:
    """Every manner in which a text is written that enough rows under test show."""
    for column in columns_of(view, Role.TEXT):
        for style in styles_of(view, column):
            part = _frequent(style, tested, min_carriers, first=1)
            if part.size > 0:
                yield _single(part)


def gram_candidates(grams: Grams, tested: Bools, min_carriers: int) -> Candidates:
    """Every word and word pair of a text column that enough rows under test carry."""
    matrix = grams.matrix
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr))
    return _sparse(
        Phrases(grams),
        rows,
        matrix.indices,
        size=matrix.shape[1],
        tested=tested,
        min_carriers=min_carriers,
    )


def _sparse(
    said: Describing,
    rows: npt.NDArray[np.integer],
    codes: npt.NDArray[np.integer],
    *,
    size: int,
    tested: Bools,
    min_carriers: int,
) -> Candidates:
    """Features of which a row carries many; each (row, code) stands once."""
    counts = np.bincount(codes[tested[rows]], minlength=size)
    original = np.flatnonzero(counts >= min_carriers)
    place = np.full(size, -1, dtype=np.int32)
    place[original] = np.arange(len(original))
    kept = place[codes] >= 0
    part = Part(np.empty(0, np.int32), len(original), original, said)
    return Candidates(rows[kept], place[codes[kept]], len(original), (part,), None, len(tested))


def _both_ranges(first: Part, second: Part) -> bool:
    return all(isinstance(p.coded, Coded) and p.coded.edges is not None for p in (first, second))


def _parts(view: View, tested: Bools, min_carriers: int) -> list[Part]:
    found = []
    for column in columns_of(view, Role.CATEGORY, Role.NUMBER):
        exact = by_value(view, column)
        found.append(_frequent(exact, tested, min_carriers))
        if exact.is_number and exact.size > 33:
            found.append(_frequent(by_range(view, column), tested, min_carriers))
    return [part for part in found if part.size > 0]


def _single(part: Part) -> Candidates:
    rows = np.flatnonzero(part.codes >= 0)
    return Candidates(rows, part.codes[rows], part.size, (part,), None, len(part.codes))


def _frequent(coded: Coded | Style, tested: Bools, min_carriers: int, *, first: int = 0) -> Part:
    """The codes from ``first`` on that enough rows under test carry, and not nearly all."""
    counts = np.bincount(coded.codes[tested], minlength=coded.size)
    # What nearly every row carries tells no rows apart.
    original = np.flatnonzero((counts >= min_carriers) & (counts <= EVERYONE * tested.sum()))
    original = original[original >= first]
    place = np.full(coded.size, -1, dtype=np.int32)
    place[original] = np.arange(len(original))
    # A description needs no rows.
    said = replace(coded, codes=np.empty(0, np.int64))
    return Part(place[coded.codes], len(original), original, said)


def _pair(first: Part, second: Part, counted: Ints, n: int) -> Candidates:
    one, two = first.codes[counted], second.codes[counted]
    both = (one >= 0) & (two >= 0)
    joint = one[both].astype(np.int64) * second.size + two[both]
    size = first.size * second.size
    if size <= DENSE_CODES:
        return Candidates(counted[both], joint, size, (first, second), None, n)
    raw, dense = np.unique(joint, return_inverse=True)
    dense = dense.astype(np.int64)
    return Candidates(counted[both], dense, len(raw), (first, second), raw, n)


def _words(view: View, column: str, tested: Bools, min_carriers: int) -> Candidates:
    found = tokens(view, column)
    levels = max(len(found.levels), 1)
    once = np.unique(found.rows.astype(np.int64) * levels + found.codes)
    rows, codes = np.divmod(once, levels)
    said = Words(column, found.levels)
    return _sparse(said, rows, codes, size=levels, tested=tested, min_carriers=min_carriers)

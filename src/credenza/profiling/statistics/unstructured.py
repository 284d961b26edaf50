"""Texts, vectors and times: what is learnt of them, and the numbers and keys read from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.profiling.arrays import matrix_of
from credenza.profiling.sketches import mixed
from credenza.profiling.words import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Bools, Floats, Ints
    from credenza.profiling.words import Words

MOST_WORDS = 50_000
RARE_WORD_SHARE = 0.001
MOST_DIRECTIONS = 4
PLANES = 48
"""Two vectors an angle of a twentieth apart share all signs every second time, two strangers
once in 10**8 pairs."""
MICROS_IN_HOUR = 3_600_000_000
MICROS_IN_DAY = 24 * MICROS_IN_HOUR
NO_MOMENT = np.iinfo(np.int64).min
EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday; Monday is 0."""


@dataclass(frozen=True, slots=True, eq=False)
class TextSummary:
    """The words of a text column in the trusted rows, those in most rows first.

    Attributes:
        words: those in at least two rows, at most 50,000; Arrow strings.
        common: how many of them are in at least one of a thousand rows.
    """

    words: pa.Array
    common: int


@dataclass(frozen=True, slots=True, eq=False)
class VectorSummary:
    """Where the trusted rows' vectors lie.

    Attributes:
        centre: ``(d,)`` mean.
        directions: ``(d, k)`` in which they vary most, of length 1, at most 4.
    """

    centre: Floats
    directions: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a batch's texts, vectors and times say, row by row.

    Attributes:
        numbers: ``(n,)`` by what was read, such as ``words(note)``; NaN where missing.
        words: by text column, how many words the trusted rows never have, how many they
            have but hardly, and how many there are.
        rare: ``(n,)`` by text column, whether the row has a word that is not common.
        exact: ``(n,)`` key of each content, by column; equal keys, equal contents.
        near: ``(n,)`` the same of nearly equal contents: the same known words in any
            order, or vectors in nearly one direction.
        moments: ``(n,)`` microseconds since 1970 by column, ``NO_MOMENT`` where missing.
    """

    numbers: Mapping[str, Floats]
    words: Mapping[str, tuple[int, int, int]]
    rare: Mapping[str, Bools]
    exact: Mapping[str, Ints]
    near: Mapping[str, Ints]
    moments: Mapping[str, Ints]


def summarise_text(column: pa.ChunkedArray) -> TextSummary:
    """The words of a text column's trusted rows."""
    words = words_of(column)
    rows = _rows_with(words)
    order = np.lexsort((np.arange(len(rows)), -rows))
    order = order[rows[order] >= 2][:MOST_WORDS]
    common = int(np.sum(rows[order] >= RARE_WORD_SHARE * max(1, words.n)))
    return TextSummary(words.levels.take(pa.array(order)), common)


def summarise_vectors(column: pa.ChunkedArray) -> VectorSummary:
    """Centre and main directions of a column of vectors of one length."""
    vectors = matrix_of(column)
    known = vectors[np.isfinite(vectors).all(axis=1)]
    width = vectors.shape[1]
    centre = known.mean(axis=0) if len(known) else np.zeros(width)
    many = min(MOST_DIRECTIONS, width)
    if len(known) < 2:
        return VectorSummary(centre, np.eye(width)[:, :many])
    _, directions = np.linalg.eigh(np.atleast_2d(np.cov(known.T)))
    directions = directions[:, ::-1][:, :many]
    # An eigenvector's sign is arbitrary; the largest entry is made positive.
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(many)]
    return VectorSummary(centre, directions * np.where(largest < 0, -1.0, 1.0))


def read(
    table: pa.Table,
    texts: Mapping[str, TextSummary],
    vectors: Mapping[str, VectorSummary],
    times: tuple[str, ...],
) -> Reading:
    """What the texts, vectors and times of a batch say.

    Args:
        table: rows with these columns.
        texts: what the trusted rows taught, by column.
        vectors: as ``texts``.
        times: columns of times.
    """
    found = Reading({}, {}, {}, {}, {}, {})
    parts = [
        *(_of_text(name, table.column(name), own) for name, own in texts.items()),
        *(_of_vectors(name, table.column(name), own) for name, own in vectors.items()),
        *(_of_times(name, table.column(name)) for name in times),
    ]
    for part in parts:
        found = Reading(*(getattr(found, f) | getattr(part, f) for f in Reading.__slots__))
    return found


def _of_text(name: str, column: pa.ChunkedArray, own: TextSummary) -> Reading:
    words = words_of(column)
    known = pc.index_in(words.levels, value_set=own.words)
    place = np.asarray(pc.fill_null(known, len(own.words)))[words.codes]
    is_new, is_rare = place == len(own.words), place >= own.common
    rare = np.zeros(words.n, dtype=bool)
    rare[words.rows[is_rare]] = True
    alone = -1 - np.arange(words.n)
    text = pc.dictionary_encode(pa.chunked_array(column).cast(pa.large_string()).combine_chunks())
    exact = np.asarray(pc.fill_null(text.indices, -1), dtype=np.int64)
    return Reading(
        {f"words({name})": np.bincount(words.rows, minlength=words.n).astype(np.float64)},
        {name: (int(is_new.sum()), int((is_rare & ~is_new).sum()), len(place))},
        {name: rare},
        {name: np.where(exact < 0, alone, exact)},
        {name: _bags(words, place, len(own.words))},
        {},
    )


def _bags(words: Words, place: Ints, unknown: int) -> Ints:
    """Key of each row's set of known words; a row without any keeps to itself."""
    alone = -1 - np.arange(words.n)
    is_known = place < unknown
    pairs = np.sort(words.rows[is_known].astype(np.int64) * unknown + place[is_known])
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # a word that is repeated counts once
    if not pairs.size:
        return alone
    row, word = np.divmod(pairs, unknown)
    starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
    sums = np.add.reduceat(mixed(word.astype(np.uint64)), starts)
    alone[row[starts]] = (sums >> np.uint64(1)).view(np.int64)
    return alone


def _of_vectors(name: str, column: pa.ChunkedArray, own: VectorSummary) -> Reading:
    vectors = matrix_of(column) - own.centre
    known = np.isfinite(vectors).all(axis=1)
    scores = vectors @ own.directions
    left = np.linalg.norm(vectors - scores @ own.directions.T, axis=1)
    numbers = {f"direction {k + 1}({name})": score for k, score in enumerate(scores.T)}
    planes = np.random.default_rng(0).normal(size=(vectors.shape[1], PLANES))
    signs = (np.nan_to_num(vectors) @ planes > 0) @ (1 << np.arange(PLANES, dtype=np.int64))
    alone = -1 - np.arange(len(vectors))
    # Equal vectors have equal bits, and -0 is 0; a sum of odd multiples hardly ever agrees else.
    bits = (np.nan_to_num(vectors) + 0.0).view(np.uint64)
    odd = mixed(np.arange(1, vectors.shape[1] + 1, dtype=np.uint64)) | np.uint64(1)
    exact = (mixed((bits * odd).sum(axis=1)) >> np.uint64(1)).view(np.int64)
    return Reading(
        numbers | {f"distance({name})": left},
        {},
        {},
        {name: np.where(known, exact, alone)},
        {name: np.where(known, signs, alone)},
        {},
    )


def _of_times(name: str, column: pa.ChunkedArray) -> Reading:
    kind = column.type
    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        # No date: times since midnight, or spans, which both are whole microseconds.
        unit = pa.time64("us") if pa.types.is_time(kind) else pa.duration("us")
        micros = column.cast(unit, safe=False).cast(pa.int64())
    else:
        micros = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
    moment = np.asarray(pc.fill_null(micros, 0), dtype=np.int64)
    known = np.asarray(micros.is_valid())
    hour = np.where(known, moment % MICROS_IN_DAY / MICROS_IN_HOUR, np.nan)
    numbers = {f"hour({name})": hour}
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        day = (moment // MICROS_IN_DAY + EPOCH_WEEKDAY) % 7
        numbers[f"weekday({name})"] = np.where(known, day.astype(np.float64), np.nan)
    return Reading(numbers, {}, {}, {}, {}, {name: np.where(known, moment, NO_MOMENT)})


def _rows_with(words: Words) -> Ints:
    """``(levels,)`` how many rows have each word."""
    pairs = np.unique(words.rows.astype(np.int64) * len(words.levels) + words.codes)
    return np.bincount(pairs % max(1, len(words.levels)), minlength=len(words.levels))

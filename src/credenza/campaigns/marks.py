"""What rows may have in common: values, value pairs, phrases, copies, directions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.campaigns.columns import Column, by_value, flat
from credenza.core.canonical import sha256_hex
from credenza.core.text import quote, tick
from credenza.core.types import Role
from credenza.profiling.sketches import mixed
from credenza.profiling.words import words_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from credenza.core.types import Bools, Ints

PHRASE_WORDS = 3
MAX_COLUMNS = 24
SHOWN_COLUMNS = 3
DIRECTIONS = 8
DIRECTION_BITS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """Marks of one kind: entry ``i`` says that row ``rows[i]`` bears ``codes[i]``.

    A code means the same in every row of the table, and a row bears it once.

    Attributes:
        kind: "value", "value pair", "phrase", "copy" or "direction".
        columns: what it is read from.
        rows: ``(t,)`` row numbers.
        codes: ``(t,)`` int64.
        phrases: where its words stand, or None.
        pair: the two columns of a value pair, or None:
            ``code = first · second.size + second``.
    """

    kind: str
    columns: tuple[str, ...]
    rows: Ints
    codes: Ints
    phrases: Phrases | None = None
    pair: tuple[Column, Column] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """Where phrases stand: ``words[start[i] : start[i] + length]`` is entry ``i``."""

    words: Ints
    levels: Any
    start: Ints
    length: int


def marks_of(
    table: pa.Table, *, facets: Mapping[str, Role], label: str, familiar_from: int, least: int = 1
) -> Iterator[Marks]:
    """Every kind of mark that the columns of ``table`` can bear.

    Numbers count by exact value. The label is no part of a mark: values whose rows changed
    their labels are the business of the label statistics. Phrases are of one to three
    words, so that near copies of a text share most of them. Copies may differ in any one
    column. Directions are signs of fixed random projections of embeddings (Charikar 2002): vectors
    within some 15 degrees mostly agree in one of them.

    Blind to what is alike in none of these ways: numbers shifted by a little, paraphrases
    without an embedding, three common values that are rare together, images.

    Args:
        table: rows.
        facets: role of each column; at most 24 columns are read.
        label: the label's column, or "".
        familiar_from: first row that is not under test; directions are taken from their mean.
        least: rows under test that a mark must have; values, pairs and copies made of a value
            that fewer have are left out, which no pair or copy can outnumber.

    Complexity:
        O(c² n) for c number and category columns, O(n) per text and embedding.
    """
    roles = (Role.CATEGORY, Role.NUMBER)
    names = [c for c in table.column_names if facets.get(c) in roles and c != label][:MAX_COLUMNS]
    exact = [by_value(table, name) for name in names]
    borne = [_borne(column, familiar_from, least) for column in exact]
    for one in zip(exact, borne, strict=True):
        yield _values([one])
    for first, second in combinations(zip(exact, borne, strict=True), 2):
        yield replace(_values([first, second]), pair=(first[0], second[0]))
    if len(exact) > PHRASE_WORDS:
        yield from _copies(exact, borne)
    for name in table.column_names:
        if facets.get(name) is Role.TEXT:
            yield from _phrases(table, name)
        elif facets.get(name) is Role.EMBEDDING:
            yield from _directions(table, name, familiar_from)


def chosen(marks: Marks, entries: Ints) -> Marks:
    """The marks with some of their entries only, numbered from 0."""
    phrases = marks.phrases
    if phrases is not None:
        phrases = replace(phrases, start=phrases.start[entries])
    return replace(marks, rows=marks.rows[entries], codes=marks.codes[entries], phrases=phrases)


def describe(marks: Marks, table: pa.Table, entry: int) -> str:
    """The mark of an entry in words, its values quoted: the same words in every window."""
    row = int(marks.rows[entry])
    if marks.phrases is not None:
        at = marks.phrases
        start = int(at.start[entry])
        words = [at.levels[int(w)].as_py() for w in at.words[start : start + at.length]]
        return f"{tick(marks.columns[0])} contains {quote(' '.join(words))}"
    if marks.kind == "direction":
        where = f"{int(marks.codes[entry]):0{DIRECTION_BITS // 4}x}"
        return f"{tick(marks.columns[0])} points in the direction {where}"
    values = [table.column(name)[row].as_py() for name in marks.columns]
    said = [
        f"{tick(name)} = {quote(value)}" for name, value in zip(marks.columns, values, strict=True)
    ]
    if marks.kind == "copy":
        whole = sha256_hex(repr(values).encode("utf-8", "backslashreplace"))[:8]
        return f"copies {whole} ({', '.join(said[:SHOWN_COLUMNS])}, …)"
    return " and ".join(said)


def _borne(column: Column, before: int, least: int) -> Bools:
    """``(n,)`` rows whose value, null too, ``least`` of the first ``before`` rows have."""
    value = column.codes + 1
    return np.asarray(np.bincount(value[:before], minlength=column.size + 1)[value] >= least)


def _values(parts: Sequence[tuple[Column, Bools]]) -> Marks:
    known = np.all([borne & (part.codes >= 0) for part, borne in parts], axis=0)
    joint = np.zeros(int(known.sum()), dtype=np.int64)
    for part, _ in parts:
        joint = joint * part.size + part.codes[known]
    return Marks(
        "value" if len(parts) == 1 else "value pair",
        tuple(part.name for part, _ in parts),
        np.flatnonzero(known),
        joint,
    )


def _copies(parts: Sequence[Column], borne: Sequence[Bools]) -> Iterator[Marks]:
    """Whole rows, and rows without any one of their columns."""
    names = tuple(part.name for part in parts)
    own = [_mixed(part.codes, seed) for seed, part in enumerate(parts)]
    whole: Ints = np.add.reduce(own, axis=0)
    lone: Ints = np.add.reduce([~one for one in borne], axis=0, dtype=np.int64)
    rows = np.flatnonzero(lone == 0)
    yield Marks("copy", names, rows, whole[rows])
    for left_out, part, one in zip(names, own, borne, strict=True):
        rest = tuple(name for name in names if name != left_out)
        rows = np.flatnonzero(lone == ~one)
        yield Marks("copy", rest, rows, (whole - part)[rows])


def _phrases(table: pa.Table, name: str) -> Iterator[Marks]:
    """One, two and three successive words, lower-cased, punctuation apart."""
    found = words_of(table.column(name))
    rows, words = found.rows.astype(np.int64), found.codes.astype(np.int64)
    phrase = words
    for length in range(1, PHRASE_WORDS + 1):
        if length > 1:
            phrase = _mixed(phrase[:-1], length) + words[length - 1 :]
        whole = np.flatnonzero(rows[: len(phrase)] == rows[length - 1 :])
        # A row that repeats a phrase bears it once.
        _, first = np.unique(_mixed(phrase, rows[: len(phrase)])[whole], return_index=True)
        start = whole[np.sort(first)]
        yield Marks(
            "phrase",
            (name,),
            rows[start],
            phrase[start],
            Phrases(words, found.levels, start, length),
        )


def _directions(table: pa.Table, name: str, familiar_from: int) -> Iterator[Marks]:
    column = flat(table.column(name))
    width = column.type.list_size if pa.types.is_fixed_size_list(column.type) else 0
    if not width:
        return
    filled = np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float64)
    known = np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    vectors = np.nan_to_num(filled.reshape(-1, width))
    rows = np.flatnonzero(known)
    usual = vectors[familiar_from:] if familiar_from < len(vectors) else vectors
    vectors = vectors - usual.mean(axis=0)
    planes = np.random.default_rng(0).normal(size=(width, DIRECTIONS * DIRECTION_BITS))
    signs = (vectors @ planes > 0).reshape(len(vectors), DIRECTIONS, DIRECTION_BITS)
    codes = signs @ (1 << np.arange(DIRECTION_BITS, dtype=np.int64))
    for turn in range(DIRECTIONS):
        yield Marks("direction", (name,), rows, codes[:, turn])


def _mixed(codes: Ints, seed: Ints | int) -> Ints:
    """Codes spread over 64 bits; the seed tells places apart."""
    told_apart = codes.astype(np.uint64) + np.uint64(0xC2B2AE3D27D4EB4F) * np.asarray(
        seed, dtype=np.uint64
    )
    return mixed(told_apart).view(np.int64)

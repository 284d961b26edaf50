"""Texts as token codes and hashed n-grams, counted in Arrow and NumPy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.profiling.words import Words, words_of
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from credenza.core.types import Ints, View

HASHED_DIMENSIONS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Tokens(Words):
    """The words of a text column.

    Attributes:
        column: the column's name.
    """

    column: str


def tokens(view: View, column: str) -> Tokens:
    """The words of one column of a view, and what ``words_of`` is blind to."""
    found = words_of(view.table.column(column))
    return Tokens(found.rows, found.codes, found.levels, found.n, column)


def token_hashes(found: Tokens) -> Ints:
    """``(levels,)`` 64-bit hash of each distinct token, by its characters alone.

    Codes depend on the order of the rows; hashes do not.
    """
    words = found.levels.to_pylist()
    raw = np.array([zlib.crc32(w.encode("utf-8", "replace")) for w in words], dtype=np.int64)
    return mix(raw, 11)


def hashed_bag(found: Tokens, *, dimensions: int = HASHED_DIMENSIONS) -> Any:  # noqa: ANN401 - scipy is untyped
    """Sparse ``(n, dimensions)`` bag of hashed tokens, rows of unit length."""
    from scipy import sparse  # noqa: PLC0415 - heavy

    bucket = (token_hashes(found) % dimensions)[found.codes] if len(found.codes) else found.codes
    bag = sparse.csr_array(
        (np.ones(len(bucket), np.float32), (found.rows, bucket)), shape=(found.n, dimensions)
    )
    length = np.sqrt(np.asarray(bag.multiply(bag).sum(axis=1)).ravel())
    scale = sparse.diags_array(1.0 / np.maximum(length, 1e-9))
    return (scale @ bag).astype(np.float32).tocsr()


def minhash(found: Tokens, *, permutations: int = 16, width: int = 2) -> Ints:
    """``(n, permutations)`` MinHash of the rows' ``width``-grams of tokens.

    Two rows agree in one place with probability equal to the Jaccard similarity of
    their sets (Broder 1997). Rows with fewer tokens than ``width`` get their token
    hashes instead, and empty rows a value of their own.
    """
    signature = np.full((found.n, permutations), np.iinfo(np.int64).max, dtype=np.int64)
    if len(found.codes) == 0:
        return signature
    grams = token_hashes(found)[found.codes]
    rows = found.rows
    long_enough = np.bincount(rows, minlength=found.n)[rows] >= width
    shingle = grams.copy()
    with np.errstate(over="ignore"):
        for step in range(1, width):
            shingle[:-step] = shingle[:-step] * 31 + grams[step:]
    whole = np.ones(len(rows), dtype=bool)
    whole[-(width - 1) :] = False
    whole[: -(width - 1)] = rows[: -(width - 1)] == rows[width - 1 :]
    kept = whole | ~long_enough
    value = np.where(whole, shingle, grams)[kept]
    rows = rows[kept]
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    for place in range(permutations):
        signature[rows[starts], place] = np.minimum.reduceat(mix(value, 100 + place), starts)
    return signature

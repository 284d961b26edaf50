"""Texts as token codes and hashed n-grams, counted in Arrow and NumPy."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.screening.features.table import mix

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Ints, View

HASHED_DIMENSIONS = 256
MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """The tokens of a text column: token ``codes[i]`` stands in row ``rows[i]``.

    Kept in 32 bits, for there are a dozen a row: widen them before multiplying.

    Attributes:
        column: the column's name.
        rows: ``(t,)`` non-decreasing row numbers.
        codes: ``(t,)`` token codes.
        levels: Arrow array of the tokens by code.
        n: number of rows.
    """

    column: str
    rows: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    levels: Any
    n: int


def tokens(view: View, column: str) -> Tokens:
    """Lower-cased, split at white space, punctuation set apart.

    Blind to scripts written without spaces, to look-alike characters, and to
    whatever stands after the first 20,000 characters of a text.
    """
    whole = pa.chunked_array(view.table.column(column)).cast(pa.large_string()).combine_chunks()
    text = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
    text = pc.utf8_slice_codeunits(pc.fill_null(text, ""), 0, MAX_CHARACTERS)
    spaced = pc.replace_substring_regex(pc.utf8_lower(text), r"([.,;:!?()\"\[\]])", r" \1 ")
    lists = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(spaced))
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    rows = np.asarray(parents, dtype=np.int32)
    encoded = pc.dictionary_encode(pc.list_flatten(lists))
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int32)
    is_word = np.asarray(
        pc.not_equal(encoded.dictionary, "").to_numpy(zero_copy_only=False), dtype=bool
    )
    kept = is_word[codes] if len(codes) else np.zeros(0, dtype=bool)
    return Tokens(column, rows[kept], codes[kept], encoded.dictionary, len(text))


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

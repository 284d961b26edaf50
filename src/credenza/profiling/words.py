"""Texts as words: lower-cased, split at white space, punctuation set apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    import numpy.typing as npt

MAX_CHARACTERS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """The words of ``n`` texts: word ``codes[i]`` stands in text ``rows[i]``.

    Kept in 32 bits, for there are a dozen a row: widen them before multiplying.

    Attributes:
        rows: ``(t,)`` non-decreasing row numbers.
        codes: ``(t,)`` places among ``levels``.
        levels: Arrow array of the distinct words.
        n: number of texts.
    """

    rows: npt.NDArray[np.int32]
    codes: npt.NDArray[np.int32]
    levels: Any
    n: int


def words_of(column: pa.ChunkedArray | pa.Array) -> Words:
    """The words of a text column, missing texts as empty ones.

    Blind to scripts written without spaces, to look-alike characters, and to
    whatever stands after the first 20,000 characters of a text.
    """
    whole = pa.chunked_array(column).cast(pa.large_string()).combine_chunks()
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
    return Words(rows[kept], codes[kept], encoded.dictionary, len(text))

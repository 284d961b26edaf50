"""Free text as hashed n-grams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer

from credenza.training.encoding import strings_of

if TYPE_CHECKING:
    import pyarrow as pa

BUCKETS = 2**17
MAX_CHARACTERS = 4_096


@dataclass(frozen=True, slots=True)
class Grams:
    """The word unigrams and bigrams of one or more text columns.

    Blind to word order beyond two words and to anything after the first
    ``MAX_CHARACTERS`` of a value.
    """

    names: tuple[str, ...]

    def __call__(self, table: pa.Table) -> Any:  # noqa: ANN401 - a scipy matrix
        """``(n, d)`` sparse, rows of each column of length 1."""
        hashing = HashingVectorizer(
            n_features=BUCKETS, ngram_range=(1, 2), alternate_sign=False, norm="l2"
        )
        blocks = []
        for name in self.names:
            known = pc.fill_null(strings_of(table, name), "")
            cut = pc.utf8_slice_codeunits(known, 0, MAX_CHARACTERS)
            blocks.append(hashing.transform(cut.to_pylist()))
        return sparse.hstack(blocks, format="csr")

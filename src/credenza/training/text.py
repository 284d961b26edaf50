"""Label scores from free text: hashed n-grams under a linear model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from credenza.core.types import Role
from credenza.training.encoding import strings_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.types import Floats, Ints

BUCKETS = 2**17
MAX_CHARACTERS = 4_096
EPOCHS = 8
HELD_OUT_PARTS = 3


@dataclass(frozen=True, slots=True)
class TextHead:
    """A linear model over the word unigrams and bigrams of one or more text columns.

    Blind to word order beyond two words and to anything after the first
    ``MAX_CHARACTERS`` of a value.
    """

    names: tuple[str, ...]
    linear: Any

    def score(self, table: pa.Table) -> Floats:
        """``(n, s)`` decision values; s is 1 for two classes, else the class count."""
        return _decide(self.linear, _grams(table, self.names))


def text_columns(facets: Mapping[str, Role], label: str) -> tuple[str, ...]:
    """Names of the text columns, sorted."""
    return tuple(
        sorted(name for name, role in facets.items() if role is Role.TEXT and name != label)
    )


def fit_text(
    table: pa.Table, names: tuple[str, ...], target: Ints, seed: int
) -> tuple[TextHead, Floats]:
    """The head fitted on all rows, and scores of those rows from heads that saw others.

    The second is what a later model must be fitted on: scores of the rows that the
    head was fitted on are far too sure.

    Args:
        table: ``n`` fitting rows.
        names: the text columns, at least one.
        target: ``(n,)`` class indices, at least two of them distinct.
        seed: of the shuffles.
    """
    grams = _grams(table, names)
    part = np.random.default_rng(seed).permutation(len(target)) % HELD_OUT_PARTS
    head = _linear(grams, target, seed)
    width = _decide(head, grams[:1]).shape[1]
    held_out = np.zeros((len(target), width))
    for held in range(HELD_OUT_PARTS):
        rest = part != held
        if np.array_equal(np.unique(target[rest]), np.unique(target)):
            held_out[~rest] = _decide(_linear(grams[rest], target[rest], seed), grams[~rest])
    return TextHead(names, head), held_out


def _grams(table: pa.Table, names: tuple[str, ...]) -> Any:  # noqa: ANN401 - a scipy matrix
    hashing = HashingVectorizer(
        n_features=BUCKETS, ngram_range=(1, 2), alternate_sign=False, norm="l2"
    )
    blocks = []
    for name in names:
        cut = pc.utf8_slice_codeunits(pc.fill_null(strings_of(table, name), ""), 0, MAX_CHARACTERS)
        blocks.append(hashing.transform(cut.to_pylist()))
    return sparse.hstack(blocks, format="csr")


def _linear(grams: Any, target: Ints, seed: int) -> Any:  # noqa: ANN401 - untyped library
    return SGDClassifier(
        loss="log_loss", alpha=1e-5, max_iter=EPOCHS, tol=None, random_state=seed, average=True
    ).fit(grams, target)


def _decide(linear: Any, grams: Any) -> Floats:  # noqa: ANN401 - untyped library
    scores = np.asarray(linear.decision_function(grams), dtype=np.float64)
    return scores[:, None] if scores.ndim == 1 else scores

"""Labels foretold from embeddings, every row out of its own fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from credenza.core.types import Role
from credenza.screening.features.embedding import principal, vector_codes, vectors_of
from credenza.screening.features.neighbours import nearest
from credenza.screening.features.table import columns_of, source_codes

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View

FOLDS = 5
PENALTY = 0.01
NEIGHBOURS = 24
DIMENSIONS = 64


def out_of_fold_by_vectors(view: View, codes: Ints, classes: int) -> Floats:
    """``(n, classes)`` probabilities by ridge regression, and by votes of the nearest rows.

    A plane between labels is learnt from all rows and is blunt where labels are made of
    several clusters, which neighbours see; these are at a loss where what tells labels
    apart is small, which the plane sees. Both are heard, as the mean of their logarithms.
    Folds are whole sources where there are three, and dealt by content otherwise, so that
    copies share one. Blind to what is in every fold: a trigger on many rows is learnt.

    Args:
        view: rows with at least one embedding column.
        codes: ``(n,)`` label codes, -1 where missing.
        classes: number of classes.

    Complexity:
        O(n d²) once; folds are taken out of the sums. One neighbour graph.

    Source:
        Logarithmic pooling, Genest and Zidek 1986.
    """
    order, vectors = _in_order(view, codes)
    found = np.empty((len(codes), classes))
    found[order] = np.sqrt(_by_plane(vectors, classes) * _by_votes(vectors, classes))
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)


def voted(view: View, codes: Ints, classes: int) -> Floats:
    """``(n, classes)`` probabilities by the nearest rows alone.

    A trigger that moves vectors one way is a plane, and soon learnt as one; the nearest rows
    of its carriers are other carriers, and rows of the labels that these had.
    """
    order, vectors = _in_order(view, codes)
    found = np.empty((len(codes), classes))
    found[order] = _by_votes(vectors, classes)
    return found


class _Vectors(NamedTuple):
    """``(n, d)`` vectors, with ``(n,)`` label codes and folds."""

    points: Floats
    codes: Ints
    fold: Ints


def _in_order(view: View, codes: Ints) -> tuple[Ints, _Vectors]:
    """Rows in an order that does not depend on their own, for ties and for rounding."""
    columns = [vectors_of(view, column) for column in columns_of(view, Role.EMBEDDING)]
    source, names = source_codes(view)
    identity = np.sum([vector_codes(vectors) for vectors in columns], axis=0)
    fold = (source if len(names) >= 3 else identity) % FOLDS
    order = np.lexsort((codes, source, identity))
    return order, _Vectors(np.hstack(columns)[order], codes[order], fold[order])


def _by_plane(vectors: _Vectors, classes: int) -> Floats:
    """Ridge regression on standardised vectors."""
    points, codes, fold = vectors
    points = (points - points.mean(axis=0)) / np.maximum(points.std(axis=0), 1e-6)
    design = np.hstack([np.ones((len(points), 1), np.float32), points])
    known = codes >= 0
    target = (codes[:, None] == np.arange(classes)[None, :]).astype(np.float32)
    parts = [np.flatnonzero(known & (fold == part)) for part in range(FOLDS)]
    grams = [np.asarray(design[rows].T @ design[rows], dtype=np.float64) for rows in parts]
    answers = [np.asarray(design[rows].T @ target[rows], dtype=np.float64) for rows in parts]
    found = np.full((len(codes), classes), 1.0 / classes)
    for part in range(FOLDS):
        gram, answer = sum(grams) - grams[part], sum(answers) - answers[part]
        if gram[0, 0] > 0:
            # The penalty is a share of the rows, as the whitened columns' squares are.
            gram = gram + PENALTY * gram[0, 0] * np.eye(len(gram))
            here = fold == part
            found[here] = design[here] @ np.linalg.solve(gram, answer)
    found = np.clip(found, 0.01, 0.99)
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float64)


def _by_votes(vectors: _Vectors, classes: int) -> Floats:
    """Labels of the nearest rows in other folds, and one vote that is shared by all labels."""
    points, codes, fold = vectors
    near = nearest(principal(points, DIMENSIONS), NEIGHBOURS).index
    voter = (fold[near] != fold[:, None]) & (codes[near] >= 0)
    at = np.arange(len(codes))[:, None] * classes + np.maximum(codes[near], 0)
    size = len(codes) * classes
    votes = np.bincount(at[voter], minlength=size).reshape(-1, classes) + 1.0 / classes
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))

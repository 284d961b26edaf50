"""Foretold labels at each source's own label rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

PRIOR_ROWS = 10.0
ROUNDS = 12
MOST_CELLS = 20_000_000


def at_own_rates(expected: Floats, codes: Ints, source: Ints) -> Floats:
    """``(n, k)`` probabilities whose sums over each source are the labels it really has.

    An honest source may have its own share of a class: a clinic has more sick patients than
    a school. By Bayes' rule that multiplies every row's odds by one factor a class and
    source, so the factors are fitted to the source's counts, with ten rows of the
    foretold rates as a prior. Labels that are contradicted row by row stay so; blind to a
    source that relabels most of a class, which is what another share looks like.

    Args:
        expected: ``(n, k)`` probabilities by learners that did not see the source.
        codes: ``(n,)`` label codes, -1 where unknown.
        source: ``(n,)`` source codes.

    Source:
        Saerens, Latinne and Decaestecker 2002, with known labels.
    """
    sources, k = int(source.max(initial=-1)) + 1, expected.shape[1]
    if sources < 2 or k < 2 or sources * k > MOST_CELLS:
        return expected
    known = codes >= 0
    cells = np.bincount(source[known] * k + codes[known], minlength=sources * k)
    seen = cells.reshape(sources, k)
    rows = source[known]
    prior = _per_source(expected[known], rows, sources)
    prior *= PRIOR_ROWS / np.maximum(prior.sum(axis=1, keepdims=True), 1e-9)
    factor = np.ones((sources, k))
    for _ in range(ROUNDS):
        adjusted = _scaled(expected[known], factor[rows])
        factor *= (seen + prior) / np.maximum(_per_source(adjusted, rows, sources) + prior, 1e-9)
        factor /= np.maximum(factor.mean(axis=1, keepdims=True), 1e-9)
    return _scaled(expected, factor[source])


def _per_source(values: Floats, rows: Ints, sources: int) -> Floats:
    return np.stack(
        [np.bincount(rows, weights=column, minlength=sources) for column in values.T], axis=1
    )


def _scaled(expected: Floats, factor: Floats) -> Floats:
    found = expected * np.maximum(factor, 1e-6)
    return np.asarray(found / found.sum(axis=1, keepdims=True))

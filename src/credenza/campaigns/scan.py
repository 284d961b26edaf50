"""Several sources a little beyond the ordinary at once: the Berk-Jones scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

LEAST_P = 1e-12


def together(u: Floats) -> Floats:
    """Evidence that several sources moved, which no single one can give.

    The furthest is left out. Where one other is all that is left, it has to be n times as rare
    among n others: the two of a pair have causes of their own more often than any more do (one
    carrier at two airports, a route that ends where another begins), and beside a source that
    moves by itself, by a drift, a leap or because it is new, one of the others is soon found.

    Blind to two sources that are each but little away; to three it is not.

    Args:
        u: ``(S, ...)`` standard normal under the null, larger = further; NaN = absent.

    Returns:
        ``(...)`` scores from 0.
    """
    score, size = _by_count(u, drop=1)
    if len(score) == 0:
        return np.zeros(u.shape[1:])
    score[0] -= np.log(np.maximum(size, 1))
    return np.asarray(np.maximum(score.max(axis=0), 0.0))


def berk_jones(u: Floats, *, drop: int = 0) -> tuple[Floats, Ints]:
    """Evidence that several of the sources lie high together.

    For each k, how unlikely it is that k of the sources exceed the k-th largest value;
    the best k. With ``drop`` the largest values are left out first: what remains is a
    claim about several sources that no single one can make.

    Args:
        u: ``(S, ...)`` standard normal under the null, larger = further; NaN = absent.
        drop: largest sources left out.

    Returns:
        ``(...)`` scores from 0, and ``(...)`` the k reached, ``drop`` included; at most
        half of the sources.

    Source:
        Berk and Jones 1979; one-sided, k bounded by S/2.
    """
    score, _ = _by_count(u, drop)
    if len(score) == 0:
        return np.zeros(u.shape[1:]), np.zeros(u.shape[1:], dtype=np.int64)
    best = np.argmax(score, axis=0)
    value = np.take_along_axis(score, best[None], axis=0)[0]
    return np.asarray(value), np.asarray(best + 1 + drop, dtype=np.int64)


def _by_count(u: Floats, drop: int) -> tuple[Floats, Ints]:
    """``(K, ...)`` score of each k from 1 on, and ``(...)`` how many sources were left."""
    ordered = -np.sort(-np.where(np.isnan(u), -np.inf, u), axis=0)[drop:]
    size = np.maximum(np.sum(~np.isnan(u), axis=0) - drop, 0)
    ordered = ordered[: max(1, len(u) // 2)]
    k = np.arange(1, len(ordered) + 1).reshape(-1, *([1] * (u.ndim - 1)))
    return _divergence(ordered, k, size), size


def _divergence(ordered: Floats, k: Ints, size: Ints) -> Floats:
    p = np.maximum(ndtr(-ordered), LEAST_P)
    n = np.maximum(size, 1)
    rest = np.maximum(n - k, 0)
    # k and n are few whole numbers: their logarithms are looked up.
    log = np.log(np.maximum(np.arange(int(np.max(n)) + len(ordered) + 1), 1))
    more = k * (log[k] - log[n] - np.log(p))
    less = rest * (log[rest] - log[n] - np.log1p(-np.minimum(p, 1 - 1e-12)))
    inside = (k <= np.maximum(size // 2, 1)) & (p * n < k) & (size > 0)
    return np.asarray(np.where(inside, np.maximum(more + less, 0.0), 0.0))

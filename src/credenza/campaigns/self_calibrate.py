"""How large the largest score of an ordinary window is, from the accepted windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats

LEAST_WINDOWS = 10
"""Accepted windows before anything is claimed."""
MOST_WINDOWS = 400
POOL_WINDOWS = 40.0
"""Weight, in windows, of what all cells say about the ordinary score of one."""


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Scores of accepted windows.

    Attributes:
        scores: ``(T, C)`` float32, the last at most ``MOST_WINDOWS`` windows, by cell.
        maxima: ``(T,)`` largest standardised score of each, as it was when judged.
    """

    scores: Floats
    maxima: Floats


def new_ordinary(cells: int) -> Ordinary:
    """No windows yet."""
    return Ordinary(np.zeros((0, cells), dtype=np.float32), np.zeros(0))


def standardise_scores(ordinary: Ordinary, scores: Floats) -> Floats:
    """``(C,)`` scores over the cell's 80 % quantile, in units of its mean excess.

    Both are shrunk towards the same figures over all cells: twenty windows know neither
    a cell's quantile nor its tail.
    """
    past = np.asarray(ordinary.scores, dtype=np.float64)
    if len(past) == 0:
        return np.asarray(scores)
    weight = len(past) / (len(past) + POOL_WINDOWS)
    pooled = np.quantile(past, 0.8)
    high = weight * np.quantile(past, 0.8, axis=0) + (1 - weight) * pooled
    over = np.maximum(past - high, 0.0)
    every = over.sum() / max(1, int((over > 0).sum()))
    count = np.sum(over > 0, axis=0)
    own = (over.sum(axis=0) + every * 8) / (count + 8)
    excess = weight * own + (1 - weight) * every
    return np.asarray((scores - high) / np.maximum(excess, 1e-3))


def tail_p(ordinary: Ordinary, maximum: float) -> float:
    """Chance that an ordinary window's largest score is as large; 1 without history.

    The upper half of the accepted maxima is taken for exponential with unknown scale;
    the predictive tail of that is heavier than an exponential, as little history asks.
    It extrapolates beyond the history; what is *reported* is floored by ``finest``.
    """
    past = ordinary.maxima
    if len(past) < LEAST_WINDOWS:
        return 1.0
    middle = float(np.median(past))
    over = past[past > middle] - middle
    if maximum <= middle or len(over) == 0:
        return float((1 + np.sum(past >= maximum)) / (len(past) + 1))
    scale = max(float(over.mean()), 1e-3)
    return float(0.5 * (1 + (maximum - middle) / (scale * len(over))) ** -len(over))


def finest(ordinary: Ordinary) -> float:
    """The smallest rate that the history can speak of: 1 / (accepted windows + 1)."""
    return 1.0 / (len(ordinary.maxima) + 1)


def extend(ordinary: Ordinary, scores: Floats, maximum: float) -> Ordinary:
    """With one more accepted window."""
    rows = np.vstack([ordinary.scores, np.asarray(scores, dtype=np.float32)[None]])
    maxima = np.append(ordinary.maxima, maximum)
    return Ordinary(rows[-MOST_WINDOWS:], maxima[-MOST_WINDOWS:])

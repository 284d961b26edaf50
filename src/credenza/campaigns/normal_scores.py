"""Standard units as normal scores: how rare a deviation is by the panel's own past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

STEP = 0.125
REACH = 12.0
"""Of the inverse hyperbolic sine of a deviation: 80,000 standard units."""
EDGES = np.linspace(-REACH, REACH, round(2 * REACH / STEP) + 1)
CELLS = len(EDGES) - 1
PRIOR = 300.0
"""Deviations' worth of belief that they are normal: three weeks of twenty sources."""
FORGETTING = 0.995
FARTHEST = 38.0
"""Normal scores beyond it have no chance that a double can hold."""
# Of the upper tail nothing is left in one minus a rounded one: it mirrors the lower.
_LOWER = PRIOR * np.diff(ndtr(np.sinh(EDGES[: CELLS // 2 + 1])))
_BELIEVED = np.concatenate([_LOWER, _LOWER[::-1]])


def new_counts(statistics: int) -> Floats:
    """``(P, CELLS)`` of statistics that nothing is known of."""
    return np.zeros((statistics, CELLS), dtype=np.float32)


def update(counts: Floats, z: Floats, learnt: Bools) -> Floats:
    """With one more window.

    Args:
        counts: ``(P, CELLS)``.
        z: ``(S, P)`` deviations in standard units.
        learnt: ``(S, P)`` which of them count.
    """
    cell = np.clip(np.floor(_places(z)).astype(np.int64), 0, CELLS - 1)
    flat = (np.arange(len(counts)) * CELLS + cell)[learnt]
    more = np.bincount(flat, minlength=counts.size).reshape(counts.shape)
    return (FORGETTING * counts + more).astype(np.float32)


def ladder(counts: Floats) -> Floats:
    """``(P, CELLS + 1)`` normal scores at the edges, each from the side that is nearer.

    Args:
        counts: ``(P, CELLS)`` of accepted windows.
    """
    mass = counts + _BELIEVED
    mass /= mass.sum(axis=1, keepdims=True)
    below = np.pad(np.cumsum(mass, axis=1), ((0, 0), (1, 0)))
    above = np.pad(np.cumsum(mass[:, ::-1], axis=1), ((0, 0), (1, 0)))[:, ::-1]
    with np.errstate(divide="ignore"):
        rungs = np.where(below < above, ndtri(below), -ndtri(above))
    return np.asarray(np.clip(rungs, -FARTHEST, FARTHEST))


def scores(rungs: Floats, z: Floats) -> Floats:
    """``(S, P)`` normal scores: what is as rare among normal deviations.

    A cancellation rate is zero for weeks and leaps with every storm; its standard
    deviation says nothing of how unusual one per cent is, and a storm outweighs a month
    of small contradictions. By rank both are measured alike. All sources share one
    distribution, because one source's past is too short for tails; it begins as the
    normal one, and deviations that nobody has seen yet stay as far as they are.

    Blind to how far beyond the past something lies, once the past has tails: there a
    campaign has to last to be heard.

    Args:
        rungs: ``(P, CELLS + 1)`` the ``ladder``.
        z: ``(S, P)`` deviations in standard units.

    Source:
        Van der Waerden's normal scores, from a histogram that forgets.
    """
    place = np.clip(_places(z), 0.0, CELLS)
    cell = np.minimum(np.floor(place).astype(np.int64), CELLS - 1)
    statistic = np.arange(z.shape[1])
    low, high = rungs[statistic, cell], rungs[statistic, cell + 1]
    return np.asarray(low + (place - cell) * (high - low))


def deviations(rungs: Floats, normal: Floats) -> Floats:
    """``(S, P)`` the standard units that have these normal scores, by the ``ladder``."""
    columns = zip(normal.T, rungs, strict=True)
    found = [np.interp(own, each, EDGES) for own, each in columns]
    return np.asarray(np.sinh(np.stack(found, axis=1)))


def _places(z: Floats) -> Floats:
    return np.asarray((np.arcsinh(z) + REACH) / STEP)

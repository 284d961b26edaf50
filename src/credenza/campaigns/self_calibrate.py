"""How large the scores of an ordinary window are, learnt from the accepted windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Floats

LEAST_WINDOWS = 10
"""Accepted windows before anything is claimed."""
MOST_WINDOWS = 400
BELIEF = 6.0
"""Weight, in windows, of what all statistics say about the scores of one."""
LEAST_SCALE = 0.05
STRUCTURE = "structure"
"""Family in which nothing is claimed of several sources."""
LASTING = 3
"""Windows over which scores are also summed."""


class Ordinary(NamedTuple):
    """Ordinary scores by statistic: half lie above ``middle``, by ``scale`` on average.

    Attributes:
        middle: ``(..., P)``.
        scale: ``(..., P)``.
        freedom: how many exceedances the scale rests on.
    """

    middle: Floats
    scale: Floats
    freedom: float


def judge(
    history: Floats,
    recent: Floats,
    scores: Floats,
    families: tuple[str, ...],
    attention: Mapping[str, float],
) -> tuple[int, float]:
    """The statistic that stands out most, and the chance of that in an ordinary window.

    Each family of statistics is held against its own past: routes change all the time,
    contradicted labels do not, and one yardstick for both would blind the scan to the
    latter. A family's chance is divided by its part of the attention, so that the
    smallest of them is a chance over all families.

    Args:
        history: ``(T, P)`` scores of accepted windows.
        recent: ``(2, P)`` scores of the two windows before, accepted or not.
        scores: ``(P,)`` scores of the window under test.
        families: ``(P,)`` family of each statistic.
        attention: weight of each family; they need not add up to one.
    """
    # What stays a little beyond the ordinary for three windows is held against three, and
    # the newest windows do not count as ordinary yet, or a campaign would vouch for itself.
    history = history[: max(0, len(history) - LASTING)]
    alone, lasting = (
        surprise(history, scores),
        surprise(_sums(history), scores + recent.sum(axis=0)),
    )
    y = np.maximum(alone, lasting)
    past = np.maximum(past_surprises(history), past_surprises(_sums(history)))
    names = sorted(set(families) - {STRUCTURE})
    total = sum(attention[name] for name in names)
    found = []
    for name in names:
        own = np.flatnonzero([family == name for family in families])
        top = int(own[np.argmax(y[own])])
        part = attention[name] / total
        chance = tail_p(past[:, own].max(axis=1), float(y[top]))
        found.append((min(1.0, chance / part), -float(y[top]), top))
    if not found:
        return 0, 1.0
    chance, _, top = min(found)
    return top, chance


def _sums(history: Floats) -> Floats:
    """``(T, P)`` of each window and the two before; the first two are scaled up."""
    total = np.cumsum(np.asarray(history, dtype=np.float64), axis=0)
    sums = total.copy()
    sums[LASTING:] -= total[:-LASTING]
    count = np.minimum(np.arange(len(sums)) + 1, LASTING)
    return np.asarray(sums * (LASTING / count)[:, None])


def surprise(history: Floats, scores: Floats) -> Floats:
    """``(P,)`` minus the logarithm of the chance of such a score, by statistic.

    Above its median a statistic's score is taken for exponential with unknown scale, and
    the predictive tail of that is used, which little history makes heavy. Median and
    scale are shrunk towards those of all statistics.

    Args:
        history: ``(T, P)`` scores of accepted windows.
        scores: ``(P,)`` scores of the window under test.
    """
    return _surprise(_ordinary(history), scores)


def past_surprises(history: Floats) -> Floats:
    """``(T, P)`` surprise of each accepted window, had it been judged by the others."""
    size = len(history)
    if size < 2:
        return np.zeros(history.shape)
    every = _ordinary(history)
    over = np.maximum(history - every.middle, 0.0)
    # The same scale without each window's own excess.
    count = np.sum(over > 0, axis=0)
    pool = float(np.median(over.sum(axis=0) / np.maximum(count, 1)))
    without = (over.sum(axis=0) - over + BELIEF * pool) / (count - (over > 0) + BELIEF)
    scale = np.maximum(without, LEAST_SCALE)
    left = Ordinary(every.middle, scale, every.freedom - 0.5)
    return _surprise(left, history)


def tail_p(maxima: Floats, largest: float) -> float:
    """Chance that an ordinary window's largest surprise is as large; 1 without history.

    The upper half of the accepted maxima is taken for exponential, with the predictive
    tail. It extrapolates beyond the history: good enough to alarm on, and never printed
    below ``finest``.
    """
    if len(maxima) < LEAST_WINDOWS:
        return 1.0
    middle = float(np.median(maxima))
    over = maxima[maxima > middle] - middle
    if largest <= middle or len(over) == 0:
        return float((1 + np.sum(maxima >= largest)) / (len(maxima) + 1))
    scale = max(float(over.mean()), LEAST_SCALE)
    return float(0.5 * (1 + (largest - middle) / (scale * len(over))) ** -len(over))


def finest(windows: int) -> float:
    """The smallest rate that so many accepted windows can speak of."""
    return 1.0 / (windows + 1)


def extend(history: Floats, scores: Floats) -> Floats:
    """With one more accepted window, the oldest forgotten beyond ``MOST_WINDOWS``."""
    rows = np.vstack([history, np.asarray(scores, dtype=np.float32)[None]])
    return np.asarray(rows[-MOST_WINDOWS:])


def _ordinary(history: Floats) -> Ordinary:
    size = len(history)
    if size == 0:
        width = history.shape[1]
        return Ordinary(np.zeros(width), np.ones(width), BELIEF)
    weight = size / (size + BELIEF)
    median = np.median(history, axis=0)
    middle = weight * median + (1 - weight) * float(np.median(median))
    over = np.maximum(history - middle, 0.0)
    count = np.sum(over > 0, axis=0)
    pool = float(np.median(over.sum(axis=0) / np.maximum(count, 1)))
    scale = (over.sum(axis=0) + BELIEF * pool) / (count + BELIEF)
    return Ordinary(middle, np.maximum(scale, LEAST_SCALE), size / 2 + BELIEF)


def _surprise(ordinary: Ordinary, scores: Floats) -> Floats:
    over = np.maximum(scores - ordinary.middle, 0.0) / ordinary.scale
    value = ordinary.freedom * np.log1p(over / ordinary.freedom) + np.log(2)
    return np.asarray(np.where(scores > ordinary.middle, value, 0.0))

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

TAIL_WINDOWS = 20
"""The largest of the ordinary windows, from which rarer ones are foreseen."""
MOST_EXCESS = 8.0
"""What one window may add, so that an attacker who is caught has not deafened the scan."""
TRUST = 40.0
"""Windows' worth of belief that chances are honest as they are."""
NEWEST = 5
"""Windows that do not tell of chances yet: what has just begun may be under way."""


class Ordinary(NamedTuple):
    """Ordinary scores by statistic: some lie above ``edge``, by ``scale`` on average.

    Attributes:
        edge: ``(..., P)``.
        scale: ``(..., P)``.
        freedom: how many exceedances the scale rests on.
        base: surprise at the edge.
    """

    edge: Floats
    scale: Floats
    freedom: float
    base: float


class Verdict(NamedTuple):
    """What the past scores make of a window.

    Attributes:
        top: the statistic that stands out most.
        chance: of that in an ordinary window, over all families.
    """

    top: int
    chance: float


def judge(
    history: Floats,
    recent: Floats,
    scores: Floats,
    families: tuple[str, ...],
    attention: Mapping[str, float],
) -> Verdict:
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
    y = np.maximum(surprise(history, scores), surprise(_sums(history), scores + recent.sum(axis=0)))
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
        return Verdict(0, 1.0)
    chance, _, top = min(found)
    return Verdict(top, chance)


def _sums(history: Floats) -> Floats:
    """``(T, P)`` of each window and the two before; the first two are scaled up."""
    total = np.cumsum(np.asarray(history, dtype=np.float64), axis=0)
    sums = total.copy()
    sums[LASTING:] -= total[:-LASTING]
    count = np.minimum(np.arange(len(sums)) + 1, LASTING)
    return np.asarray(sums * (LASTING / count)[:, None])


def surprise(history: Floats, scores: Floats) -> Floats:
    """``(P,)`` minus the logarithm of the chance of such a score, by statistic.

    Beyond its upper half, or its largest ``TAIL_WINDOWS``, a statistic's score is taken for
    exponential with unknown scale, and the predictive tail of that is used, which little
    history makes heavy. Edge and scale are shrunk towards those of all statistics.

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
    over = np.maximum(history - every.edge, 0.0)
    # The same scale without each window's own excess.
    count = np.sum(over > 0, axis=0)
    pool = float(np.median(over.sum(axis=0) / np.maximum(count, 1)))
    without = (over.sum(axis=0) - over + BELIEF * pool) / (count - (over > 0) + BELIEF)
    scale = np.maximum(without, LEAST_SCALE)
    left = Ordinary(every.edge, scale, every.freedom - 0.5, every.base)
    return _surprise(left, history)


def tail_p(maxima: Floats, largest: float) -> float:
    """Chance that an ordinary window's largest surprise is as large; 1 without history.

    The upper half of the accepted maxima, or the largest ``TAIL_WINDOWS``, is taken for
    exponential, with the predictive tail. It extrapolates beyond the history: good enough
    to alarm on, and never printed below ``finest``.
    """
    size, tail = len(maxima), _tail(len(maxima))
    if size < LEAST_WINDOWS:
        return 1.0
    edge = float(np.partition(maxima, size - tail - 1)[size - tail - 1])
    over = np.minimum(maxima[maxima > edge] - edge, MOST_EXCESS)
    if largest <= edge or len(over) == 0:
        return float((1 + np.sum(maxima >= largest)) / (size + 1))
    scale = max(float(over.mean()), LEAST_SCALE)
    return float(tail / size * (1 + (largest - edge) / (scale * len(over))) ** -len(over))


def honest(past: Floats, chance: float) -> float:
    """A window's chance, corrected by the chances that ordinary windows turned out to have.

    Real feeds have holidays, new timetables and storms that no model of the scores
    foresees. Every alarm that stands uncontradicted by a decision is one more ordinary
    window and makes the next one harder, so that the realised rate is steered to the
    nominal one, whatever the tails.

    Blind for a while to a second campaign after many false ones; an attacker who wants
    that has to be caught first, each time.

    Args:
        past: ``(T,)`` of ordinary windows, minus the logarithm of the chance that each had
            when it was judged.
        chance: of the window under test.

    Source:
        The idea of adaptive conformal inference (Gibbs and Candes 2021), applied to the
        tail instead of the level.
    """
    surprise = -np.log(max(chance, 1e-300))
    past = past[: max(0, len(past) - NEWEST)]
    size, tail = len(past), _tail(len(past))
    if tail == 0:
        return chance
    edge = float(np.partition(past, size - tail - 1)[size - tail - 1])
    if surprise <= edge:
        found = np.log((1 + np.sum(past >= surprise)) / (size + 1))
    else:
        excess = np.clip(past - edge, 0.0, MOST_EXCESS).sum()
        stretch = (BELIEF + excess) / (BELIEF + tail)
        found = np.log((tail + 1) / (size + 1)) - (surprise - edge) / stretch
    weight = size / (size + TRUST)
    return float(np.exp(weight * found - (1 - weight) * surprise))


def remember(past: Floats, chance: float) -> Floats:
    """With the chance of one more ordinary window."""
    surprise = np.float32(-np.log(max(chance, 1e-300)))
    return np.asarray(np.append(past, surprise)[-MOST_WINDOWS:])


def _tail(windows: int) -> int:
    """How many of the largest tell what the tail is like: the local ones, if there are enough."""
    return min(windows // 2, TAIL_WINDOWS)


def finest(windows: int) -> float:
    """The smallest rate that so many accepted windows can speak of."""
    return 1.0 / (windows + 1)


def extend(history: Floats, scores: Floats) -> Floats:
    """With one more accepted window, the oldest forgotten beyond ``MOST_WINDOWS``."""
    rows = np.vstack([history, np.asarray(scores, dtype=np.float32)[None]])
    return np.asarray(rows[-MOST_WINDOWS:])


def _ordinary(history: Floats) -> Ordinary:
    size, tail = len(history), _tail(len(history))
    if tail == 0:
        width = history.shape[1]
        return Ordinary(np.zeros(width), np.ones(width), BELIEF, float(np.log(2)))
    weight = size / (size + BELIEF)
    own = np.partition(history, size - tail - 1, axis=0)[size - tail - 1].astype(np.float64)
    edge = weight * own + (1 - weight) * float(np.median(own))
    over = np.maximum(history - edge, 0.0)
    count = np.sum(over > 0, axis=0)
    pool = float(np.median(over.sum(axis=0) / np.maximum(count, 1)))
    scale = (over.sum(axis=0) + BELIEF * pool) / (count + BELIEF)
    return Ordinary(edge, np.maximum(scale, LEAST_SCALE), tail + BELIEF, float(np.log(size / tail)))


def _surprise(ordinary: Ordinary, scores: Floats) -> Floats:
    over = np.maximum(scores - ordinary.edge, 0.0) / ordinary.scale
    value = ordinary.freedom * np.log1p(over / ordinary.freedom) + ordinary.base
    return np.asarray(np.where(scores > ordinary.edge, value, 0.0))

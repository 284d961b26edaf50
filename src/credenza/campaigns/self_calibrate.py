"""How large the scores of an ordinary window are, learnt from the accepted windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints

LEAST_WINDOWS = 10
"""Accepted windows before anything is claimed."""
MOST_WINDOWS = 400
BELIEF = 6.0
"""Weight, in windows, of what all statistics say about the scores of one."""
LEAST_SCALE = 1.0
"""Of Berk-Jones scores without any dependence. Scores that hardly ever left zero would
else make a claim of what is no deviation at all."""
LASTING = 3
"""Windows over which scores are also summed."""

TAIL_WINDOWS = 20
"""The largest of the ordinary windows, from which rarer ones are foreseen."""
MOST_SCORE = 6e4
"""Of half precision."""
MOST_EXCESS = 8.0
"""What one window may add, so that an attacker who is caught has not deafened the scan."""
TRUST = 40.0
"""Windows' worth of belief that chances are honest as they are."""
NEWEST = 5
"""Windows that do not tell of chances yet: what has just begun may be under way."""


class Ordinary(NamedTuple):
    """Ordinary scores: some lie above ``edge``.

    Attributes:
        edge: ``(C,)``.
        above: ``(C, T)`` where they do.
        total: ``(C,)`` sum of what lies above it.
        windows: ``(C,)`` in how many something did.
        pool: middle of all mean excesses.
        freedom: how many exceedances the scale rests on.
        base: surprise at the edge.
    """

    edge: Floats
    above: Bools
    total: Floats
    windows: Floats
    pool: float
    freedom: float
    base: float


class Verdict(NamedTuple):
    """What the past scores make of a window.

    Attributes:
        top: the score that stands out most.
        chance: of that in an ordinary window, over all families.
    """

    top: int
    chance: float


def judge(
    history: Floats,
    recent: Floats,
    scores: Floats,
    kind: Ints,
    attention: Floats,
) -> Verdict:
    """The score that stands out most, and the chance of that in an ordinary window.

    Every statistic has a score by scale and direction, each with its own past: storms
    make the leaps of delays deaf, and say nothing of what lasts or of early arrivals.
    Each kind of evidence is held against its own past: routes change all the time,
    contradicted labels do not, and one yardstick for both would blind the scan to the
    latter; leaps come and go, what lasts is rare. A kind's chance is divided by its part
    of the attention, so that the smallest of them is a chance over all kinds.

    Args:
        history: ``(T, C)`` scores of accepted windows.
        recent: ``(2, C)`` scores of the two windows before, accepted or not.
        scores: ``(C,)`` scores of the window under test.
        kind: ``(C,)`` number of the kind of evidence that each score is; -1: of it nothing
            is claimed.
        attention: ``(K,)`` weight of each kind; they need not add up to one.
    """
    # What stays a little beyond the ordinary for three windows is held against three, and
    # the newest windows do not count as ordinary yet, or a campaign would vouch for itself.
    # A score's past lies together in memory and in single precision, which half fits in:
    # the tails of 400 windows are found ten times faster.
    history = history[: max(0, len(history) - LASTING)].T.astype(np.float32, order="C")
    maxima = np.zeros((len(attention), history.shape[1]))
    now = _held_against(history, scores, kind, maxima)
    lasting = _held_against(_sums(history), scores + recent.sum(axis=0), kind, maxima)
    y = np.maximum(now, lasting)
    found = []
    for place, weight in enumerate(attention):
        own = np.flatnonzero(kind == place)
        top = int(own[np.argmax(y[own])])
        chance = tail_p(maxima[place], float(y[top])) * attention.sum() / weight
        found.append((min(1.0, chance), -float(y[top]), top))
    if not found:
        return Verdict(0, 1.0)
    chance, _, top = min(found)
    return Verdict(top, chance)


def _sums(history: Floats) -> Floats:
    """``(C, T)`` of each window and the two before; the first two are scaled up."""
    sums = history.copy()
    for back in range(1, LASTING):
        sums[:, back:] += history[:, :-back]
    count = np.minimum(np.arange(history.shape[1]) + 1, LASTING)
    return np.asarray(sums * (LASTING / count).astype(history.dtype))


def _held_against(history: Floats, scores: Floats, kind: Ints, maxima: Floats) -> Floats:
    """Minus the logarithm of the chance of scores, and of the past's, by the rest of it.

    Beyond its upper half, or its largest ``TAIL_WINDOWS``, a score is taken for
    exponential with unknown scale, and the predictive tail of that is used, which little
    history makes heavy. Edge and scale are shrunk towards those of all scores.

    Args:
        history: ``(C, T)`` scores of accepted windows.
        scores: ``(C,)`` scores of the window under test.
        kind: ``(C,)`` row of ``maxima`` that each score belongs to; -1 = none.
        maxima: ``(K, T)`` the largest surprise of each accepted window so far, had it been
            judged by the others; raised to what is found here.

    Returns:
        ``(C,)`` surprise of the scores.
    """
    every = _ordinary(history)
    own, window = np.divmod(np.flatnonzero(every.above), max(history.shape[1], 1))
    over = history[own, window] - every.edge[own]
    scale = _scale(every.total[own] - over, every.windows[own] - 1, every.pool)
    past = _tail_surprise(over / scale, every.freedom - 0.5, every.base)
    known = kind[own] >= 0
    np.maximum.at(maxima, (kind[own][known], window[known]), past[known])
    far = np.maximum(scores - every.edge, 0.0) / _scale(every.total, every.windows, every.pool)
    return np.where(far > 0, _tail_surprise(far, every.freedom, every.base), 0.0)


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
    rows = np.vstack([history, np.minimum(scores, MOST_SCORE).astype(np.float16)[None]])
    return np.asarray(rows[-MOST_WINDOWS:])


def _ordinary(history: Floats) -> Ordinary:
    size, tail = history.shape[1], _tail(history.shape[1])
    if tail == 0:
        nothing = np.zeros(len(history))
        above = np.zeros(history.shape, dtype=bool)
        return Ordinary(nothing, above, nothing, nothing, LEAST_SCALE, BELIEF, float(np.log(2)))
    weight = size / (size + BELIEF)
    own = np.partition(history, size - tail - 1, axis=1)[:, size - tail - 1].astype(np.float64)
    edge = weight * own + (1 - weight) * float(np.median(own))
    above = history > edge.astype(history.dtype)[:, None]
    count = np.count_nonzero(above, axis=1)
    total = np.sum(history, axis=1, where=above, dtype=np.float64) - count * edge
    pool = float(np.median(total / np.maximum(count, 1)))
    return Ordinary(edge, above, total, count, pool, tail + BELIEF, float(np.log(size / tail)))


def _scale(total: Floats, count: Floats, pool: float) -> Floats:
    """Mean excess, shrunk towards the ``pool``; no score is calmer than theory has it."""
    return np.asarray(np.maximum((total + BELIEF * pool) / (count + BELIEF), LEAST_SCALE))


def _tail_surprise(far: Floats, freedom: float, base: float) -> Floats:
    return np.asarray(freedom * np.log1p(far / freedom) + base)

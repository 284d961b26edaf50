"""Each source against its own past: z-scores with a tracked level and an honest scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

LEVEL_RATE = 0.05
SCALE_RATE = 0.015
"""Slow, or a step is taken for the new ordinary, and for noise, while it is still judged."""
CLIP = 3.0
"""Largest step, in standard units, that a window may move the level or the scale by."""
PRIOR_WINDOWS = 10.0
"""Weight, in windows, of what all sources say about the scale of one."""
LEAST_SCALE = 1e-9
LEAST_CALM = 0.1
LEAST_SHARE = 0.1
"""No source is steadier than this share of the others' middle, whatever it did so far."""


@dataclass(frozen=True, slots=True)
class Levels:
    """What each source's statistics usually are; all arrays ``(S, P)``.

    Attributes:
        count: accepted windows.
        mean: tracked level.
        spread: tracked mean square deviation from the level.
        sampling: tracked mean square of the sampling error; 0 when it is not known.
    """

    count: Floats
    mean: Floats
    spread: Floats
    sampling: Floats


def new_levels(sources: int, statistics: int) -> Levels:
    """Levels before any window."""
    zero = np.zeros((sources, statistics))
    return Levels(zero, zero.copy(), zero.copy(), zero.copy())


def scales(levels: Levels, sampling_sd: Floats) -> Floats:
    """``(S, P)`` standard deviation expected of the next window.

    A source's own spread, shrunk towards what its sampling error makes of it in the
    other sources, because twenty windows say little of a spread; never below the
    sampling error, and wider for a level that is itself uncertain.
    """
    floor = np.square(sampling_sd)
    known = (levels.sampling > 0) & (levels.count > 1)
    ratio = np.where(known, levels.spread / np.where(known, levels.sampling, 1.0), np.nan)
    ratio = np.maximum(column_median(ratio), 1.0)
    prior = np.where(known & np.isfinite(ratio), ratio * levels.sampling, levels.spread)
    usual = column_median(np.where(levels.count > 1, levels.spread, np.nan))
    floor = np.maximum(floor, np.square(LEAST_SHARE) * usual)
    weight = levels.count / (levels.count + PRIOR_WINDOWS)
    variance = np.maximum(weight * levels.spread + (1 - weight) * prior, floor)
    step = np.maximum(1 / np.maximum(levels.count, 1.0), LEVEL_RATE)
    return np.asarray(np.maximum(np.sqrt(variance * (1 + step)), LEAST_SCALE))


def calmness(levels: Levels, scale: Floats) -> Floats:
    """``(S, P)`` how much less a statistic varies than its scale says, in (0, 1].

    A count of rare events hardly ever moves, and when it does it jumps: one window needs
    the scale of the jump, an average over windows has earned that of the variance.

    Args:
        levels: before the window.
        scale: ``(S, P)`` from ``scales``.
    """
    known = levels.count > 1
    ratio = np.where(known, levels.spread, 0.0) / np.square(scale)
    pool = ratio.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    weight = levels.count / (levels.count + PRIOR_WINDOWS)
    return np.asarray(np.sqrt(np.clip(weight * ratio + (1 - weight) * pool, LEAST_CALM, 1.0)))


def track_wander(wander: Floats, averages: Floats, count: Floats, accepted: Bools) -> Floats:
    """``(3, S, P)`` tracked mean square of the averages, after a window.

    Statistics that drift have slow averages that vary more than those of independent
    windows would; they are held against what they did.

    Args:
        wander: before the window.
        averages: ``(3, S, P)`` in standard units; NaN = absent.
        count: ``(S, P)`` judged windows, this one included.
        accepted: ``(S, P)`` what may be learnt from.
    """
    finite = np.isfinite(averages)
    square = np.square(np.clip(np.where(finite, averages, 0.0), -CLIP, CLIP))
    rate = np.maximum(1 / np.maximum(count, 1.0), SCALE_RATE)
    return np.asarray(np.where(accepted & finite, wander + rate * (square - wander), wander))


def wandered(wander: Floats, count: Floats) -> Floats:
    """``(3, S, P)`` mean square of the averages, shrunk towards that of all sources."""
    known = count > 1
    pool = np.where(known, wander, 0.0).sum(axis=-2) / np.maximum(known.sum(axis=-2), 1)
    weight = count / (count + PRIOR_WINDOWS)
    return np.asarray(weight * wander + (1 - weight) * pool[..., None, :])


def update(levels: Levels, values: Floats, sampling_sd: Floats, accepted: Bools) -> Levels:
    """Levels after a window, moved only where ``accepted`` ``(S, P)`` is True.

    Steps are clipped, so that one wild window cannot carry the level away; a slow ramp
    still can, which is what the slow scale of the scan is for.
    """
    count = levels.count + 1
    first = levels.count == 0
    scale = np.where(first, np.inf, scales(levels, sampling_sd))
    # A scale of two windows is no ground to clip on.
    clip = np.where(levels.count < 8, np.inf, CLIP * scale)
    step = np.where(first, values, np.clip(values - levels.mean, -clip, clip))
    step = np.nan_to_num(step)
    mean = levels.mean + step * np.maximum(1 / count, LEVEL_RATE)
    # The deviation from the old level has variance (1 + 1/n) of a new value's.
    square = np.square(step) * levels.count / count
    spread = levels.spread + (square - levels.spread) / np.maximum(
        1.0, np.minimum(count - 1, 1 / SCALE_RATE)
    )
    sampling = levels.sampling + (np.square(sampling_sd) - levels.sampling) / np.minimum(
        count, 1 / SCALE_RATE
    )
    return Levels(
        np.where(accepted, count, levels.count),
        np.where(accepted, mean, levels.mean),
        np.where(accepted, np.where(first, 0.0, spread), levels.spread),
        np.where(accepted, sampling, levels.sampling),
    )


def forget(levels: Levels, fresh: Bools) -> Levels:
    """Levels that begin anew where ``fresh`` ``(S, P)`` is True."""
    return Levels(
        *(
            np.where(fresh, 0.0, part)
            for part in (levels.count, levels.mean, levels.spread, levels.sampling)
        )
    )


def column_median(values: Floats, otherwise: float = 1.0) -> Floats:
    """Median over sources of what is finite, ``otherwise`` where no source says anything.

    As ``np.nanmedian`` has it, which takes ten times as long on panels of this size.
    """
    known = np.isfinite(values)
    count = known.sum(axis=0)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    middle = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, len(values) - 1)])
    both = ordered[middle, np.arange(values.shape[1])]
    return np.where(count > 0, both.sum(axis=0) / 2, otherwise)

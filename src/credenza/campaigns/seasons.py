"""Cycles that a source follows by itself: the same day of the week, the same hour."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Bools, Floats

RATE = 0.05
MOST_SEEN = 250
BELIEF = 2.0
"""Cycles' worth of belief that there is no cycle."""


class Season(NamedTuple):
    """One cycle.

    Attributes:
        offset: ``(period, S, P)`` usual deviation from the level in each phase.
        seen: ``(period, S, P)`` accepted windows of each phase.
    """

    offset: Floats
    seen: Floats


def new_seasons(periods: Sequence[int], sources: int, statistics: int) -> tuple[Season, ...]:
    """Cycles before any window.

    Raises:
        UsageError: a period is shorter than two windows.
    """
    if any(period < 2 for period in periods):
        raise UsageError(
            "bad-parameter", f"periods {list(periods)}", fix="give whole windows, at least 2 each"
        )
    shapes = [(period, sources, statistics) for period in periods]
    return tuple(Season(np.zeros(shape), np.zeros(shape)) for shape in shapes)


def offsets(seasons: tuple[Season, ...], window: int) -> Floats | float:
    """``(S, P)`` sum of all cycles' offsets in a window; 0 without cycles."""
    return sum((own.offset[window % len(own.offset)] for own in seasons), 0.0)


def update(
    seasons: tuple[Season, ...], window: int, deviation: Floats, accepted: Bools
) -> tuple[Season, ...]:
    """Cycles after a window.

    Args:
        seasons: before it.
        window: its position.
        deviation: ``(S, P)`` value minus level minus ``offsets``, already clipped.
        accepted: ``(S, P)`` what may be learnt from.
    """
    found = []
    for own in seasons:
        phase = window % len(own.offset)
        offset, seen = own.offset.copy(), own.seen.copy()
        # What is kept in a byte must not run over.
        seen[phase] = np.minimum(seen[phase].astype(np.int64) + accepted, MOST_SEEN)
        rate = np.maximum(1 / (seen[phase].astype(np.float64) + BELIEF), RATE)
        offset[phase] += np.where(accepted, rate * deviation / max(1, len(seasons)), 0.0)
        found.append(Season(offset, seen))
    return tuple(found)

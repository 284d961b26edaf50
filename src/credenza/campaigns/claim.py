"""Who moved together: the claim that an alarm makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.scan import berk_jones

if TYPE_CHECKING:
    from credenza.core.types import Floats

SCALES = (1.0, 0.3, 0.1)
"""Weight of the newest window: a jump, a few windows, a slow ramp."""
NAMED_U = 3.3
"""Among 26 honest sources one lies as far by chance in 80 windows; it is an accusation."""
SUSPECTED_U = 2.5
"""Among 26, one in six windows: enough to be looked at with the others, no more."""


@dataclass(frozen=True, slots=True)
class PanelCampaign:
    """Sources that moved together in one window.

    Attributes:
        sources: positions of the named sources.
        suspected: positions of those that moved the same way without being named.
        statistic: position of the statistic.
        direction: "up" or "down".
        p_value: of the window's largest score; never finer than 1 / (history + 1).
        scale: weight of the newest window in the average that showed it.
        score: Berk-Jones score of the sources but the furthest.
        without: ``score`` when each named source is left out too.
    """

    sources: tuple[int, ...]
    suspected: tuple[int, ...]
    statistic: int
    direction: str
    p_value: float
    scale: float
    score: float
    without: tuple[float, ...]


def claim(averages: Floats, cells: Floats, statistic: int, p_value: float) -> PanelCampaign | None:
    """Who moved; None where fewer than two sources stand out, which is no campaign.

    Naming is by each source's own deviation and not by the scan's best k, which stops
    where the next source adds nothing to the claim. Blind to members that moved less
    than ``SUSPECTED_U`` so far: a later window or the row tests have to find these.

    Args:
        averages: ``(3, S, P)`` in standard units, by scale; NaN = absent.
        cells: ``(3, 2, P)`` scores by scale and direction.
        statistic: the one that stood out.
        p_value: of the window.
    """
    scale, sign = np.unravel_index(int(np.argmax(cells[:, :, statistic])), cells.shape[:2])
    both = averages[:, :, statistic] * (1 - 2 * int(sign))
    # Whoever leapt or came lately is seen in the faster averages, whatever found the rest.
    u = np.nan_to_num(np.maximum(both[:2].max(axis=0), both[scale]), nan=-np.inf)
    named = np.flatnonzero(u >= NAMED_U).tolist()
    suspected = np.flatnonzero((u >= SUSPECTED_U) & (u < NAMED_U)).tolist()
    if len(named) < 2:
        return None
    return PanelCampaign(
        tuple(named),
        tuple(suspected),
        statistic,
        ("up", "down")[int(sign)],
        p_value,
        SCALES[int(scale)],
        float(cells[scale, sign, statistic]),
        _without(both[scale], named),
    )


def _without(u: Floats, named: list[int]) -> tuple[float, ...]:
    """The score without each named source."""
    found = []
    for source in named:
        rest = u.copy()
        rest[source] = np.nan
        found.append(float(berk_jones(rest, drop=1)[0]))
    return tuple(found)

"""Who moved together: the claim that an alarm makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from credenza.campaigns.scan import together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats, Ints

SCALES = (1.0, 0.3, 0.1, 0.03)
"""Weight of the newest window: a jump, a few windows, a slow ramp, a creeping one."""
CELLS = 2 * len(SCALES)
"""Scores that each statistic has: by scale and direction."""
FALSE_SHARE = 0.1
"""Honest sources among the named ones that are accepted on average."""
MOST_PART = 3 / 4
"""Of the sources: where more left their past together, that is a common cause, and those who
did not follow it are the odd ones."""
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
        evidence: how far each named source moved, in standard units.
        follows: the suspected moved now as the named did before: ``accuse.pursue``.
    """

    sources: tuple[int, ...]
    suspected: tuple[int, ...]
    statistic: int
    direction: str
    p_value: float
    scale: float
    score: float
    without: tuple[float, ...]
    evidence: tuple[float, ...]
    follows: bool = False


def claim(
    u: Floats, own: Floats, found: tuple[int, int], statistic: int, p_value: float
) -> PanelCampaign | None:
    """Who moved; None where fewer than two sources stand out, which is no campaign.

    Naming is by each source's own deviation in the average that stood out, and not by the
    scan's best k, which stops where the next source adds nothing to the claim. That several
    moved is known by then, so that none has to stand by itself. Where those who stand out
    have not left their own past while the rest of the sources did, the rest is what moved:
    more than half of the sources look like the common cause. Of nearly all it is one.

    Blind to members that hardly moved so far: a later window or the row tests have to find
    these.

    Args:
        u: ``(K, S)`` averages of the statistic in standard units, by scale; NaN = absent.
        own: ``(S,)`` how far each is from its own past now, common cause included.
        found: the scale and the direction (0 up, 1 down) that stood out.
        statistic: the one that stood out.
        p_value: of the window.
    """
    scale, direction = found
    sign = found_sign = 1 - 2 * direction
    moved = np.nan_to_num(u[scale] * sign, nan=-np.inf)
    # Whoever leapt or came lately is seen in the faster averages, too.
    evidence = np.maximum(moved, np.nan_to_num(u[:2] * sign, nan=-np.inf).max(axis=0))
    members = _members(moved)
    left = np.nan_to_num(-own * sign, nan=-np.inf)
    others = _members(left)
    if 2 <= len(others) <= MOST_PART * len(own) and _others_moved(evidence, own * sign, members):
        sign, evidence, members = -sign, left, others
    if len(members) < 2:
        return None
    suspected = np.setdiff1d(np.flatnonzero(evidence >= SUSPECTED_U), members)
    return PanelCampaign(
        tuple(members.tolist()),
        tuple(suspected.tolist()),
        statistic,
        "up" if sign > 0 else "down",
        p_value,
        SCALES[scale],
        float(together(u[scale] * found_sign)),
        without(u[scale] * found_sign, members.tolist()),
        tuple(evidence[members].tolist()),
    )


def _members(moved: Floats) -> Ints:
    """The more sources stand out, the less far each has to: Benjamini-Hochberg, one-sided."""
    p = ndtr(-moved)
    order = np.argsort(p, kind="stable")
    rank = np.arange(1, len(p) + 1)
    good = np.flatnonzero(p[order] <= FALSE_SHARE * rank / max(1, np.isfinite(moved).sum()))
    return np.sort(order[: good[-1] + 1]) if len(good) else np.zeros(0, dtype=np.int64)


def _others_moved(evidence: Floats, own: Floats, members: Ints) -> bool:
    """Whether not those who stand out left their own past, but the rest of the sources did."""
    if len(members) == 0:
        return False
    rest = np.delete(own, members)
    rest = rest[np.isfinite(rest)]
    far = 0.5 * np.median(evidence[members])
    stayed = np.nanmedian(own[members]) < far
    return bool(stayed and len(rest) > 0 and -np.median(rest) >= far)


def without(u: Floats, named: Sequence[int]) -> tuple[float, ...]:
    """The score of ``u`` ``(S,)`` when each named source is left out too."""
    found = []
    for source in named:
        rest = u.copy()
        rest[source] = np.nan
        found.append(float(together(rest)))
    return tuple(found)

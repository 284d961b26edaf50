"""What a gate holds against whom: fewer names than a claim has, and whoever follows later."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from credenza.campaigns.claim import SCALES, SUSPECTED_U, PanelCampaign, without
from credenza.campaigns.scan import together

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from credenza.core.types import Floats, Ints

ACCUSED_U = 3.3
"""Among 26 honest sources one lies as far by chance in 80 windows: enough to be held to it."""
MOVED_U = 3.0
"""Whoever moved less beside sources on watch is not even suspected: somebody always does."""
HONEST_KINDS = frozenset({"novelty", "shape", "structure"})
"""Kinds of statistics in which honest sources change together and for good."""
PURSUED_RATE = 0.05
"""Of windows in which an honest source may come to be suspected so."""
PURSUED_SCALES = 3
"""A jump, a few windows, a slow ramp; a creep of many months is anybody's."""


@dataclass(frozen=True, slots=True)
class Trail:
    """What an accusation rests on that still stands.

    Attributes:
        sources: positions of the accused.
        statistic: position of the one in which they moved.
        direction: "up" or "down".
    """

    sources: tuple[int, ...]
    statistic: int
    direction: str


def accuse(found: PanelCampaign, family: str, watched: Collection[int] = ()) -> PanelCampaign:
    """The same claim, naming only those to whom it may be held later; the others are suspected.

    Among the named of a claim a few honest sources are to be expected. For one window
    that is a fair price; but a gate remembers whom it named, and in a year of claims the
    few add up. So it names

    - who moved by ``ACCUSED_U`` or more, and only where two did: one is no campaign. The
      others are suspected from ``SUSPECTED_U`` on, and the two furthest anyway;
    - beside sources that are on watch already, nobody else: these go on moving, held as
      they are, and whoever is near them in some later week stands on their evidence. There
      who moved by ``MOVED_U`` is suspected, and whoever only came near is not: week after
      week somebody does;
    - nobody who only changed what they send: timetables, product lines and sensors change
      for honest reasons, together and for good. Labels that contradict what was expected,
      and repeated rows, accuse.

    Args:
        found: by ``claim``.
        family: kind of the statistic that moved.
        watched: positions of sources that were named before and not cleared since.
    """
    far = [at for at, evidence in enumerate(found.evidence) if evidence >= ACCUSED_U]
    if len(far) < 2 or family in HONEST_KINDS:
        far = []
    before = [at for at in far if found.sources[at] in watched]
    moved = zip(found.sources, found.evidence, strict=True)
    bar = MOVED_U if before else min((SUSPECTED_U, *sorted(found.evidence)[-2:]))
    near = {source for source, evidence in moved if evidence >= bar}
    far = before or far
    named = tuple(found.sources[at] for at in far)
    return replace(
        found,
        sources=named,
        suspected=tuple(sorted(near.union(() if before else found.suspected) - set(named))),
        without=tuple(found.without[at] for at in far),
        evidence=tuple(found.evidence[at] for at in far),
    )


def pursue(
    found: PanelCampaign | None, u: Floats, trails: Sequence[Trail]
) -> tuple[PanelCampaign, ...]:
    """The window's claim, and beside the accused whoever moves as they did.

    When three of four are named and held, the fourth moves alone: no claim of several can
    be made of it. But it moves in the statistic and direction that the others were
    accused of, and that is one question about each source, not the search over
    all statistics that the scan has to answer for. Who is found so is suspected, not named:
    while an accusation stands it is asked every week, of honest sources, too.

    Blind to an accomplice that changes its ways once the others are held.

    Args:
        found: what the window's own scan claims.
        u: ``(K, S, P)`` averages in standard units, by scale; NaN = absent.
        trails: of accusations that stand.
    """
    claims = [] if found is None else [found]
    for trail in trails:
        sign = 1 if trail.direction == "up" else -1
        moved = u[:PURSUED_SCALES, :, trail.statistic] * sign
        far = np.nan_to_num(moved, nan=-np.inf).max(axis=0)
        asked = np.isfinite(far).sum() - np.isfinite(far[list(trail.sources)]).sum()
        chance = PURSUED_SCALES * asked * ndtr(-far)
        known = {*trail.sources, *(s for one in claims for s in (*one.sources, *one.suspected))}
        new = np.setdiff1d(np.flatnonzero(chance <= PURSUED_RATE), list(known))
        if len(new):
            claims.append(_followed(trail, moved, new, float(chance[new].min())))
    return tuple(claims)


def _followed(trail: Trail, moved: Floats, new: Ints, p_value: float) -> PanelCampaign:
    scale = int(np.nanargmax(np.nan_to_num(moved[:, new], nan=-np.inf).max(axis=1)))
    far = np.nan_to_num(moved, nan=-np.inf).max(axis=0)
    accused = tuple(source for source in trail.sources if np.isfinite(far[source]))
    return PanelCampaign(
        accused,
        tuple(new.tolist()),
        trail.statistic,
        trail.direction,
        p_value,
        SCALES[scale],
        float(together(moved[scale])),
        without(moved[scale], accused),
        tuple(far[list(accused)].tolist()),
        follows=True,
    )

"""What moves all sources at once is weather, not a campaign: find it and take it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

RIDGE = 8.0
"""Windows' worth of belief that every source follows the common cause alike."""
FORGETTING = 0.99
BEND, BREAK = 2.0, 4.0
"""Full weight up to ``BEND`` standard units from the fit, none beyond ``BREAK``."""
UNEVEN = 0.35
"""Part of a common shift that sources may share unevenly without being suspects."""


@dataclass(frozen=True, slots=True)
class Loadings:
    """How far each source follows the common cause of each statistic.

    Attributes:
        power: ``(P,)`` tracked sum of squared common shifts.
        cross: ``(S, P)`` tracked sum of a source's z times the common shift.
    """

    power: Floats
    cross: Floats


def new_loadings(sources: int, statistics: int) -> Loadings:
    """Loadings before any window."""
    return Loadings(np.zeros(statistics), np.zeros((sources, statistics)))


def loading(loadings: Loadings) -> Floats:
    """``(S, P)`` loading of each source, 1 where nothing is known."""
    return np.asarray((loadings.cross + RIDGE) / (loadings.power + RIDGE))


def common_shift(z: Floats, loadings: Loadings, usable: Bools) -> Floats:
    """``(P,)`` shift that most sources share, in standard units.

    A redescending fit from the median, so that a minority however far away does not
    pull it; more than half of the sources together are taken for the common cause,
    which is why that lane holds and never admits.

    Args:
        z: ``(S, P)`` standardised values.
        loadings: from accepted windows.
        usable: ``(S, P)`` sources that may speak for the others.
    """
    weight_on = loading(loadings)
    shift = _median(z, usable)
    for _ in range(4):
        distance = np.abs(z - weight_on * shift)
        weight = np.clip((BREAK - distance) / (BREAK - BEND), 0.0, 1.0) * usable
        weight = np.where(usable, weight, 0.0)
        top = np.sum(weight * weight_on * np.where(usable, z, 0.0), axis=0)
        bottom = np.sum(weight * np.square(weight_on), axis=0)
        shift = np.where(bottom > 0, top / np.maximum(bottom, 1e-12), shift)
    return np.asarray(shift)


def remove(z: Floats, loadings: Loadings, shift: Floats) -> Floats:
    """``(S, P)`` residuals in standard units, damped where the common shift is large."""
    fit = loading(loadings) * shift
    return np.asarray((z - fit) / np.sqrt(1 + np.square(UNEVEN * fit)))


def update(loadings: Loadings, z: Floats, shift: Floats, accepted: Bools) -> Loadings:
    """Loadings after a window; sources that were not accepted keep theirs."""
    clipped = np.clip(np.where(accepted, z, 0.0), -BREAK, BREAK)
    own = loading(loadings) * shift
    cross = FORGETTING * loadings.cross + np.where(accepted, clipped, own) * shift
    return Loadings(FORGETTING * loadings.power + np.square(shift), cross)


def _median(z: Floats, usable: Bools) -> Floats:
    some = usable.any(axis=0)
    filled = np.where(usable, z, np.nan)
    filled[:, ~some] = 0.0
    return np.asarray(np.nanmedian(filled, axis=0))

"""What moves all sources at once is weather, not a campaign: find it and take it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.standardise import column_median

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

RIDGE = 8.0
"""Windows' worth of belief that every source follows the common cause alike."""
FORGETTING = 0.99
BEND, BREAK = 2.0, 4.0
"""Full weight up to ``BEND`` times the scale of what is left, none beyond ``BREAK``."""
MAD = 1.4826
"""Times the median of how far normal deviations lie, their standard deviation."""
KIN = 2
"""Directions beside the common shift: three common causes in all."""
KIN_WINDOWS = 10
KIN_EDGE = 2.0
"""A direction counts from so many times the middle eigenvalue on."""
KIN_BREAK = 6.0
KIN_RIDGE = 0.5
KIN_ROUNDS = 6
FAR = 8.0
ASKED = 0.75
TRIMMED_SQUARE = 0.37
"""Mean square of the nearer three quarters of normal deviations."""
CALM_SOURCES = 4.0
"""Sources' worth of belief that a window is as calm as others."""
UNEVEN = 0.35
"""Part of a common shift that sources may share unevenly without being suspects."""


@dataclass(frozen=True, slots=True)
class Loadings:
    """How far each source follows the common cause of each statistic.

    Attributes:
        power: ``(P,)`` tracked sum of squared common shifts.
        cross: ``(S, P)`` tracked sum of a source's z times the common shift.
        kin: ``(S, S)`` tracked sum over all statistics of products of what was left.
        windows: accepted windows in ``kin``.
    """

    power: Floats
    cross: Floats
    kin: Floats
    windows: float


def new_loadings(sources: int, statistics: int) -> Loadings:
    """Loadings before any window."""
    return Loadings(
        np.zeros(statistics), np.zeros((sources, statistics)), np.zeros((sources, sources)), 0.0
    )


def loading(loadings: Loadings) -> Floats:
    """``(S, P)`` loading of each source, 1 where nothing is known."""
    return np.asarray((loadings.cross + RIDGE) / (loadings.power + RIDGE))


def common_shift(z: Floats, loadings: Loadings, usable: Bools, usual: Floats) -> Floats:
    """``(P,)`` shift that most sources share, in standard units.

    A redescending fit from the median, so that a minority however far away does not
    pull it; more than half of the sources together are taken for the common cause,
    which is why that lane holds and never admits. How far is far is asked of what is
    left, see ``_far``.

    Args:
        z: ``(S, P)`` standardised values.
        loadings: from accepted windows.
        usable: ``(S, P)`` sources that may speak for the others.
        usual: ``(S, P)`` what is usually left, in standard units.
    """
    weight_on = loading(loadings)
    shift = column_median(np.where(usable, z, np.nan), otherwise=0.0)
    for _ in range(4):
        distance = _far(z - weight_on * shift, usable, usual)
        weight = np.clip((BREAK - distance) / (BREAK - BEND), 0.0, 1.0) * usable
        weight = np.where(usable, weight, 0.0)
        top = np.sum(weight * weight_on * np.where(usable, z, 0.0), axis=0)
        bottom = np.sum(weight * np.square(weight_on), axis=0)
        shift = np.where(bottom > 0, top / np.maximum(bottom, 1e-12), shift)
    return np.asarray(shift)


def remove(
    z: Floats, loadings: Loadings, shift: Floats, usable: Bools, usual: Floats
) -> tuple[Floats, Floats]:
    """What is left of each source once the common causes are taken out.

    After the shift of all, the ``KIN`` strongest directions in which sources have moved
    together, in whatever statistic, are fitted, redescending, to what is left: an
    airport's weather reaches its feeds only. What is left is damped where much was
    taken out, because no common cause is followed evenly; the more so, the less is
    usually left, or sources that are nearly one would all stand out of a new shift.

    Blind to a campaign of just those sources that always move together, and to most of
    one that hides in a shift of all.

    Args:
        z: ``(S, P)`` standardised values.
        loadings: from accepted windows.
        shift: ``(P,)`` from ``common_shift``.
        usable: ``(S, P)`` sources that may speak for the others.
        usual: ``(S, P)`` what is usually left, in standard units.

    Returns:
        ``(S, P)`` residuals in standard units, and ``(S, P)`` the fit of all common causes.
    """
    fit = loading(loadings) * shift
    fit = fit + _kin_fit(np.where(usable, z - fit, 0.0), loadings, usable, usual)
    return np.asarray((z - fit) / np.sqrt(1 + np.square(UNEVEN * fit / usual))), np.asarray(fit)


def turbulence(rest: Floats, usable: Bools) -> Floats:
    """``(S, P)`` how far apart honest sources lie in this window, in standard units, from 1.

    A campaign moves one way; a holiday, a storm or a new rule throws sources apart both
    ways. So what moved up is held against the spread of what moved down, and the other
    way round. The furthest quarter of a side is not asked, so that a decoy sent the other
    way does not cover for the rest. Blind to decoys from more sources than that.

    Args:
        rest: ``(S, P)`` residuals, in units of what is usually left.
        usable: ``(S, P)`` sources that may speak for the others.
    """
    above = _side_scale(rest, usable & (rest > 0))
    below = _side_scale(-rest, usable & (rest < 0))
    return np.where(rest > 0, below, above)


def _side_scale(far: Floats, side: Bools) -> Floats:
    ordered = np.sort(np.where(side, np.minimum(far, FAR), np.inf), axis=0)
    kept = np.floor(ASKED * side.sum(axis=0)).astype(np.int64)
    squares = np.cumsum(np.where(np.isinf(ordered), 0.0, np.square(ordered)), axis=0)
    total = np.where(
        kept > 0, np.take_along_axis(squares, np.maximum(kept - 1, 0)[None], axis=0)[0], 0.0
    )
    variance = (CALM_SOURCES + total / TRIMMED_SQUARE) / (CALM_SOURCES + kept)
    return np.asarray(np.sqrt(np.maximum(variance, 1.0)))


def _far(rest: Floats, usable: Bools, usual: Floats) -> Floats:
    """``(S, P)`` how far each source lies from a fit, in units of what the fit leaves.

    Neighbours that follow their common causes closely leave a tenth of a standard unit; one
    that departs by two would pull the others' fit after it, and they would seem to move the
    other way together. While the fit is rough, or in a storm, all lie far from it and none
    may be left out for that: the scale is at least what this window's middle source has.

    Source:
        Huber's proposal of a scale beside the fit, by the median absolute deviation.
    """
    far = np.abs(rest)
    middle = MAD * column_median(np.where(usable, far, np.nan), otherwise=0.0)
    return np.asarray(far / np.minimum(np.maximum(usual, middle), 1.0))


def _kin_fit(rest: Floats, loadings: Loadings, usable: Bools, usual: Floats) -> Floats:
    directions = _kin_directions(loadings)
    count = directions.shape[1]
    fit = np.zeros_like(rest)
    if count == 0:
        return fit
    for turn in range(KIN_ROUNDS):
        away = _far(rest - fit, usable, usual)
        if turn < KIN_ROUNDS // 2:  # a storm is far from no storm: bend first, break later
            weight = usable / np.maximum(1.0, away / BEND)
        else:
            weight = np.clip((KIN_BREAK - away) / (KIN_BREAK - BEND), 0.0, 1.0) * usable
        normal = np.einsum("sk,sp,sl->pkl", directions, weight, directions)
        right = np.einsum("sk,sp->pk", directions, weight * rest)
        score = np.linalg.solve(normal + KIN_RIDGE * np.eye(count), right[:, :, None])[:, :, 0]
        fit = directions @ score.T
    return np.asarray(fit)


def _kin_directions(loadings: Loadings) -> Floats:
    """``(S, K)`` orthonormal; only those that stand out from the bulk."""
    if loadings.windows < KIN_WINDOWS:
        return np.zeros((len(loadings.kin), 0))
    value, direction = np.linalg.eigh(loadings.kin)
    # Sources that never spoke have no share in the bulk.
    bulk = value[value > 1e-9 * max(float(value[-1]), 1e-300)]
    far = value[-KIN:] > KIN_EDGE * (np.median(bulk) if len(bulk) else np.inf)
    return np.asarray(direction[:, -KIN:][:, far])


def update(loadings: Loadings, z: Floats, shift: Floats, accepted: Bools, spoke: Bools) -> Loadings:
    """Loadings after a window; sources that were not accepted keep theirs.

    Args:
        loadings: before the window.
        z: ``(S, P)`` standardised values.
        shift: ``(P,)`` from ``common_shift``.
        accepted: ``(S, P)`` what may be learnt from.
        spoke: ``(S, P)`` what had history enough to be judged.
    """
    own = loading(loadings) * shift
    followed = np.where(accepted, np.clip(z, -BREAK, BREAK), own)
    cross = FORGETTING * loadings.cross + followed * shift
    rest = np.where(accepted & spoke, np.clip(z - own, -BEND, BEND), 0.0)
    kin = FORGETTING * loadings.kin + rest @ rest.T
    windows = loadings.windows + float(spoke.any())
    return Loadings(FORGETTING * loadings.power + np.square(shift), cross, kin, windows)

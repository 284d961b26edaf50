"""What moves all sources at once is weather, not a campaign: find it and take it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from credenza.campaigns.standardise import column_median

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

RIDGE = 8.0
"""Windows' worth of belief that every source follows the common cause alike."""
FORGETTING = 0.99
BEND, BREAK = 2.0, 4.0
"""Full weight up to ``BEND`` times the unit of what is left, none beyond ``BREAK``."""
ROUNDS = 10
LEAST_RIDGE = 1e-9
MAD = 1.4826
"""Times the median of how far normal deviations lie, their standard deviation."""
LASTING = 0.25
"""Standard units by which all are away from their levels on average in any quiet month."""
KIN = 2
"""Directions beside the common shift: three common causes in all."""
KIN_WINDOWS = 10
KIN_EDGE = (1.43, 1.82, -0.95, 0.56)
"""Coefficients of ``_chance_edge``, by power of sources over observations."""
KIN_RIDGE = 0.5
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
    """``(S, P)`` loading of each source, 1 for the middle one and where nothing is known.

    Far deviations are clipped before they are learnt, so that shifts which reach further than
    that would make all loadings smaller, and the next shift seem larger for it.
    """
    own, heard = _learnt(loadings), _heard(loadings)
    middle = np.median(own[heard], axis=0) if heard.any() else np.ones(own.shape[1])
    return np.asarray(own / np.where(middle > 0, middle, 1.0))


def _learnt(loadings: Loadings) -> Floats:
    return np.asarray((loadings.cross + RIDGE) / (loadings.power + RIDGE))


def _heard(loadings: Loadings) -> Bools:
    """``(S,)`` who was ever learnt from: a source that never spoke is as one that is not there."""
    return np.asarray(np.diagonal(loadings.kin) > 0)


def voices(ready: Bools, groups: tuple[str, ...], strayed: Floats) -> Floats:
    """``(S, P)`` how much each source says of what all do; 0 = nothing.

    Sources of one group speak as one. And whoever has been away from the fit for a while
    does not speak for those who are not: while a source drifts, the others would be fitted
    to it a little in every window, and what is left of that in their averages looks as if
    they moved together. Where that leaves fewer than half, all speak.

    Args:
        ready: ``(S, P)`` who may speak.
        groups: of each source; "" = alone.
        strayed: ``(S, P)`` how far the slow averages had gone before this window, in
            standard units.
    """
    speaks = ready.astype(np.float64)
    for name in {group for group in groups if group}:
        members = [place for place, group in enumerate(groups) if group == name]
        speaks[members] /= np.maximum(speaks[members].sum(axis=0), 1.0)
    heard = speaks * np.clip((BREAK - strayed) / (BREAK - BEND), 0.0, 1.0)
    enough = 2 * (heard > 0).sum(axis=0) >= ready.sum(axis=0)
    return np.where(enough, heard, speaks)


def fit_causes(
    z: Floats, loadings: Loadings, speaks: Floats, usual: Floats
) -> tuple[Floats, Floats]:
    """What moves many sources at once, fitted to one window.

    The shift of all and the ``KIN`` strongest directions in which sources have moved
    together, in whatever statistic (an airport's weather reaches its feeds only), are fitted
    together: one after the other, the shift of a third of the sources would be taken for
    half a shift of all, and what that leaves of the others for a campaign. The fit bends
    first and breaks later, from the median, so that a fifth of the sources, however far away,
    do not pull it. How far is far is asked of what is left, see ``_unit``.

    Blind to a campaign of just those sources that always move together. From a quarter of
    the sources on, who leave close neighbours by little may pull the fit; more than half are
    taken for the common cause, which is why that lane holds and never admits.

    Args:
        z: ``(S, P)`` standardised values.
        loadings: from accepted windows.
        speaks: ``(S, P)`` weight of each source in what all do; 0 = may not speak for the others.
        usual: ``(S, P)`` what is usually left, in standard units.

    Returns:
        ``(P,)`` shift that most sources share, and ``(S, P)`` the fit of all common causes.
    """
    follows = _follows(loadings)
    usable = speaks > 0
    known = np.where(usable, z, 0.0)
    ridge = np.diag([LEAST_RIDGE] + [KIN_RIDGE] * (follows.shape[2] - 1))
    middle = column_median(np.where(usable, z, np.nan), otherwise=0.0)
    shift, fit = middle, np.asarray(follows[:, :, 0].T * middle)
    for turn in range(ROUNDS):
        away = np.abs(z - fit) / _unit(z - fit, usable, usual)
        if turn < ROUNDS // 2:  # a storm is far from no storm: bend first, break later
            weight = speaks / np.maximum(1.0, away / BEND)
        else:
            weight = speaks * np.clip((BREAK - away) / (BREAK - BEND), 0.0, 1.0)
        weighted = np.swapaxes(follows * weight.T[:, :, None], 1, 2)
        right = weighted @ known.T[:, :, None]
        amount = np.linalg.solve(weighted @ follows + ridge, right)
        shift = np.asarray(amount[:, 0, 0])
        fit = np.asarray((follows @ amount)[:, :, 0].T)
    return shift, fit


def remove(z: Floats, fit: Floats, usual: Floats) -> Floats:
    """``(S, P)`` what is left of each source once the common causes are taken out.

    It is damped where much was taken out, because no common cause is followed evenly; the
    more so, the less is usually left, or sources that are nearly one would all stand out of
    a new shift. Blind to most of a campaign that hides in a shift of all.

    Args:
        z: ``(S, P)`` standardised values.
        fit: ``(S, P)`` from ``fit_causes``.
        usual: ``(S, P)`` what is usually left, in standard units.
    """
    return np.asarray((z - fit) / np.sqrt(1 + np.square(UNEVEN * fit / usual)))


def damped(shift: Floats) -> Floats:
    """A shift of all in the units of what ``remove`` leaves of it."""
    return np.asarray(shift / np.sqrt(1 + np.square(UNEVEN * shift)))


def unevenness(loadings: Loadings, shifts: Floats) -> Floats:
    """``(K, S, P)`` how far averages lie apart because a shift of all has lasted.

    Who follows a common shift by half or twice as much does so in every window: that is no
    noise, and no average over windows makes it less. Blind to a campaign that grows inside of
    a lasting shift, as ``remove`` is to one that hides in a sudden one.

    Args:
        loadings: from accepted windows.
        shifts: ``(K, 1, P)`` averages of the ``damped`` shift.
    """
    return UNEVEN * np.maximum(np.abs(loading(loadings) * shifts) - LASTING, 0.0)


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


def _unit(rest: Floats, usable: Bools, usual: Floats) -> Floats:
    """``(S, P)`` what a fit usually leaves of each source, at most a standard unit.

    Neighbours that follow their common causes closely leave a tenth of a standard unit; one
    that departs by two would pull the others' fit after it, and they would seem to move the
    other way together. While the fit is rough, or in a storm, all lie far from it and none
    may be left out for that: the unit is at least what this window's middle source has.

    Source:
        Huber's proposal of a scale beside the fit, by the median absolute deviation.
    """
    middle = MAD * column_median(np.where(usable, np.abs(rest), np.nan), otherwise=0.0)
    return np.asarray(np.minimum(np.maximum(usual, middle), 1.0))


def _follows(loadings: Loadings) -> Floats:
    """``(P, S, 1 + K)`` how each source follows the shift of all and each direction."""
    shift = loading(loadings).T[:, :, None]
    kin = _kin_directions(loadings)
    return np.concatenate([shift, np.broadcast_to(kin, (len(shift), *kin.shape))], axis=2)


def _kin_directions(loadings: Loadings) -> Floats:
    """``(S, K)`` orthonormal; only those that stand further out of the bulk than chance does.

    A direction that is none takes a part of whatever the sources do next out of it, campaigns
    included. Blind to a true one in a panel of few statistics that is young.
    """
    if loadings.windows < KIN_WINDOWS:
        return np.zeros((len(loadings.kin), 0))
    kin = loadings.kin.astype(np.float64)  # in single precision nothing is as much as a little
    value = linalg.eigvalsh(kin, check_finite=False)
    # Sources that never spoke have no share in the bulk.
    bulk = value[value > 1e-9 * max(float(value[-1]), 1e-300)]
    edge = _chance_edge(loadings) * (np.median(bulk) if len(bulk) else np.inf)
    far = int(np.count_nonzero(value[-KIN:] > edge))
    if not far:
        return np.zeros((len(loadings.kin), 0))
    furthest = (len(value) - far, len(value) - 1)
    return np.asarray(linalg.eigh(kin, subset_by_index=furthest, check_finite=False)[1])


def _chance_edge(loadings: Loadings) -> float:
    """Times the middle eigenvalue, from which on a direction is more than chance makes.

    The fewer windows times statistics a panel remembers for its sources, the further apart
    the eigenvalues of pure noise lie: 2 with many statistics, 3 with one.

    Source:
        Gavish and Donoho 2014, the optimal hard threshold where the noise is unknown, in
        their approximation for singular values, squared. Windows are counted as they are
        remembered, which allows for neighbours that are alike.
    """
    statistics = loadings.cross.shape[1]
    remembered = (1 - FORGETTING**loadings.windows) / (1 - FORGETTING)
    ratio = min(_heard(loadings).sum() / (remembered * statistics), 1.0)
    return float(np.polynomial.polynomial.polyval(ratio, KIN_EDGE)) ** 2


def update(  # noqa: PLR0917 - one window's five arrays, in order
    loadings: Loadings,
    z: Floats,
    shift: Floats,
    accepted: Bools,
    spoke: Bools,
    usual: Floats,
) -> Loadings:
    """Loadings after a window; sources that were not accepted keep theirs.

    What a source does by itself must not become a direction that it has moved in together
    with others: it counts up to ``BEND`` of the unit that the fit has.

    Args:
        loadings: before the window.
        z: ``(S, P)`` standardised values.
        shift: ``(P,)`` from ``fit_causes``.
        accepted: ``(S, P)`` what may be learnt from.
        spoke: ``(S, P)`` what had history enough to be judged.
        usual: ``(S, P)`` what is usually left, in standard units.
    """
    own = loading(loadings) * shift
    followed = np.where(accepted, np.clip(z, -BREAK, BREAK), _learnt(loadings) * shift)
    cross = FORGETTING * loadings.cross + followed * shift
    learnt = accepted & spoke
    reach = BEND * _unit(z - own, learnt, usual)
    rest = np.where(learnt, np.clip(z - own, -reach, reach), 0.0)
    kin = FORGETTING * loadings.kin + rest @ rest.T
    windows = loadings.windows + float(spoke.any())
    return Loadings(FORGETTING * loadings.power + np.square(shift), cross, kin, windows)

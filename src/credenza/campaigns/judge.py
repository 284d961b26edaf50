"""One window judged against a state: what moved, how far, and the chance of it. Pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from credenza.campaigns import (
    common_cause,
    normal_scores,
    seasons,
    self_calibrate,
    standardise,
)
from credenza.campaigns.claim import SCALES, PanelCampaign, claim
from credenza.campaigns.scan import together
from credenza.profiling.statistics.builtin import KINDS, OTHER, STRUCTURE, Kind

if TYPE_CHECKING:
    from credenza.campaigns.state import PanelState
    from credenza.core.types import Bools, Floats, Ints

WARM_UP = 6
"""Accepted windows before residuals are scored."""
SOURCE_U = 4.5
FAR = 12.0
SLOW = slice(2, None)
"""Of ``SCALES``: averages in which a source is away for good, and not for a storm."""
ALONE_U = 3.0
AHEAD = 1.0
"""Standard units by which a source has gone further than any other, and so by itself."""
SLOW_FAR = 4.0
"""What lasts need not be far: beyond this an average takes a leap for a leap."""


@dataclass(frozen=True, slots=True)
class SourceAlarm:
    """One source far from its own past, whatever the others do."""

    source: int
    statistic: int
    direction: str
    deviation: float


@dataclass(frozen=True, slots=True)
class WindowResult:
    """What the scan says of one window.

    Attributes:
        t: position of the window.
        p_value: of the largest campaign score, floored at 1 / (history + 1).
        surprise: minus the logarithm of that chance, not floored: for ranking windows.
        campaign: what moved together, or None.
        source_alarms: sources that moved alone or far.
        residual: ``(S, P)`` standard units, as normal scores where no sampling error is
            known, common cause removed; NaN = absent.
        averages: ``(K, S, P)`` averages of the residuals, by scale, in standard units of
            their own; NaN = absent.
        common_shift: ``(P,)`` shift shared by most sources, in standard units.
        expected: ``(S, P)`` what each source was expected to show.
        scale: ``(S, P)`` one standard unit.
        history: accepted windows that the p-value rests on.
        alarms_so_far: share of the judged windows that had a campaign.
    """

    t: int
    p_value: float
    surprise: float
    campaign: PanelCampaign | None
    source_alarms: tuple[SourceAlarm, ...]
    residual: Floats
    averages: Floats
    common_shift: Floats
    expected: Floats
    scale: Floats
    history: int
    alarms_so_far: float


@dataclass(frozen=True, slots=True)
class Measured:
    """How far each source is from its own past.

    Attributes:
        values: ``(S, P)`` season removed, 0 where absent.
        sd: ``(S, P)`` sampling errors.
        seen: ``(S, P)``.
        ready: ``(S, P)`` seen, and with history enough to be scored.
        usual: ``(S, P)`` what each usually shows, season included.
        scale: ``(S, P)`` one standard unit.
        deviation: ``(S, P)`` standard units, common cause included.
        by_rank: ``(S, P)`` where these were taken for normal scores.
        rungs: ``(P, CELLS + 1)`` by which they were.
        z: ``(S, P)`` the deviations, as normal scores where no sampling error is known.
    """

    values: Floats
    sd: Floats
    seen: Bools
    ready: Bools
    usual: Floats
    scale: Floats
    deviation: Floats
    by_rank: Bools
    rungs: Floats
    z: Floats


@dataclass(frozen=True, slots=True)
class Remainder:
    """What the common causes leave of a window.

    Attributes:
        usual: ``(K, S, P)`` how far each average usually goes.
        shift: ``(P,)`` shift that most sources share.
        fit: ``(S, P)`` of all common causes.
        residual: ``(S, P)`` what is left; NaN = absent or unknown.
        averages: ``(K, S, P)`` averages of the residuals, by scale; NaN = absent.
        shifts: ``(K, 1, P)`` averages of the shift, damped.
        u: ``(K, S, P)`` averages in standard units; NaN = absent.
        asked: ``(2, S, P)`` who is asked by the scan, up and down.
    """

    usual: Floats
    shift: Floats
    fit: Floats
    residual: Floats
    averages: Floats
    shifts: Floats
    u: Floats
    asked: Bools


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judged window: what was given, what is said of it, and what may be learnt.

    Attributes:
        scores: ``(C,)`` scores by scale, direction and statistic.
        verdict: of the past scores on these, before ``self_calibrate.honest``.
    """

    result: WindowResult
    given: tuple[Floats, Floats, Bools]
    measured: Measured
    left: Remainder
    scores: Floats
    verdict: self_calibrate.Verdict


def judge(state: PanelState, given: tuple[Floats, Floats, Bools]) -> Judgement:
    """Judge one window; the state is left as it is.

    Args:
        state: what the windows before left.
        given: ``(S, P)`` values, their sampling errors, and which were seen.
    """
    measured = _measured(state, given)
    left = _without_causes(state, measured)
    scores = scan(left.u, left.asked, state.groups, reach_of(state.families)).ravel()
    verdict = self_calibrate.judge(state.history, state.recent, scores, *_kinds(state.families))
    result = _result(state, measured, left, verdict)
    return Judgement(result, given, measured, left, scores, verdict)


def _measured(state: PanelState, given: tuple[Floats, Floats, Bools]) -> Measured:
    values, sd, seen = given
    levels = state.levels
    season = seasons.offsets(state.seasons, state.windows)
    x = np.where(seen, values - season, 0.0)
    scale = standardise.scales(levels, sd)
    ready = seen & (levels.count >= WARM_UP)
    deviation = np.where(seen & (levels.count > 0), (x - levels.mean) / scale, 0.0)
    # A sampling error says how far is far; without one only the panel's past does.
    by_rank = ready & (sd == 0).all(axis=0)
    rungs = normal_scores.ladder(state.shapes)
    z = np.where(by_rank, normal_scores.scores(rungs, deviation), deviation)
    return Measured(x, sd, seen, ready, levels.mean + season, scale, deviation, by_rank, rungs, z)


def _without_causes(state: PanelState, own: Measured) -> Remainder:
    usual = _usual(state, own.sd, own.scale)
    before = state.averages / usual
    strayed = np.abs(before[SLOW]).max(axis=0)
    speaks = common_cause.voices(own.ready, state.groups, strayed)
    shift, fit = common_cause.fit_causes(own.z, state.loadings, speaks, usual[0])
    rest = common_cause.remove(own.z, fit, usual[0])
    turbulence = common_cause.turbulence(rest / usual[0], own.ready)
    residual = np.where(own.ready, rest / turbulence, np.nan)
    averages = _averages(state.averages, residual)
    shifts = _averages(state.shifts, common_cause.damped(shift))
    uneven = common_cause.unevenness(state.loadings, shifts)
    uneven[SCALES.index(1.0)] = 0.0  # of a single window it is known, and out of the residual
    u = averages / np.hypot(usual, uneven)
    return Remainder(usual, shift, fit, residual, averages, shifts, u, ~alone(before))


def alone(before: Floats) -> Bools:
    """``(2, S, P)`` who had gone far by itself before this window, up and down.

    The scan leaves the furthest source out, because one is no campaign. A source that
    drifts would take that place for weeks, and whoever is left out otherwise, for a storm
    or a wandering of its own, would be counted as its accomplice. Blind where one of
    several goes ahead of the others for a while: it is missed as evidence, and named.

    Args:
        before: ``(K, S, P)`` averages in standard units.
    """
    lasting = before[1:]
    far = np.stack([lasting.max(axis=0), -lasting.min(axis=0)])
    first = far == far.max(axis=1, keepdims=True)
    second = np.where(first, -np.inf, far).max(axis=1, keepdims=True)
    return np.asarray(first & (far > ALONE_U) & (far > second + AHEAD))


def _result(
    state: PanelState, own: Measured, left: Remainder, verdict: self_calibrate.Verdict
) -> WindowResult:
    honest = self_calibrate.honest(state.chances, verdict.chance)
    history = len(state.history)
    p_value = max(honest, self_calibrate.finest(history))
    shared = np.where(own.by_rank, normal_scores.deviations(own.rungs, left.fit), left.fit)
    return WindowResult(
        t=state.windows,
        p_value=p_value,
        surprise=-float(np.log(max(honest, 1e-300))),
        campaign=_claimed(state, own, left, verdict.top, p_value) if honest <= state.rate else None,
        source_alarms=_source_alarms(left.residual),
        residual=left.residual,
        averages=left.u,
        common_shift=left.shift,
        expected=own.usual + own.scale * shared,
        scale=own.scale,
        history=history,
        alarms_so_far=state.alarms / max(1, state.judged),
    )


def _claimed(
    state: PanelState, own: Measured, left: Remainder, top: int, p_value: float
) -> PanelCampaign | None:
    """What the score at place ``top`` of all is of."""
    scale, direction, statistic = np.unravel_index(top, (len(SCALES), 2, len(state.statistics)))
    reach = reach_of(state.families)[statistic]
    return claim(
        np.clip(left.u[:, :, statistic], -reach, reach),
        np.where(own.ready, own.deviation, np.nan)[:, statistic],
        (int(scale), int(direction)),
        int(statistic),
        p_value,
    )


def judged_windows(count: Floats) -> Floats:
    """How many windows of each source and statistic were scored."""
    return np.asarray(np.maximum(count - WARM_UP, 0.0))


def scan(u: Floats, asked: Bools, groups: tuple[str, ...], reach: Floats) -> Floats:
    """``(K, 2, P)`` score by scale, direction (up, down) and statistic.

    Args:
        u: ``(K, S, P)`` averages in standard units; NaN = absent.
        asked: ``(2, S, P)`` whose count, up and down.
        groups: of each source.
        reach: ``(P,)`` beyond it a source says no more of the others.
    """
    both = np.where(asked, np.stack([u, -u], axis=1), np.nan)
    one = _one_per_group(np.moveaxis(both, 2, 0), groups)
    return together(np.minimum(one, reach))


def reach_of(families: tuple[str, ...]) -> Floats:
    """``(P,)`` beyond it a source says no more of the others."""
    return np.array([KINDS.get(name, Kind()).reach for name in families])


def _usual(state: PanelState, sd: Floats, scale: Floats) -> Floats:
    """``(K, S, P)`` how far each average usually goes."""
    judged = judged_windows(state.levels.count)
    # Without a sampling error, what was left of the past windows is the only yardstick.
    own = (sd == 0) & (judged >= standardise.PRIOR_WINDOWS)
    steady = np.where(own, 0.1, _steady(standardise.calmness(state.levels, scale)))
    wandered = np.sqrt(standardise.wandered(state.wander, judged))
    return np.asarray(np.maximum(steady, wandered))


def _averages(old: Floats, new: Floats) -> Floats:
    """``(K, S, P)`` weighted averages after this window; NaN = absent now."""
    weight = np.asarray(SCALES)[:, None, None]
    far = np.where(weight == 1, FAR, SLOW_FAR)
    return np.asarray((1 - weight) * old + weight * np.clip(new, -far, far))


def _steady(calm: Floats) -> Floats:
    """``(K, S, P)`` standard deviation of each average in the long run."""
    weight = np.asarray(SCALES)[:, None, None]
    variance = weight + (1 - weight) * np.square(calm)
    return np.asarray(np.sqrt(variance * weight / (2 - weight)))


def _one_per_group(u: Floats, groups: tuple[str, ...]) -> Floats:
    """Sources of one declared group are one: its furthest member, as far as that is of many.

    One organisation that changes something changes it in all of its feeds. The furthest
    of m has m times the chance, so that a group is neither louder nor deafer than others.
    """
    for name in sorted({group for group in groups if group}):
        members = [place for place, group in enumerate(groups) if group == name]
        own = np.where(np.isnan(u[members]), -np.inf, u[members])
        count = np.maximum(np.isfinite(own).sum(axis=0), 1)
        furthest = own.max(axis=0)
        one = -ndtri_exp(np.minimum(log_ndtr(-furthest) + np.log(count), np.log(1 - 1e-9)))
        u[members] = np.nan
        u[members[0]] = np.where(np.isneginf(furthest), np.nan, one)
    return u


@cache
def _kinds(families: tuple[str, ...]) -> tuple[Ints, Floats]:
    """Which kind of evidence each score is, and each kind's part of the rate.

    Nothing is claimed of several sources' structure: -1.

    Returns:
        ``(C,)`` number of the kind, in the order of ``scan``; ``(K,)`` parts.
    """
    parts: dict[tuple[str, float], float] = defaultdict(float)
    for name in sorted(set(families) - {STRUCTURE}):
        for scale in SCALES:
            parts[_kind(name, scale)] += KINDS.get(name, Kind()).attention / len(SCALES)
    number = {kind: place for place, kind in enumerate(parts)}
    kinds = [_kind(name, scale) for scale in SCALES for _ in range(2) for name in families]
    return np.array([number.get(kind, -1) for kind in kinds]), np.array([*parts.values()])


def _kind(family: str, scale: float) -> tuple[str, float]:
    """Statistics of which nothing is known are told apart by how long a move lasts.

    Leaps of anything come and go, what lasts is rare. A family that is known has an
    ordinary of its own, and its part of the rate is better not cut into four.
    """
    return family, scale if family == OTHER else 0.0


def _source_alarms(residual: Floats) -> tuple[SourceAlarm, ...]:
    far = np.argwhere(np.abs(np.nan_to_num(residual)) >= SOURCE_U)
    return tuple(
        SourceAlarm(int(s), int(p), "up" if residual[s, p] > 0 else "down", float(residual[s, p]))
        for s, p in far
    )

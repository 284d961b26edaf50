"""The scan of a panel, window by window: ``PanelScanner`` and ``scan_panel``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import log_ndtr, ndtri_exp

from credenza.campaigns import common_cause, seasons, self_calibrate, standardise
from credenza.campaigns.claim import SCALES, PanelCampaign, claim
from credenza.campaigns.scan import berk_jones
from credenza.campaigns.state import PanelState, Pending, new_state, pack, unpack
from credenza.core.errors import UsageError
from credenza.profiling.statistics.builtin import KINDS, Kind, family_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.core.types import Bools, Floats

WARM_UP = 6
"""Accepted windows before residuals are scored."""
SOURCE_U = 4.5
FAR = 12.0


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
        campaign: what moved together, or None.
        source_alarms: sources that moved alone or far.
        residual: ``(S, P)`` standard units, common cause removed; NaN = absent.
        common_shift: ``(P,)`` shift shared by most sources, in standard units.
        expected: ``(S, P)`` what each source was expected to show.
        scale: ``(S, P)`` one standard unit.
        history: accepted windows that the p-value rests on.
        alarms_so_far: share of the judged windows that had a campaign.
    """

    t: int
    p_value: float
    campaign: PanelCampaign | None
    source_alarms: tuple[SourceAlarm, ...]
    residual: Floats
    common_shift: Floats
    expected: Floats
    scale: Floats
    history: int
    alarms_so_far: float


class PanelScanner:
    """Judges one window after the other; its state is small and never rescans.

    ``step`` judges, ``accept`` learns. Sources that are not accepted teach nothing: their
    level, scale, share in the common cause and part in the ordinary scores stay as they
    were, or an attacker would train the baseline. Only the averages that evidence is
    gathered in go on. The order of sources does not matter to the verdict.

    Args:
        sources: names.
        statistics: names.
        families: kind of evidence of each statistic; each kind is calibrated by itself
            and has its part of the rate; "structure" alarms on single sources only.
            None: as ``profiling.statistics`` has them by name.
        groups: group of each source; sources of one group count once. "" = alone.
        periods: lengths of cycles in windows, such as 7 for days of the week.
        rate: false campaigns per window that are accepted.
    """

    def __init__(
        self,
        sources: Sequence[str],
        statistics: Sequence[str],
        *,
        families: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        periods: Sequence[int] = (),
        rate: float = 0.01,
    ) -> None:
        self.state: PanelState = new_state(
            tuple(sources),
            tuple(statistics),
            tuple(map(family_of, statistics) if families is None else families),
            tuple(groups or [""] * len(sources)),
            tuple(periods),
            rate,
        )

    def step(
        self,
        values: Floats,
        sampling_sd: Floats | None = None,
        present: Bools | None = None,
    ) -> WindowResult:
        """Judge one window; nothing is learnt before ``accept``.

        Args:
            values: ``(S, P)``; NaN = absent.
            sampling_sd: ``(S, P)`` sampling error of each, when it is known.
            present: ``(S,)`` sources that sent anything.
        """
        state = self.state
        x, sd, seen = _checked(state, values, sampling_sd, present)
        season = seasons.offsets(state.seasons, state.windows)
        x = np.where(seen, x - season, 0.0)
        scale = standardise.scales(state.levels, sd)
        ready = seen & (state.levels.count >= WARM_UP)
        z = np.where(seen & (state.levels.count > 0), (x - state.levels.mean) / scale, 0.0)
        shift = common_cause.common_shift(z, state.loadings, ready)
        rest, fit = common_cause.remove(z, state.loadings, shift, ready)
        residual = np.where(ready, rest, np.nan)
        averages = _averages(state.averages, residual)
        judged = np.maximum(state.levels.count - WARM_UP, 0.0)
        wandered = np.sqrt(standardise.wandered(state.wander, judged))
        # Without a sampling error, what was left of the past windows is the only yardstick.
        own = (sd == 0) & (judged >= standardise.PRIOR_WINDOWS)
        steady = np.where(own, 0.1, _steady(standardise.calmness(state.levels, sd)))
        u = averages / np.maximum(steady, wandered)
        reach = _reach(state.families)
        cells = _scan(u, state.groups, reach)
        scores = cells.max(axis=(0, 1))
        top, chance = self_calibrate.judge(
            state.history, state.recent, scores, state.families, _attention(state.families)
        )
        history = len(state.history)
        floor = self_calibrate.finest(history)
        campaign = None
        if chance <= state.rate:
            campaign = claim(np.clip(u, -reach, reach), cells, top, max(chance, floor))
        self.state = state.with_pending(
            Pending(x, sd, seen, standardise.CLIP * scale, z, shift, averages, u, scores),
            judged=history >= self_calibrate.LEAST_WINDOWS,
            alarm=campaign is not None,
        )
        return WindowResult(
            t=state.windows,
            p_value=max(chance, floor),
            campaign=campaign,
            source_alarms=_source_alarms(residual),
            residual=residual,
            common_shift=shift,
            expected=state.levels.mean + season + scale * fit,
            scale=scale,
            history=history,
            alarms_so_far=state.alarms / max(1, state.judged),
        )

    def accept(self, accepted: Bools | None = None) -> None:
        """Learn from the window judged last, for the accepted sources only.

        Args:
            accepted: ``(S,)``; None: all of them.

        Raises:
            UsageError: no window is pending.
        """
        state, pending = self.state, self.state.pending
        if pending is None:
            raise UsageError(
                "no-window", "no window waits to be accepted", fix="call step before accept"
            )
        taken = np.ones(len(state.sources), bool) if accepted is None else np.asarray(accepted)
        mask = pending.seen & taken[:, None]
        away = np.clip(pending.values - state.levels.mean, -pending.reach, pending.reach)
        history = state.history
        spoke = np.isfinite(pending.u[0])
        if (spoke & taken[:, None]).any():
            scores = pending.scores
            if (spoke & ~taken[:, None]).any():
                ours = np.where(taken[None, :, None], pending.u, np.nan)
                scores = _scan(ours, state.groups, _reach(state.families)).max(axis=(0, 1))
            history = self_calibrate.extend(history, scores)
        self.state = replace(
            state,
            pending=None,
            levels=standardise.update(state.levels, pending.values, pending.sd, mask),
            loadings=common_cause.update(
                state.loadings, pending.z, pending.shift, mask & (state.levels.count > 0), spoke
            ),
            seasons=seasons.update(
                state.seasons, state.windows - 1, away, mask & (state.levels.count > 0)
            ),
            wander=standardise.track_wander(
                state.wander,
                pending.averages,
                np.maximum(state.levels.count - WARM_UP, 0.0) + 1,
                mask,
            ),
            averages=np.where(spoke, pending.averages, state.averages),
            recent=np.stack([state.recent[1], pending.scores]),
            history=history,
        )

    def to_bytes(self) -> bytes:
        """The whole state, a window that waits for acceptance included."""
        return pack(self.state)

    @classmethod
    def from_bytes(cls, data: bytes) -> PanelScanner:
        """The scanner that ``to_bytes`` wrote.

        Raises:
            UntrustedError: the bytes are not such a state.
        """
        scanner = cls.__new__(cls)
        scanner.state = unpack(data)
        return scanner


def scan_panel(
    values: Floats,
    *,
    start: int,
    periods: Sequence[int] = (),
    groups: Sequence[str] | None = None,
    rate: float = 0.01,
    accepted: Bools | None = None,
) -> Iterator[WindowResult]:
    """Judge every window of a panel from ``start`` on, each by its past alone.

    Args:
        values: ``(S, T, P)`` sources, windows, statistics; NaN = absent.
        start: first window that is judged; those before it are vetted history.
        periods: lengths of cycles in windows, such as 7 for days of the week.
        groups: group of each source; sources of one group count once.
        rate: false campaigns per window that are accepted.
        accepted: ``(S, T)`` False where a batch was held and must teach nothing; None:
            a window with a campaign teaches nothing of its named and suspected sources.

    Yields:
        One ``WindowResult`` a window, in order.

    Raises:
        UsageError: a shape does not fit.
    """
    if values.ndim != 3 or not 0 <= start <= values.shape[1]:
        raise UsageError(
            "bad-panel",
            "the panel is not (sources, windows, statistics) with a start inside it",
            why=f"shape {values.shape}, start {start}",
            fix="give a three-dimensional array, NaN where a source is absent",
        )
    sources, windows, statistics = values.shape
    names = [f"{s:06d}" for s in range(sources)]
    scanner = PanelScanner(
        names,
        [f"{p:06d}" for p in range(statistics)],
        groups=groups,
        periods=periods,
        rate=rate,
    )
    for t in range(windows):
        result = scanner.step(values[:, t, :])
        if t >= start:
            yield result
        taken = np.ones(sources, bool)
        if accepted is not None:
            taken = np.asarray(accepted[:, t], dtype=bool)
        elif t >= start and result.campaign is not None:
            taken[list(result.campaign.sources + result.campaign.suspected)] = False
        scanner.accept(taken)


def _checked(
    state: PanelState, values: Floats, sampling_sd: Floats | None, present: Bools | None
) -> tuple[Floats, Floats, Bools]:
    x = np.asarray(values, dtype=np.float64)
    shape = (len(state.sources), len(state.statistics))
    sd = np.zeros(shape) if sampling_sd is None else np.asarray(sampling_sd, dtype=np.float64)
    if x.shape != shape or sd.shape != shape:
        raise UsageError(
            "bad-panel",
            "a window has another shape than the panel",
            why=f"{x.shape} and {sd.shape} against {shape}",
            fix="give one row per source and one column per statistic",
        )
    seen = np.isfinite(x) & np.isfinite(sd)
    if present is not None:
        seen &= np.asarray(present, dtype=bool)[:, None]
    return np.where(seen, x, 0.0), np.where(seen, sd, 0.0), seen


def _averages(old: Floats, residual: Floats) -> Floats:
    """``(3, S, P)`` weighted averages after this window; NaN = absent now."""
    weight = np.asarray(SCALES)[:, None, None]
    return np.asarray((1 - weight) * old + weight * np.clip(residual, -FAR, FAR))


def _steady(calm: Floats) -> Floats:
    """``(3, S, P)`` standard deviation of each average in the long run."""
    weight = np.asarray(SCALES)[:, None, None]
    variance = weight + (1 - weight) * np.square(calm)
    return np.asarray(np.sqrt(variance * weight / (2 - weight)))


def _scan(averages: Floats, groups: tuple[str, ...], reach: Floats) -> Floats:
    """``(3, 2, P)`` score by scale, direction (up, down) and statistic."""
    both = np.stack([averages, -averages], axis=1)
    u = _one_per_group(np.moveaxis(both, 2, 0), groups)
    u = np.minimum(u, reach)
    return berk_jones(u, drop=1)[0]


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


def _reach(families: tuple[str, ...]) -> Floats:
    """``(P,)`` beyond it a source says no more of the others."""
    return np.array([KINDS.get(name, Kind()).reach for name in families])


def _attention(families: tuple[str, ...]) -> dict[str, float]:
    return {name: KINDS.get(name, Kind()).attention for name in families}


def _source_alarms(residual: Floats) -> tuple[SourceAlarm, ...]:
    far = np.argwhere(np.abs(np.nan_to_num(residual)) >= SOURCE_U)
    return tuple(
        SourceAlarm(int(s), int(p), "up" if residual[s, p] > 0 else "down", float(residual[s, p]))
        for s, p in far
    )

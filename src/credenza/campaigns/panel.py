"""The scan of a panel, window by window: judge, then learn from what was accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns import (
    common_cause,
    normal_scores,
    seasons,
    self_calibrate,
    standardise,
)
from credenza.campaigns.judge import (
    WARM_UP,
    Judgement,
    SourceAlarm,
    WindowResult,
    judge,
    judged_windows,
    reach_of,
    scan,
)
from credenza.campaigns.state import (
    PanelState,
    compact,
    new_state,
    pack,
    unpack,
    with_periods,
    with_sources,
)
from credenza.core.errors import UsageError
from credenza.profiling.statistics.builtin import family_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.campaigns.state import Given
    from credenza.core.types import Bools, Floats

__all__ = ["PanelScanner", "SourceAlarm", "WindowResult"]


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
        self._judged: Judgement | None = None

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
        self._judged = judge(self.state, _checked(self.state, values, sampling_sd, present))
        return self._judged.result

    def accept(self, accepted: Bools | None = None, *, ordinary: bool = False) -> None:
        """Learn from the window judged last, for the accepted sources only.

        Args:
            accepted: ``(S,)``; None: all of them.
            ordinary: count an alarm as a false one although its sources are held; it is
                counted anyway where none of them is.

        Raises:
            UsageError: no window is pending.
        """
        if self._judged is None:
            raise UsageError(
                "no-window", "no window waits to be accepted", fix="call step before accept"
            )
        taken = np.ones(len(self.state.sources), bool)
        if accepted is not None:
            taken = np.asarray(accepted, dtype=bool)
        self.state = compact(_learn(self.state, self._judged, taken, ordinary=ordinary))
        self._judged = None

    def with_sources(
        self, names: Sequence[str], groups: Sequence[str] | None = None
    ) -> PanelScanner:
        """The scanner with more sources, which begin like the first ones did: unknown.

        They are not scored before they have a few accepted windows, and do not speak for
        the common cause until then; the past of the others and of the scores stays.

        Args:
            names: of the new sources.
            groups: group of each; "" = alone.

        Raises:
            UsageError: a name is known already, or a window waits to be accepted.
        """
        if self._judged is not None:
            raise UsageError(
                "window-pending",
                "a source cannot join while a window waits to be accepted",
                fix="call accept first",
            )
        return self._of(with_sources(self.state, tuple(names), tuple(groups or [""] * len(names))))

    def at(self, window: int, periods: Sequence[int] = ()) -> PanelScanner:
        """The scanner before a window of that number, following cycles of these lengths.

        A calendar counts windows in which nobody sent anything too, and only so the same
        day of the week is the same phase. A cycle that is new begins unknown.

        Args:
            window: number of the next window to judge.
            periods: lengths of cycles in windows, such as 7 for days of the week.
        """
        return self._of(replace(with_periods(self.state, tuple(periods)), windows=window))

    @property
    def newcomers(self) -> frozenset[str]:
        """Sources of which too little is known to score them."""
        known = self.state.levels.count.max(axis=1, initial=0.0)
        pairs = zip(self.state.sources, known, strict=True)
        return frozenset(name for name, windows in pairs if windows < WARM_UP)

    def begin_anew(self, sources: Sequence[int], statistic: int) -> None:
        """Take a claimed change for the new ordinary: its past no longer counts.

        Args:
            sources: whose level of the statistic is forgotten.
            statistic: that had moved.
        """
        state = self.state
        fresh = np.zeros((len(state.sources), len(state.statistics)), bool)
        fresh[list(sources), statistic] = True
        self.state = replace(
            state,
            levels=standardise.forget(state.levels, fresh),
            averages=np.where(fresh, np.float32(0.0), state.averages),
        )

    def to_bytes(self) -> bytes:
        """The whole state, a window that waits for acceptance included."""
        return pack(self.state, None if self._judged is None else self._judged.given)

    @classmethod
    def from_bytes(cls, data: bytes) -> PanelScanner:
        """The scanner that ``to_bytes`` wrote; a waiting window is judged again.

        Raises:
            UntrustedError: the bytes are not such a state.
        """
        state, given = unpack(data)
        return cls._of(state, given)

    @classmethod
    def _of(cls, state: PanelState, given: Given | None = None) -> PanelScanner:
        scanner = cls.__new__(cls)
        scanner.state = state
        scanner._judged = None if given is None else judge(state, given)  # noqa: SLF001 - its own class
        return scanner


def _checked(
    state: PanelState, values: Floats, sampling_sd: Floats | None, present: Bools | None
) -> tuple[Floats, Floats, Bools]:
    """Values, sampling errors and what was seen, 0 where nothing was."""
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


def _learn(state: PanelState, judged: Judgement, taken: Bools, *, ordinary: bool) -> PanelState:
    """The state after a window of which ``taken`` ``(S,)`` may teach."""
    own, left, campaign = judged.measured, judged.left, judged.result.campaign
    mask = own.seen & taken[:, None]
    known = mask & (state.levels.count > 0)
    spoke = np.isfinite(left.residual)
    reach = standardise.CLIP * own.scale
    claimable = judged.result.history >= self_calibrate.LEAST_WINDOWS
    chances, history = _calibrated(state, judged, taken, ordinary=ordinary)
    return replace(
        state,
        windows=state.windows + 1,
        judged=state.judged + claimable,
        alarms=state.alarms + (campaign is not None),
        alarming=campaign is not None,
        levels=standardise.update(state.levels, own.values, own.sd, mask),
        loadings=common_cause.update(
            state.loadings, own.z, left.shift, known, spoke, left.usual[0]
        ),
        seasons=seasons.update(
            state.seasons,
            state.windows,
            np.clip(own.values - state.levels.mean, -reach, reach),
            known,
        ),
        wander=standardise.track_wander(
            state.wander, left.averages, judged_windows(state.levels.count) + 1, mask
        ),
        averages=np.where(spoke, left.averages, state.averages),
        shifts=left.shifts,
        recent=np.stack([state.recent[1], judged.scores]),
        history=history,
        chances=chances,
        shapes=normal_scores.update(state.shapes, own.deviation, own.by_rank & taken[:, None]),
    )


def _calibrated(
    state: PanelState, judged: Judgement, taken: Bools, *, ordinary: bool
) -> tuple[Floats, Floats]:
    """Chances and scores of ordinary windows after this one.

    A claim that holds somebody says nothing of ordinary windows: of such a one only what the
    accepted sources did among themselves is learnt.
    """
    campaign, left = judged.result.campaign, judged.left
    claimed = [] if campaign is None else [*campaign.sources, *campaign.suspected]
    spoke = np.isfinite(left.residual)
    chances, history, scores = state.chances, state.history, judged.scores
    # Of one long alarm only the beginning counts: it is one event.
    begun = not (campaign and state.alarming)
    if begun and (ordinary or taken[claimed].all()):
        if judged.result.history >= self_calibrate.LEAST_WINDOWS:
            chances = self_calibrate.remember(chances, judged.verdict.chance)
    elif (spoke & ~taken[:, None]).any():
        among = np.where(taken[None, :, None], left.u, np.nan)
        scores = scan(among, left.asked, state.groups, reach_of(state.families)).ravel()
    if (spoke & taken[:, None]).any():
        history = self_calibrate.extend(history, scores)
    return chances, history

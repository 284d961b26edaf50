"""The campaign scan's place in the gate: one window of statistics in, campaigns out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from credenza.campaigns.accuse import Trail, accuse, pursue
from credenza.campaigns.explain import explain
from credenza.campaigns.judge import SOURCE_U, WARM_UP
from credenza.campaigns.lookback import Lookback
from credenza.campaigns.panel import PanelScanner
from credenza.campaigns.source_lane import chart_alarms
from credenza.core.types import Silence
from credenza.gate.decide import Alarm
from credenza.gate.records import campaign_from
from credenza.gate.registry import roster
from credenza.gate.windows import number_of
from credenza.profiling.statistics.builtin import family_of, measure
from credenza.store.rows import WatchRow, WindowRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from credenza.campaigns.claim import PanelCampaign
    from credenza.campaigns.panel import WindowResult
    from credenza.campaigns.source_lane import ChartAlarm
    from credenza.campaigns.state import PanelState
    from credenza.core.canonical import Json
    from credenza.core.types import Campaign, Floats
    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores
    from credenza.profiling.statistics.rows import Measures
    from credenza.store.rows import BatchRow

    Spans = Mapping[str, list[tuple[BatchRow, int, int]]]


@dataclass(frozen=True, slots=True)
class PanelWindow:
    """What the scan says of a window.

    Attributes:
        alarms: by source, what the other lanes say of it.
        silences: by source, why it could not be scanned.
        scanner: waits to be told which sources were accepted; None: nothing was scanned.
        lookback: for the control charts of later windows.
    """

    campaigns: tuple[Campaign, ...] = ()
    alarms: Mapping[str, tuple[Alarm, ...]] = field(default_factory=dict)
    silences: Mapping[str, list[Silence]] = field(default_factory=dict)
    scanner: PanelScanner | None = None
    lookback: Lookback = field(default_factory=Lookback)


def judge_panel(
    stores: Stores,
    policy: Policy,
    reference: Reference,
    *,
    dataset: str,
    window: str,
    spans: Spans,
    table: pa.Table,
    expected: Floats | None,
    before: WindowRow | None,
) -> PanelWindow:
    """Measure each source's rows of the window and let the scan judge them together.

    The scan's state is what the window before left in the content store; the cost
    of a window depends on the number of sources and statistics, not on the history.

    Args:
        stores: where the state lies.
        policy: gives the accepted rate of false campaigns.
        reference: the yardstick of the statistics.
        dataset: whose panel.
        window: its name.
        spans: by source, its batches and their first and last + 1 row of ``table``.
        table: the window's rows.
        expected: their label probabilities, or None.
        before: the settled window before it.
    """
    measured = dict(_measured(reference, table, expected, spans))
    scanner = _scanner(stores, policy, before, tuple(next(iter(measured.values()))))
    scanner = scanner.at(number_of(window, policy.window), policy.window.cycles)
    sources, statistics = scanner.state.sources, scanner.state.statistics
    values, sd = _laid_out(measured, sources, statistics)
    result = scanner.step(values, sd)
    lookback = lookback_of(stores, before).after(sources, statistics, result.residual)
    since = _on_watch(stores, dataset)
    watched = frozenset(place for place, source in enumerate(sources) if source in since)
    trails = tuple(_trails(stores, dataset, since, scanner.state))
    accused = _accused(result, statistics, watched)
    charts = chart_alarms(lookback.deviations)
    batches = {source: found[-1][0].digest for source, found in spans.items()}
    return PanelWindow(
        campaigns=tuple(
            explain(
                claim,
                result,
                values,
                sources=sources,
                statistics=statistics,
                window=window,
                batches=batches,
            )
            for claim in pursue(accused, result.averages, trails)
        ),
        alarms=_alarms(result, tuple(spans), scanner.state, charts),
        silences={source: _too_new() for source in spans if source in scanner.newcomers},
        scanner=scanner,
        lookback=lookback,
    )


def lookback_of(stores: Stores, before: WindowRow | None) -> Lookback:
    """What a settled window left the control charts to look back on."""
    digest = "" if before is None else str(stores.event(before.settled_index).get("charts", ""))
    return Lookback.from_bytes(stores.journal.blobs.get(digest)) if digest else Lookback()


def _too_new() -> list[Silence]:
    return [Silence("campaigns", f"fewer than {WARM_UP} windows of it are known")]


def _accused(
    result: WindowResult, statistics: tuple[str, ...], watched: frozenset[int]
) -> PanelCampaign | None:
    if result.campaign is None:
        return None
    return accuse(result.campaign, family_of(statistics[result.campaign.statistic]), watched)


def _on_watch(stores: Stores, dataset: str) -> dict[str, str]:
    """Sources that wait for a person to clear them, and the window that named them."""
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(WatchRow, dataset=dataset)
    return {row.source: row.since for row in rows if row.since and not row.until}


def _trails(
    stores: Stores, dataset: str, since: Mapping[str, str], state: PanelState
) -> Iterator[Trail]:
    """What the sources on watch were named for."""
    with stores.journal.catalog.snapshot() as index:
        windows = [index.get(WindowRow, dataset, name) for name in sorted({*since.values()})]
    for window in windows:
        campaigns = [] if window is None else stores.event(window.settled_index)["campaigns"]
        for claim in map(campaign_from, cast("list[Mapping[str, Json]]", campaigns)):
            places = tuple(state.sources.index(name) for name in claim.sources if name in since)
            if places and claim.statistic in state.statistics:
                yield Trail(places, state.statistics.index(claim.statistic), claim.direction)


def _measured(
    reference: Reference, table: pa.Table, expected: Floats | None, spans: Spans
) -> Iterator[tuple[str, Measures]]:
    """Each source's statistics over all its batches of the window."""
    for source, found in spans.items():
        rows = pa.concat_tables([table.slice(start, stop - start) for _, start, stop in found])
        own = None
        if expected is not None:
            own = np.vstack([expected[start:stop] for _, start, stop in found])
        yield source, measure(rows, reference=reference.summary, expected=own)


def _laid_out(
    measured: Mapping[str, Measures], sources: Sequence[str], statistics: Sequence[str]
) -> tuple[Floats, Floats]:
    """``(sources, statistics)`` values and their standard deviations; NaN for who sent nothing."""
    values = np.full((len(sources), len(statistics)), np.nan)
    sd = np.zeros_like(values)
    for place, source in enumerate(sources):
        if source in measured:
            found = [measured[source][name] for name in statistics]
            values[place], sd[place] = np.array(found, dtype=np.float64).T
    return values, sd


def _scanner(
    stores: Stores, policy: Policy, before: WindowRow | None, statistics: tuple[str, ...]
) -> PanelScanner:
    """The scanner as the window before left it, or a new one, with all sources."""
    known = roster(stores).sources
    if before is not None and before.state:
        scanner = PanelScanner.from_bytes(stores.journal.blobs.get(before.state))
        names = sorted(set(known) - set(scanner.state.sources))
        return scanner.with_sources(names, [known[name].group for name in names])
    names = sorted(known)
    return PanelScanner(
        names,
        statistics,
        groups=[known[name].group for name in names],
        rate=policy.budget.campaign_rate,
    )


def _alarms(
    result: WindowResult,
    present: tuple[str, ...],
    state: PanelState,
    charts: Iterable[ChartAlarm],
) -> dict[str, tuple[Alarm, ...]]:
    """By source, its farthest statistic in each lane and on charts, and what moved most.

    From where the scan begins to speak of a source: the policy has the last word on each.
    """
    shift = result.common_shift
    top = int(np.argmax(np.abs(shift))) if len(shift) else 0
    shared: tuple[Alarm, ...] = ()
    if len(shift) and abs(shift[top]) >= SOURCE_U:
        way = "up" if shift[top] > 0 else "down"
        shared = (
            Alarm(
                "common_cause",
                f"most sources moved {way} together in {state.statistics[top]}, "
                f"{abs(shift[top]):.1f} standard units; the scan goes on without it",
                float(abs(shift[top])),
            ),
        )
    found = dict.fromkeys(present, shared)
    said: set[tuple[str, str]] = set()
    for alarm in sorted(result.source_alarms, key=lambda one: -abs(one.deviation)):
        source, statistic = state.sources[alarm.source], state.statistics[alarm.statistic]
        lane = "structure" if family_of(statistic) == "structure" else "source"
        if (source, lane) not in said:
            said.add((source, lane))
            sentence = (
                f"{source} moved {alarm.direction} alone in {statistic}, "
                f"{abs(alarm.deviation):.1f} standard units from its own past"
            )
            reach = abs(alarm.deviation)
            found[source] = (*found.get(source, ()), Alarm(lane, sentence, reach))
    for own in charts:
        source = state.sources[own.source]
        if source in found:
            found[source] = (*found[source], Alarm("source", _on_chart(source, own, state)))
    return found


def _on_chart(source: str, own: ChartAlarm, state: PanelState) -> str:
    where = "all statistics together"
    if own.statistic is not None:
        where = f"{state.statistics[own.statistic]}, {own.direction}"
    return (
        f"{source} is {own.ratio:.1f} times as far as the limit of its {own.chart} chart "
        f"({where}), further than it was before and than any other source but one"
    )

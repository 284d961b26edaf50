"""How a dataset stands now: its campaigns, its sources, what waits for a person."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from credenza.campaigns.cycles import LONGEST, find_cycle
from credenza.campaigns.lookback import MOST_WINDOWS
from credenza.campaigns.source_lane import furthest
from credenza.core.errors import NotFoundError
from credenza.gate.chart import panel_of
from credenza.gate.fold_response import EXCISED
from credenza.gate.records import campaign_from
from credenza.gate.windows import AGE, day_of
from credenza.store.rows import BatchRow, WatchRow, WindowRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.core.types import Campaign, Floats
    from credenza.gate.chart import Panel
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores

RECENT = 3 * LONGEST
"""Windows in which a cycle is looked for: three turns of the longest."""
OPEN, CLEARED, CONFIRMED = "open", "cleared", "confirmed"


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign and what became of it.

    Attributes:
        id: dataset, window and number in that window, joined by slashes.
        standing: "open" while a batch of it waits, "cleared" when reviewers admitted every
            batch, "confirmed" when they rejected one or one was excised.
    """

    id: str
    dataset: str
    standing: str
    campaign: Campaign


@dataclass(frozen=True, slots=True)
class SourceState:
    """One source in the newest window.

    Attributes:
        rows: its share of that window's rows.
        leverage: its share of what a linear model could learn from them.
        statistic: in which it is furthest from its own past; "" before it was scanned.
        deviation: how far, in standard units.
        nearness: that distance over the one at which the source lane speaks: 1 = alarm.
        charts: how far it is on its control charts whose limit it exceeds, 1 = at it, by
            chart.
        watched_since: window of the campaign that put it under watch, or "".
        labels: its share of the rows of each label value in that window.
        subgroup: value of a category of which it sends the largest share, in words, or "".
        of_subgroup: that share.
    """

    source: str
    rows: float
    leverage: float
    statistic: str
    deviation: float
    nearness: float
    charts: Mapping[str, float]
    watched_since: str
    labels: Mapping[str, float] = field(default_factory=dict)
    subgroup: str = ""
    of_subgroup: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """A dataset as it stands.

    Attributes:
        judged: windows that were judged, not only vouched for.
        vouched: windows that were admitted without being judged: what is usual.
        campaigns: by standing.
        false_rate: campaigns that reviewers cleared, over judged windows.
        accepted_rate: what the policy accepts.
        lanes: batches of the newest window by rule that spoke, and of all windows.
        cycle: a cycle that the policy does not name yet and sources follow, in windows,
            and how much they do alike one cycle apart, 1 = wholly; None: none was found.
        sources: nearest to an alarm first.
        dominance: slices that lean on one source or declared group, in words.
        backlog: batches by status that wait for a window or a person.
    """

    dataset: str
    window: str
    judged: int
    vouched: int
    campaigns: Mapping[str, int]
    false_rate: float
    accepted_rate: float
    lanes: Mapping[str, tuple[int, int]]
    cycle: tuple[int, float] | None
    sources: tuple[SourceState, ...]
    dominance: tuple[str, ...]
    backlog: Mapping[str, int]


def campaigns(stores: Stores, dataset: str | None = None) -> list[CampaignRecord]:
    """All campaigns, oldest window first."""
    with stores.journal.catalog.snapshot() as index:
        wanted = {} if dataset is None else {"dataset": dataset}
        windows, batches = index.find(WindowRow, **wanted), index.find(BatchRow, **wanted)
    status = {one.digest: one.status for one in batches}
    settled = {(row.settled_index, row.dataset, row.window) for row in windows}
    # What came after its window was settled was judged in a settlement of its own.
    settled |= {
        (row.settled_index, row.dataset, row.window)
        for row in batches
        if row.settled_index is not None
    }
    numbers: Counter[str] = Counter()
    found = []
    for place, owner, window in sorted(settled):
        for document in cast("list[dict[str, Json]]", stores.event(place)["campaigns"]):
            campaign = campaign_from(document)
            standing = _standing([status.get(digest, "") for digest in campaign.batches])
            numbers[f"{owner}/{window}"] += 1
            name = f"{owner}/{window}/{numbers[f'{owner}/{window}']}"
            found.append(CampaignRecord(name, owner, standing, campaign))
    return found


def campaign(stores: Stores, name: str) -> CampaignRecord:
    """One campaign by its id.

    Raises:
        NotFoundError: there is none of that id.
    """
    known = campaigns(stores)
    for one in known:
        if one.id == name:
            return one
    raise NotFoundError(
        "no-such-campaign",
        f"no campaign is called {name[:100]!r}",
        why=f"the newest are: {', '.join(one.id for one in known[-5:]) or 'none'}",
        fix="run `credenza campaigns list`",
    )


def monitor(stores: Stores, policy: Policy, dataset: str) -> Standing:
    """How a dataset stands after its newest settled window.

    Raises:
        NotFoundError: no window of it was settled yet.
    """
    with stores.journal.catalog.snapshot() as index:
        newest = index.newest(WindowRow, by=AGE, dataset=dataset)
        windows = index.count(WindowRow, dataset=dataset)
        batches = index.find(BatchRow, dataset=dataset)
        watches = index.find(WatchRow, dataset=dataset)
    if newest is None:
        raise NotFoundError(
            "nothing-settled",
            f"no window of {dataset[:100]!r} was settled yet",
            why="how a dataset stands is known from its judged windows",
            fix="run `credenza settle` once a window is complete",
        )
    settled = stores.event(newest.settled_index)
    panel = panel_of(stores, dataset, last=RECENT)
    judged = max(0, windows - policy.window.reference - policy.window.calibration)
    standings = Counter(one.standing for one in campaigns(stores, dataset))
    today = day_of(newest.window, stores.journal.now_s())
    return Standing(
        dataset=dataset,
        window=newest.window,
        judged=judged,
        vouched=windows - judged,
        campaigns={name: standings[name] for name in (OPEN, CONFIRMED, CLEARED)},
        false_rate=standings[CLEARED] / max(1, judged),
        accepted_rate=policy.budget.campaign_rate,
        lanes=_lanes(batches, newest.window),
        cycle=find_cycle(panel.deviations),
        sources=_sources(panel, policy, settled, _lasting(watches, today)),
        dominance=tuple(str(one) for one in cast("list[Json]", settled.get("dominance", []))),
        backlog=_backlog(batches),
    )


def _standing(statuses: list[str]) -> str:
    if {"rejected", EXCISED} & set(statuses):
        return CONFIRMED
    return CLEARED if statuses and all(one == "admitted" for one in statuses) else OPEN


def _lanes(batches: list[BatchRow], window: str) -> dict[str, tuple[int, int]]:
    now: Counter[str] = Counter()
    ever: Counter[str] = Counter()
    for row in batches:
        rules = {str(reason["rule"]) for reason in json.loads(row.reasons)} - {"vouched"}
        ever.update(rules)
        now.update(rules if row.window == window else ())
    return {rule: (now[rule], ever[rule]) for rule in sorted(ever)}


def _backlog(batches: list[BatchRow]) -> dict[str, int]:
    counts = Counter(row.status for row in batches)
    split = sum(row.status == "admitted" and row.quarantined_rows > 0 for row in batches)
    return {
        "waiting": counts["waiting"],
        "held": counts["held"],
        "quarantined": counts["quarantined"],
        "rows kept out": split,
    }


def _lasting(watches: Sequence[WatchRow], day: str) -> dict[str, str]:
    """Since when each source is watched, of those whose watch lasts beyond a day."""
    return {one.source: one.since for one in watches if one.since and day <= (one.until or day)}


def _sources(
    panel: Panel,
    policy: Policy,
    settled: Mapping[str, Json],
    watched: Mapping[str, str],
) -> tuple[SourceState, ...]:
    now = panel.deviations[-1] if panel.windows else np.zeros((0, 0))
    beyond: dict[str, dict[str, float]] = defaultdict(dict)
    for own in furthest(panel.deviations[-MOST_WINDOWS:]) if panel.windows else ():
        if own.ratio >= 1:
            beyond[panel.sources[own.source]][own.chart] = own.ratio
    shares = {
        str(one["source"]): one
        for one in cast("list[dict[str, Json]]", settled.get("influence", []))
    }
    found = []
    for name in sorted({*panel.sources, *shares}):
        statistic, deviation = "", 0.0
        if name in panel.sources and len(panel.statistics):
            statistic, deviation = _furthest(now[panel.sources.index(name)], panel.statistics)
        sent = shares.get(name, {})
        labels = cast("dict[str, Json]", sent.get("labels", {}))
        found.append(
            SourceState(
                name,
                _share(sent.get("rows")),
                _share(sent.get("leverage")),
                statistic,
                deviation,
                abs(deviation) / policy.lanes.source,
                beyond[name],
                watched.get(name, ""),
                {label: _share(share) for label, share in labels.items()},
                str(sent.get("subgroup", "")),
                _share(sent.get("of_subgroup")),
            )
        )
    return tuple(sorted(found, key=lambda one: (-one.nearness, one.source)))


def _share(told: Json) -> float:
    """A share as the ledger spells it; 0 where it has none."""
    return 0.0 if told is None else float(str(told))


def _furthest(own: Floats, statistics: tuple[str, ...]) -> tuple[str, float]:
    """Name and deviation; "" and 0 for a source that sent nothing."""
    if np.isnan(own).all():
        return "", 0.0
    place = int(np.nanargmax(np.abs(own)))
    return statistics[place], float(own[place])

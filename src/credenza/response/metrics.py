"""How well the gate and whoever answers for it do: false alarms, times, backlog, lineage.

Every figure is counted from the ledger and comes with its numbers, so that a share of three
cases cannot pass for a rate. Two realised rates are kept apart. Of what was stopped and then
decided on, how much a reviewer let in: that is what an alarm is worth. And of all honest
batches that were judged, how many were stopped: that is what it costs. Both are blind to what
nobody decided on, and to reviewers who are wrong; blind relabelling is the check on them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from credenza.core.types import Outcome
from credenza.core.wilson import wilson
from credenza.gate.questions import explain
from credenza.gate.replay import case_of
from credenza.response.desk import batch_rows, incidents
from credenza.response.incident import State
from credenza.response.quarantine import held, queues
from credenza.store.rows import BatchRow, EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from credenza.gate.policy import QuarantineRule
    from credenza.gate.stores import Stores
    from credenza.response.incident import Incident
    from credenza.response.quarantine import Queue


@dataclass(frozen=True, slots=True)
class Share:
    """``k`` of ``n`` with a 95 % interval (Wilson)."""

    k: int
    n: int

    @property
    def low(self) -> float:
        """Lower bound; 0 without cases."""
        return wilson(self.k, self.n)[0]

    @property
    def high(self) -> float:
        """Upper bound; 1 without cases."""
        return wilson(self.k, self.n)[1]


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds.

    Attributes:
        known: one for each incident that got so far, shortest first.
        open: incidents that did not get so far yet: a median of ``known`` flatters as long
            as there are any.
    """

    known: tuple[int, ...] = ()
    open: int = 0

    @property
    def median(self) -> int | None:
        """The lower median; None without cases."""
        return self.known[(len(self.known) - 1) // 2] if self.known else None

    @property
    def longest(self) -> int | None:
        """The longest; None without cases."""
        return self.known[-1] if self.known else None


@dataclass(frozen=True, slots=True)
class Alarms:
    """What alarms of one kind came to.

    Attributes:
        false: of the batches that were stopped and decided on, those a reviewer admitted.
        cost: of the honest batches that were judged, those that were stopped; a batch
            counts as honest once it was admitted, by the gate or by a reviewer.
    """

    false: Share
    cost: Share


@dataclass(frozen=True, slots=True)
class Metrics:
    """All of it.

    Attributes:
        all, by_source, by_rule, by_detector, by_window: alarms, together and apart. A batch
            that several rules stopped counts for each of them.
        blind: of the suspects' labels that people gave again blindly, those they confirmed.
        detect: from the first batch of an incident to the evidence that gave it away.
        contain, recover: from that evidence on.
        backlog: how long each batch waits that waits, by source.
        queues: and their limits.
        lineage: rows of the newest versions that lead back to signed bytes and a verdict;
            no cases where they were not counted.
    """

    all: Alarms
    by_source: Mapping[str, Alarms]
    by_rule: Mapping[str, Alarms]
    by_detector: Mapping[str, Alarms]
    by_window: Mapping[str, Alarms]
    blind: Share
    detect: Times
    contain: Times
    recover: Times
    backlog: Mapping[str, Times]
    queues: tuple[Queue, ...]
    lineage: Share
    incidents: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One judged batch.

    Attributes:
        stopped: the gate did not admit it, or not all of it.
        decided: "admit", "reject" or "".
    """

    row: BatchRow
    stopped: bool
    decided: str
    rules: frozenset[str]
    detectors: frozenset[str]


def metrics(
    stores: Stores,
    rule: QuarantineRule,
    now_s: int,
    lineage: Share,
    dataset: str | None = None,
) -> Metrics:
    """Count everything anew from the ledger.

    Args:
        stores: the workspace.
        rule: of the queues.
        now_s: seconds since the epoch.
        lineage: as ``gate.completeness`` counts it.
        dataset: this one only.

    Complexity:
        One document for each judged batch.
    """
    wanted = {} if dataset is None else {"dataset": dataset}
    with stores.journal.catalog.snapshot() as index:
        rows = [row for row in index.find(BatchRow, **wanted) if row.verdict_index is not None]
    judged = [_judged(stores, row) for row in rows]
    known = [one for one in incidents(stores).values() if dataset is None or one.dataset == dataset]
    waiting = [one for one in held(stores, rule) if dataset is None or one.dataset == dataset]
    ages: dict[str, list[int]] = defaultdict(list)
    for one in waiting:
        ages[one.source].append(now_s - one.since_s)
    return Metrics(
        all=_alarms(judged),
        by_source=_by(judged, lambda one: [one.row.source]),
        by_rule=_by(judged, lambda one: one.rules),
        by_detector=_by(judged, lambda one: one.detectors),
        by_window=_by(judged, lambda one: [one.row.window]),
        blind=_blind(stores, dataset),
        detect=_times(_detected(stores, one) for one in known),
        contain=_times(_reached(one, State.CONTAINED) for one in known),
        recover=_times(_reached(one, State.RECOVERED) for one in known),
        backlog={name: Times(tuple(sorted(own))) for name, own in sorted(ages.items())},
        queues=tuple(queues(waiting, rule, now_s)),
        lineage=lineage,
        incidents=dict(Counter(str(one.state) for one in known)),
    )


def _judged(stores: Stores, row: BatchRow) -> _Judged:
    case = case_of(stores, row)
    stopping = {rule for rule, outcome in case.rules if outcome is not Outcome.ADMIT}
    split = case.outcome() is Outcome.ADMIT and any(rule == "rows" for rule, _ in case.rules)
    told = explain(stores, row) if stopping or split else None
    detectors = {one.detector for one in told.findings} if told is not None else set()
    return _Judged(
        row,
        bool(stopping) or split,
        case.decided or ("admit" if split and not row.quarantined_rows else ""),
        frozenset(stopping | ({"rows"} if split else set())),
        frozenset(detectors),
    )


def _alarms(judged: Sequence[_Judged]) -> Alarms:
    decided = [one for one in judged if one.stopped and one.decided]
    freed = sum(one.decided == "admit" for one in decided)
    passed = sum(not one.stopped and one.row.status == "admitted" for one in judged)
    return Alarms(Share(freed, len(decided)), Share(freed, freed + passed))


def _by(judged: Sequence[_Judged], names: Callable[[_Judged], Iterable[str]]) -> dict[str, Alarms]:
    """Alarms by name; what passed is the same for every rule, so it counts for each."""
    passed = [one for one in judged if not one.stopped]
    groups: dict[str, list[_Judged]] = defaultdict(list)
    for one in judged:
        for name in names(one):
            groups[name].append(one)
    named = {name for one in passed for name in names(one)}
    return {
        name: _alarms(own if named else [*own, *passed]) for name, own in sorted(groups.items())
    }


def _blind(stores: Stores, dataset: str | None) -> Share:
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind="validation")
    confirmed = given = 0
    for entry in entries:
        found = stores.journal.document(entry.digest)
        if found["validator"] != "relabel" or dataset not in (None, found["dataset"]):
            continue
        exhibits = cast("Mapping[str, int]", found["exhibits"])
        confirmed += exhibits["suspects_confirmed"]
        given += exhibits["suspects_confirmed"] + exhibits["suspects_contradicted"]
    return Share(confirmed, given)


def _detected(stores: Stores, known: Incident) -> int | None:
    """From the first of its batches to the evidence."""
    rows = batch_rows(stores, known.batches)
    if not rows:
        return None
    with stores.journal.catalog.snapshot() as index:
        first = index.get(EntryRow, rows[0].submitted_index)
    return None if first is None else max(0, known.began_s - first.time_s)


def _reached(known: Incident, state: State) -> int | None:
    reached = known.entered_s.get(state)
    return None if reached is None else reached - known.began_s


def _times(found: Iterable[int | None]) -> Times:
    everything = list(found)
    known = sorted(one for one in everything if one is not None)
    return Times(tuple(known), len(everything) - len(known))

"""Plans carried out: each finished step is a ledger entry, so none is taken twice.

What a step changes in the ledger is recorded together with its end, both or neither. What
it changes elsewhere (a dataset's version, a release's directory, a model) is found again or
made again when the step was interrupted. So a plan may be killed and applied any number of
times and comes to the same end.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.canonical import canonical_json
from credenza.core.prefix import beginning
from credenza.gate.journal import Event
from credenza.gate.publication import finish_pending
from credenza.response.plan import Plan, check, read_plan
from credenza.response.steps.step import CONTAIN, ERADICATE, PHASES, RECOVER, Job
from credenza.store.rows import EntryRow, RecoveryRow, RecoveryStepRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores
    from credenza.response.steps.step import Hands


@dataclass(frozen=True, slots=True)
class Taken:
    """A step of a recovery.

    Attributes:
        index: ledger index of its end; None while it is still to be taken.
        is_new: it was taken just now, not in an earlier run.
        result: what it left; {} before it is taken.
    """

    place: int
    name: str
    phase: str
    says: str
    index: int | None
    is_new: bool
    result: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a recovery took, by the ledger's own times.

    Attributes:
        found_s: when the finding was recorded, or the plan where a person found it.
        begun_s: when the plan was applied first.
        contained_s, eradicated_s, recovered_s: when the last step of that phase ended;
            None while one is still to be taken.
    """

    found_s: int
    begun_s: int
    contained_s: int | None
    eradicated_s: int | None
    recovered_s: int | None


@dataclass(frozen=True, slots=True)
class Recovery:
    """A recovery that was begun."""

    plan: Plan
    digest: str
    steps: tuple[Taken, ...]
    timing: Timing


def apply(stores: Stores, hands: Hands, plan: Plan) -> Iterator[Taken]:
    """Take every step that was not taken yet; each is given when it is in the ledger.

    Everything is checked before the first step, and nothing is changed if anything is
    wrong. A step that fails leaves those before it as they are.

    Raises:
        PendingError: people must sign or approve first; apply it again then.
        CredenzaError: a step failed, or the plan cannot be carried out.
    """
    journal = stores.journal
    journal.lock()
    finish_pending(stores)
    done = _done(stores, plan.digest)
    begun = _begun(stores, plan.digest)
    if begun is None:
        check(plan, _job(stores, hands, plan, {}))
        document: dict[str, Json] = {
            "plan": plan.digest,
            "dataset": plan.suspicion.dataset,
            "document": plan.document,
        }
        journal.record([Event("recovery-plan", document)])
    results: dict[str, Mapping[str, Json]] = {}
    for place, step in enumerate(plan.steps):
        known = done.get(place)
        if known is None:
            ended = step.apply(_job(stores, hands, plan, results))
            told: dict[str, Json] = {
                "plan": plan.digest,
                "place": place,
                "step": step.name,
                "phase": step.phase,
                "says": step.says(),
                "result": ended.result,
            }
            allowed = hands.warrant(ended.action, ended.terms) if ended.action else nullcontext()
            with allowed:
                entries = journal.record([*ended.events, Event("recovery-step", told)])
            finish_pending(stores)
            results[step.name] = ended.result
            index = entries[-1].index
        else:
            results[step.name], index = known
        yield Taken(
            place, step.name, step.phase, step.says(), index, known is None, results[step.name]
        )


def recoveries(stores: Stores) -> list[Recovery]:
    """Every recovery that was begun, oldest first."""
    with stores.journal.catalog.snapshot() as index:
        rows = sorted(index.find(RecoveryRow), key=lambda row: row.index)
    return [_recovery(stores, row) for row in rows]


def recovery(stores: Stores, prefix: str) -> Recovery:
    """The recovery whose plan's digest begins with ``prefix``.

    Raises:
        NotFoundError: none was begun, or several.
    """
    with stores.journal.catalog.snapshot() as index:
        by_plan = {row.plan: row for row in index.find(RecoveryRow)}
    plan = beginning(prefix, by_plan, "recovery", fix="run `credenza recover list`")
    return _recovery(stores, by_plan[plan])


def job_of(stores: Stores, hands: Hands, known: Recovery) -> Job:
    """A begun recovery as its next step finds it."""
    results = {step.name: step.result for step in known.steps if step.index is not None}
    return _job(stores, hands, known.plan, results)


def _job(
    stores: Stores, hands: Hands, plan: Plan, results: Mapping[str, Mapping[str, Json]]
) -> Job:
    return Job(
        stores, hands, plan.digest, plan.suspicion.dataset, plan.suspicion, plan.rows, results
    )


def _begun(stores: Stores, plan: str) -> RecoveryRow | None:
    with stores.journal.catalog.snapshot() as index:
        return index.get(RecoveryRow, plan)


def _done(stores: Stores, plan: str) -> dict[int, tuple[Mapping[str, Json], int]]:
    """By place, result and ledger index of each finished step."""
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(RecoveryStepRow, plan=plan)
    return {
        row.place: (cast("Mapping[str, Json]", stores.event(row.index)["result"]), row.index)
        for row in rows
    }


def _recovery(stores: Stores, row: RecoveryRow) -> Recovery:
    plan = read_plan(canonical_json(stores.event(row.index)["document"]))
    done = _done(stores, row.plan)
    steps = tuple(
        Taken(
            place=place,
            name=step.name,
            phase=step.phase,
            says=step.says(),
            index=done[place][1] if place in done else None,
            is_new=False,
            result=done[place][0] if place in done else {},
        )
        for place, step in enumerate(plan.steps)
    )
    return Recovery(plan, row.plan, steps, _timing(stores, plan, row, steps))


def _timing(stores: Stores, plan: Plan, row: RecoveryRow, steps: tuple[Taken, ...]) -> Timing:
    wanted = [row.index, *([] if plan.finding is None else [plan.finding])]
    wanted += [step.index for step in steps if step.index is not None]
    with stores.journal.catalog.snapshot() as index:
        times = {entry.index: entry.time_s for entry in index.find(EntryRow, index=wanted)}
    begun = times[row.index]
    ends: dict[str, int | None] = {}
    last: int | None = begun
    for phase in PHASES:  # a phase without steps ends with the one before it
        for step in steps:
            if step.phase == phase and last is not None:
                last = None if step.index is None else max(last, times[step.index])
        ends[phase] = last
    found = begun if plan.finding is None else times[plan.finding]
    return Timing(found, begun, ends[CONTAIN], ends[ERADICATE], ends[RECOVER])

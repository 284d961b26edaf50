"""What a playbook's automatic steps do, each a function that may be run again.

A verb looks at how things stand, brings about what is missing, and says what is so now. It
raises ``ConflictError`` when that is not what its step promises; the step then stays open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from credenza.core.canonical import canonical_json
from credenza.core.errors import ConflictError
from credenza.core.text import quote
from credenza.core.types import Standing
from credenza.gate.fold import incidents_of
from credenza.gate.journal import Event
from credenza.gate.lineage import of_batch
from credenza.gate.questions import explain
from credenza.gate.records import to_json
from credenza.gate.registry import roster
from credenza.gate.review import REVIEWABLE
from credenza.response.desk import batch_rows, rows_left
from credenza.response.timeline import timeline
from credenza.store.rows import BatchRow, ReleaseRow, WatchRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.response.desk import Desk
    from credenza.response.incident import Incident

    Verb = Callable[[Desk, Incident], "Act"]


@dataclass(frozen=True, slots=True)
class Act:
    """What is so after a verb, in words and as the table behind them."""

    sentence: str
    exhibits: Mapping[str, object] = field(default_factory=dict)


def freeze_sources(desk: Desk, incident: Incident) -> Act:
    """Refuse everything that the incident's senders submit from now on."""
    known = roster(desk.stores)
    frozen = [
        name
        for name in incident.sources
        if known.source(name).standing is Standing.ACTIVE
        and desk.levers.freeze(name, f"{incident.id}: {incident.title}")
    ]
    return Act(
        f"{_count(len(incident.sources), 'source')} may not submit, {len(frozen)} of them "
        "frozen now",
        {"sources": list(incident.sources), "frozen_now": frozen},
    )


def hold_sources(desk: Desk, incident: Incident) -> Act:
    """Hold what the senders already handed in and will hand in, until the incident is closed."""
    with desk.stores.journal.catalog.snapshot() as index:
        held = {
            row.source
            for row in index.find(WatchRow, dataset=incident.dataset)
            if _lasting(row) and incident.id in incidents_of(row)
        }
    missing = [name for name in incident.sources if name not in held]
    if missing:
        desk.stores.journal.record(
            [
                Event(
                    "hold",
                    {
                        "dataset": incident.dataset,
                        "sources": list(missing),
                        "incident": incident.id,
                        "recovery": "",
                    },
                )
            ]
        )
    return Act(
        f"batches of {_count(len(incident.sources), 'source')} are held until {incident.id} is "
        "closed",
        {"sources": list(incident.sources), "held_now": missing},
    )


def reject_held(desk: Desk, incident: Incident) -> Act:
    """Reject what is held or quarantined of the incident's batches; their bytes stay."""
    rejected = []
    for row in batch_rows(desk.stores, incident.batches):
        if row.status in REVIEWABLE:
            desk.levers.decide(row.digest, "reject", f"{incident.id}: {incident.title}")
            rejected.append(row.digest)
    return Act(
        f"{_count(len(rejected), 'held batch', 'held batches')} rejected", {"rejected": rejected}
    )


def recall_releases(desk: Desk, incident: Incident) -> Act:
    """Recall every release whose version holds rows of the incident's batches."""
    held = _releases(desk, incident)
    good = [row.digest for row in held if row.standing == "good"]
    for digest in good:
        desk.levers.recall(digest, f"{incident.id}: {incident.title}")
    return Act(
        f"{_count(len(held), 'release')} held rows of it, {len(good)} recalled now",
        {"releases": [row.digest for row in held], "recalled_now": good},
    )


def export_evidence(desk: Desk, incident: Incident) -> Act:
    """Put everything known of the incident into one document of the content store."""
    rows = batch_rows(desk.stores, incident.batches)
    bundle = {
        "schema": "credenza.evidence/1",
        "incident": to_json(incident),
        "batches": [to_json(explain(desk.stores, row)) for row in rows],
        "timeline": to_json(timeline(desk.stores, incident)),
    }
    digest = desk.stores.journal.blobs.put(canonical_json(bundle))
    return Act(
        f"the evidence on {_count(len(rows), 'batch', 'batches')} is document {digest[:16]}…",
        {"document": digest, "batches": len(rows)},
    )


def check_contained(desk: Desk, incident: Incident) -> Act:
    """Make sure that nothing of the incident's senders can reach the dataset unseen.

    Raises:
        ConflictError: a sender is neither frozen nor held, or a release is still good.
    """
    known = roster(desk.stores)
    with desk.stores.journal.catalog.snapshot() as index:
        watched = {
            row.source for row in index.find(WatchRow, dataset=incident.dataset) if _lasting(row)
        }
        waiting = index.count(
            BatchRow, dataset=incident.dataset, source=list(incident.sources), status="waiting"
        )
    free = [
        name
        for name in incident.sources
        if known.source(name).standing is Standing.ACTIVE and name not in watched
    ]
    unwatched = [name for name in incident.sources if name not in watched]
    good = [row.digest for row in _releases(desk, incident) if row.standing == "good"]
    if free or good or (waiting and unwatched):
        raise ConflictError(
            "not-contained",
            f"{incident.id} is not contained",
            why=f"{len(free)} of its sources are neither frozen nor held, {waiting} batches of "
            f"theirs wait, and {len(good)} releases with their rows are in good standing",
            fix="hold or freeze the sources and recall the releases, then run it again",
        )
    return Act(
        f"no source of it passes unseen, and {_count(waiting, 'waiting batch', 'waiting batches')} "
        "of theirs will be held",
        {"waiting": waiting, "watched": sorted(watched & set(incident.sources))},
    )


def check_eradicated(desk: Desk, incident: Incident) -> Act:
    """Make sure that the newest version holds none of the incident's rows.

    Raises:
        ConflictError: it still holds some, or a batch of it can still be admitted.
    """
    left = rows_left(desk.stores, incident)
    held = [row for row in batch_rows(desk.stores, incident.batches) if row.status in REVIEWABLE]
    if left or held:
        raise ConflictError(
            "not-eradicated",
            f"{incident.id} is not eradicated",
            why=f"the newest version of {incident.dataset!r} holds {left} rows of it, and "
            f"{len(held)} of its batches are held and undecided",
            fix="run `credenza recover plan` and apply it, and decide on what is held",
        )
    return Act(
        f"the newest version of {quote(incident.dataset)} holds no row of it",
        {"rows_left": left, "batches": len(incident.batches)},
    )


def plan_recovery(desk: Desk, incident: Incident) -> Act:
    """Draw up the way back, without taking a step of it."""
    if not incident.batches:
        return Act("nothing was handed in that would have to be taken out")
    plan = desk.plan(incident)
    return Act(
        f"recovery {str(plan['plan'])[:12]} is planned and nothing of it is done; it would "
        f"{', '.join(map(str, cast('list[str]', plan['steps'])))}",
        plan,
    )


def propose_rules(desk: Desk, incident: Incident) -> Act:
    """Look for rules that would have stopped it, and try them on what is known."""
    from credenza.response.lessons import lessons  # noqa: PLC0415 - the models: seconds to load

    found = lessons(desk, incident)
    kept = [one for one in found if one.holds]
    return Act(
        f"{_count(len(found), 'rule')} tried on the incident's own batches, {len(kept)} proposed",
        {
            "lessons": [
                {
                    "sentence": one.sentence,
                    "holds": one.holds,
                    "key": one.key,
                    "after": one.after,
                    "policy": one.text,
                }
                for one in found
            ]
        },
    )


def _releases(desk: Desk, incident: Incident) -> list[ReleaseRow]:
    """Releases of versions that hold rows of the incident's batches."""
    digests: set[str] = set()
    for row in batch_rows(desk.stores, incident.batches):
        digests |= set(of_batch(desk.stores, row).releases)
    with desk.stores.journal.catalog.snapshot() as index:
        known = index.find(ReleaseRow, dataset=incident.dataset)
    return [row for row in known if row.digest in digests]


def _lasting(row: WatchRow) -> bool:
    """A watch that only a person ends."""
    return bool(row.since) and not row.until


def _count(number: int, noun: str, plural: str = "") -> str:
    return f"{number} {noun if number == 1 else plural or noun + 's'}"


VERBS: Mapping[str, Verb] = {
    "check-contained": check_contained,
    "check-eradicated": check_eradicated,
    "export-evidence": export_evidence,
    "freeze-sources": freeze_sources,
    "hold-sources": hold_sources,
    "plan-recovery": plan_recovery,
    "propose-rules": propose_rules,
    "recall-releases": recall_releases,
    "reject-held": reject_held,
}

"""Incidents, as a workspace offers them: opened, answered, closed, and learnt from."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from credenza.core.canonical import canonical_json
from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    ForbiddenError,
    PendingError,
    UsageError,
)
from credenza.core.spans import spans_of
from credenza.gate import monitor, questions, registry
from credenza.gate.journal import Event
from credenza.gate.records import to_json
from credenza.response import desk as desks
from credenza.response.desk import Desk, Levers
from credenza.response.incident import State, overdue, severity_of
from credenza.response.plan import draw_up
from credenza.response.playbook import playbook as find_playbook
from credenza.response.postmortem import postmortem, verdicts_of
from credenza.response.steps.step import Wishes
from credenza.response.suspicion import Suspicion
from credenza.response.timeline import timeline
from credenza.response.verbs import VERBS
from credenza.store.rows import EntryRow, WindowRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores
    from credenza.response.incident import Escalation, Incident
    from credenza.response.timeline import Happening
    from credenza.workspace.gate import Gate

MACHINE = "credenza"
"""Who is on record for what no person did."""


class Incidents:
    """What can be done about something that was found, and what was done.

    Args:
        gate: whose use-cases freeze, recall and decide, under its governance.
        stores: the gate's.
        clock: seconds since the epoch.
    """

    def __init__(self, gate: Gate, stores: Stores, clock: Callable[[], int]) -> None:
        levers = Levers(gate.freeze_source, gate.releases.recall, gate.decide)
        self._desk = Desk(stores, gate.policies.text(), clock, levers, self._plan)
        self._warrants = gate.warrants
        self._stores = stores

    # -- looking

    def all(self) -> list[Incident]:
        """Every incident, oldest first."""
        return [*desks.incidents(self._stores).values()]

    def show(self, name: str) -> Incident:
        """One incident."""
        return desks.incident(self._stores, name)

    def timeline(self, name: str) -> tuple[Happening, ...]:
        """What happened around it, in the order of the ledger."""
        return timeline(self._stores, self.show(name))

    def overdue(self, name: str) -> tuple[Escalation, ...]:
        """Escalations that are due now."""
        return overdue(self.show(name), self._desk.clock())

    def postmortem(self, name: str) -> str:
        """The page, in Markdown; everything on it comes from the ledger."""
        known = self.show(name)
        happened = timeline(self._stores, known)
        return postmortem(known, happened, verdicts_of(self._desk, known))

    # -- opening

    def open(
        self,
        title: str,
        *,
        playbook: str,
        by: str,
        dataset: str = "",
        batch: str = "",
        rows: Sequence[int] = (),
        campaign: str = "",
        siem: str = "",
        sources: Sequence[str] = (),
        severity: str = "",
        own: bytes | None = None,
    ) -> Incident:
        """Open an incident from a batch's findings, a campaign, a SIEM's case or a report.

        Args:
            title: what it is about, in a few words.
            playbook: name of a shipped playbook.
            by: who opens it.
            dataset: whose rows; known from a batch or campaign.
            batch: digest or first digits of a batch that was found.
            rows: positions in it that are meant; by default those that were kept out of it,
                or all of it.
            campaign: id of a campaign; its named sources are the incident's, or the
                suspected where it names none.
            siem: reference of a case elsewhere; kept as text.
            sources: senders that a report names.
            severity: instead of the playbook's.
            own: text of a playbook of one's own, instead of a shipped one.

        Raises:
            UsageError: nothing or several things begin it, or no dataset is named.
            NotFoundError: a batch, campaign, source or playbook does not exist.
        """
        _check_words(title, by)
        begun = self._begun(batch=batch, campaign=campaign, siem=siem, sources=sources)
        begun |= {"rows": self._rows_of(batch, rows)} if rows else {}
        dataset = str(begun.pop("dataset", "")) or dataset
        _check_dataset(dataset)
        book = find_playbook(playbook, VERBS.keys(), own)
        return self._opened(
            {
                "event": "opened",
                "by": by,
                "title": title,
                "playbook": book.name,
                "dataset": dataset,
                "severity": (severity_of(severity) if severity else book.severity).name.lower(),
                "steps": to_json([*book.steps]),
                "escalations": to_json([*book.escalations]),
                "reference": siem,
                **begun,
            }
        )

    def _opened(self, document: dict[str, Json]) -> Incident:
        """Record it under the next id."""
        journal = self._stores.journal
        journal.lock()
        name = f"inc-{len(desks.incidents(self._stores)) + 1}"
        opened = {"incident": name, "began_s": self._desk.clock(), **document}
        journal.record([Event(desks.KIND, opened)])
        return self.show(name)

    def _begun(
        self, *, batch: str, campaign: str, siem: str, sources: Sequence[str]
    ) -> dict[str, Json]:
        """What it comes from, whom and what it is about, and since when that is known."""
        if sum(map(bool, (batch, campaign))) > 1 or not (batch or campaign or siem or sources):
            raise UsageError(
                "no-trigger",
                "an incident begins with one thing",
                why="a batch, a campaign, a case of a SIEM, or sources that a report names",
                fix="add --batch, --campaign, --siem or --source",
            )
        for name in sources:
            registry.roster(self._stores).source(name)
        found: dict[str, Json] = {
            "trigger": "siem" if siem else "report",
            "sources": [*sorted(sources)],
            "batches": [],
            "rows": {},
        }
        if batch:
            found |= self._of_batch(batch)
        if campaign:
            found |= self._of_campaign(campaign)
        return found

    def _of_batch(self, prefix: str) -> dict[str, Json]:
        row = questions.batch_row(self._stores, prefix)
        rows: dict[str, Json] = {}
        at = row.submitted_index if row.verdict_index is None else row.verdict_index
        if row.verdict_index is not None and row.status == "admitted" and row.quarantined_rows:
            rows[row.digest] = self._stores.event(row.verdict_index)["quarantined_rows"]
        return {
            "trigger": "finding",
            "reference": row.digest,
            "dataset": row.dataset,
            "sources": [row.source],
            "batches": [row.digest],
            "rows": rows,
            "began_s": self._time_of(at),
        }

    def _rows_of(self, prefix: str, rows: Sequence[int]) -> dict[str, Json]:
        row = questions.batch_row(self._stores, prefix)
        if not all(0 <= place < row.records for place in rows):
            raise UsageError(
                "bad-rows",
                f"batch {row.digest[:16]} has no such rows",
                why=f"it has {row.records}, counted from 0",
                fix="count rows from 0; `credenza batch show` says how many there are",
            )
        return {row.digest: [*sorted(set(rows))]}

    def _of_campaign(self, name: str) -> dict[str, Json]:
        found = monitor.campaign(self._stores, name)
        who = found.campaign.sources or found.campaign.suspected
        with self._stores.journal.catalog.snapshot() as index:
            window = index.get(WindowRow, found.dataset, found.campaign.window)
        batches = [
            digest
            for digest in found.campaign.batches
            if questions.batch_row(self._stores, digest).source in who
        ]
        return {
            "trigger": "campaign",
            "reference": found.id,
            "dataset": found.dataset,
            "sources": [*sorted(who)],
            "batches": [*batches],
            "rows": {},
            "began_s": self._time_of(window.settled_index) if window else self._desk.clock(),
        }

    def _time_of(self, index: int) -> int:
        with self._stores.journal.catalog.snapshot() as catalog:
            entry = catalog.get(EntryRow, index)
        return self._desk.clock() if entry is None else entry.time_s

    # -- answering

    def enter(self, name: str, state: State, *, by: str, note: str) -> Incident:
        """Reach the next state: acknowledged, contained, eradicated, recovered, closed.

        Closing lets in again what was held for it, so a governed workspace asks others.

        Raises:
            ConflictError: another state comes first, or steps of this one are open.
            PendingError: others must approve that it is closed.
        """
        known = self.show(name)
        if state is not State.CLOSED:
            return desks.record(self._desk, known, str(state), by, note=note)
        desks.next_moment(self._desk, known, str(state), by, note=note)  # or nobody is asked
        terms: dict[str, Json] = {"incident": known.id, "sources": [*known.sources], "note": note}
        with self._warrants.allow("close-incident", terms):
            return desks.record(self._desk, known, str(state), by, note=note)

    def assign(self, name: str, assignee: str, *, by: str) -> Incident:
        """Give it to somebody."""
        return desks.record(self._desk, self.show(name), "assigned", by, assignee=assignee)

    def grade(self, name: str, severity: str, *, by: str, note: str) -> Incident:
        """Change its severity, with a reason."""
        known = self.show(name)
        return desks.record(
            self._desk, known, "graded", by, severity=severity_of(severity).name.lower(), note=note
        )

    def note(self, name: str, text: str, *, by: str) -> Incident:
        """Add a note to its timeline."""
        return desks.record(self._desk, self.show(name), "noted", by, note=text)

    def widen(
        self,
        name: str,
        *,
        by: str,
        note: str,
        sources: Sequence[str] = (),
        batches: Sequence[str] = (),
    ) -> Incident:
        """Count more senders or batches among what it is about."""
        for source in sources:
            registry.roster(self._stores).source(source)
        rows = [questions.batch_row(self._stores, prefix) for prefix in batches]
        return desks.record(
            self._desk,
            self.show(name),
            "widened",
            by,
            note=note,
            sources=[*sorted({*sources, *(row.source for row in rows)})],
            batches=[row.digest for row in rows],
        )

    def run(self, name: str) -> tuple[Incident, tuple[CredenzaError, ...]]:
        """Do the automatic steps of the next state that has any; what refused is told.

        Before somebody acknowledged it, the steps that contain it are run already: stopping
        the flow does not wait for a person. A step that refuses leaves the rest to be run.
        """
        known = self.show(name)
        phase = known.next_state()
        if phase is State.ACKNOWLEDGED:
            phase = State.CONTAINED
        refused: list[CredenzaError] = []
        for step in known.open_steps(phase) if phase is not None else ():
            if not step.does:
                continue
            try:
                act = VERBS[step.does](self._desk, self.show(name))
            except (ConflictError, ForbiddenError, PendingError) as wrong:
                refused.append(wrong)
                continue
            exhibits = to_json(dict(act.exhibits))
            self._end(name, step.id, MACHINE, act.sentence, exhibits, waived=False)
        return self.show(name), tuple(refused)

    def prove(self, name: str, step: str, proof: str, *, by: str, file: bytes = b"") -> Incident:
        """Say that a manual step is done, with its proof in words and perhaps a document.

        Raises:
            UsageError: the step is automatic: it is proved by running it.
        """
        if self.show(name).step(step).does:
            raise UsageError(
                "automatic-step",
                f"step {step!r} is done by running it",
                why="the playbook names a command for it",
                fix=f"run `credenza incident run {name}`, or waive it",
            )
        exhibits: dict[str, Json] = {}
        if file:
            exhibits["document"] = self._stores.journal.blobs.put(file)
        return self._end(name, step, by, proof, exhibits, waived=False)

    def waive(self, name: str, step: str, reason: str, *, by: str) -> Incident:
        """Leave a step out, with a reason."""
        return self._end(name, step, by, reason, {}, waived=True)

    def escalate(self) -> list[tuple[Incident, Escalation]]:
        """Record every escalation that is due; who is to be told of what."""
        happened = []
        for known in self.all():
            for one in overdue(known, self._desk.clock()):
                told = desks.record(
                    self._desk,
                    known,
                    "escalated",
                    MACHINE,
                    escalation=one.id,
                    tell=one.tell,
                    note=f"{one.state} for more than {one.after_s // 60} minutes",
                )
                happened.append((told, one))
        return happened

    def _end(
        self, name: str, step: str, by: str, account: str, exhibits: Json, *, waived: bool
    ) -> Incident:
        return desks.record(
            self._desk,
            self.show(name),
            "step",
            by,
            step=step,
            account=account,
            exhibits=exhibits,
            waived=waived,
        )

    def _plan(self, incident: Incident) -> Mapping[str, object]:
        """The recovery that fits the incident, as `credenza recover plan` would draw it up."""
        whole = tuple(digest for digest in incident.batches if digest not in incident.rows)
        rows = {digest: spans_of(own) for digest, own in incident.rows.items()}
        suspicion = Suspicion(incident.dataset, batches=whole, rows=rows, sources=())
        plan = draw_up(self._stores, suspicion, Wishes())
        steps = [str(one["step"]) for one in cast("list[dict[str, Json]]", plan.document["steps"])]
        return {
            "plan": plan.digest,
            "document": self._stores.journal.blobs.put(canonical_json(plan.document)),
            "steps": steps,
        }


def _check_words(title: str, by: str) -> None:
    if not title.strip() or not by.strip():
        raise UsageError(
            "no-title",
            "an incident needs a title and somebody who opens it",
            why="the postmortem names both",
            fix="add a title and --by NAME",
        )


def _check_dataset(dataset: str) -> None:
    if not dataset:
        raise UsageError(
            "no-dataset",
            "an incident is about a dataset",
            why="what it holds, rolls back and reports is of one dataset",
            fix="add --dataset",
        )

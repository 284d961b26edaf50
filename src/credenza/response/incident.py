"""An incident is the sum of its ledger entries: a pure fold, with no illegal step.

Each entry of kind "incident" is one moment in one incident's life. ``after`` applies it or
refuses it, and is asked both before something is recorded and when the ledger is read, so
that an incident cannot stand where its own history does not lead.

Blind to what nobody recorded: an incident that was handled on the telephone was, by this
account, never handled.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, cast

from credenza.core.errors import ConflictError, UsageError
from credenza.core.text import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json

    Document = Mapping[str, Json]


class State(StrEnum):
    """How far an incident is; each is reached from the one before it, and from no other."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    CONTAINED = "contained"
    ERADICATED = "eradicated"
    RECOVERED = "recovered"
    CLOSED = "closed"


ORDER = tuple(State)


class Severity(IntEnum):
    """How bad it is; ordered, so that an escalation can only raise it."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3


def severity_of(word: object) -> Severity:
    """The severity of that name.

    Raises:
        UsageError: there is none.
    """
    if str(word).upper() not in Severity.__members__:
        known = ", ".join(name.lower() for name in Severity.__members__)
        raise UsageError(
            "bad-severity", f"no severity is called {quote(word)}", why=f"there are: {known}"
        )
    return Severity[str(word).upper()]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a playbook asks for.

    Attributes:
        phase: the state that cannot be reached before it is done or waived.
        does: name of the verb that does it; "" for a step that a person does.
        says: what is done, in words.
        proof: what counts as proof of a manual step, in words.
        waivable: whether it may be left out with a reason.
    """

    id: str
    phase: State
    does: str
    says: str
    proof: str = ""
    waivable: bool = True


@dataclass(frozen=True, slots=True)
class Escalation:
    """What happens when an incident stays in a state for too long.

    Attributes:
        tell: who is to be told: a role of the site, such as "security lead".
    """

    id: str
    state: State
    after_s: int
    severity: Severity
    tell: str


@dataclass(frozen=True, slots=True)
class Done:
    """How a step ended.

    Attributes:
        waived: it was left out; ``account`` is then the reason.
        account: the verb's sentence, or the proof a person gave.
    """

    waived: bool
    by: str
    account: str
    exhibits: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class When:
    """Place and time of a ledger entry."""

    index: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of an incident's own history, in words."""

    when: When
    event: str
    by: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that must be answered.

    Attributes:
        trigger: where it comes from: "finding", "campaign", "report" or "siem".
        reference: what it comes from: a batch, a campaign, a ticket; may be hostile text.
        began_s: time of the evidence behind it; the opening, when a report began it.
        sources, batches: whom and what it is about.
        rows: positions that are meant, by batch; a batch not named here is meant whole.
        done: how each finished step ended, by its id.
        entered_s: when each state was reached.
        escalated: ids of the escalations that happened.
    """

    id: str
    title: str
    playbook: str
    dataset: str
    severity: Severity
    trigger: str
    reference: str
    began_s: int
    sources: tuple[str, ...]
    batches: tuple[str, ...]
    steps: tuple[Step, ...]
    escalations: tuple[Escalation, ...]
    entered_s: Mapping[str, int]
    moments: tuple[Moment, ...]
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    state: State = State.TRIGGERED
    assignee: str = ""
    done: Mapping[str, Done] = field(default_factory=dict)
    escalated: tuple[str, ...] = ()

    def open_steps(self, phase: State) -> tuple[Step, ...]:
        """Steps of a phase that are neither done nor waived."""
        return tuple(s for s in self.steps if s.phase is phase and s.id not in self.done)

    def next_state(self) -> State | None:
        """The state after this one; None at the end."""
        place = ORDER.index(self.state) + 1
        return ORDER[place] if place < len(ORDER) else None

    def step(self, name: str) -> Step:
        """The step of that id.

        Raises:
            UsageError: the incident's playbook has none.
        """
        for step in self.steps:
            if step.id == name:
                return step
        raise UsageError(
            "no-such-step",
            f"{self.id} has no step {name[:60]!r}",
            why=f"its steps are: {', '.join(step.id for step in self.steps)}",
        )


def after(known: Incident | None, document: Document, when: When) -> Incident:
    """The incident once this entry is counted.

    Args:
        known: the incident so far; None before it is opened.
        document: the entry's content.
        when: the entry's place and time.

    Raises:
        ConflictError: the incident does not stand where this could happen.
        UsageError: the entry lacks a reason, or names what does not exist.
    """
    event = str(document["event"])
    if (known is None) != (event == "opened"):
        raise ConflictError(
            "bad-incident",
            f"incident {str(document['incident'])[:40]!r} "
            + ("is not open" if known is None else "is open already"),
            fix="run `credenza incident list`",
        )
    if known is None:
        return _opened(document, when)
    if known.state is State.CLOSED:
        raise ConflictError(
            "incident-closed", f"{known.id} is closed", fix="open another one that names it"
        )
    told = _EVENTS[event](known, document, when)
    moment = Moment(when, event, _text(document, "by"), _SENTENCES[event](document))
    return replace(told, moments=(*known.moments, moment))


def overdue(incident: Incident, now_s: int) -> tuple[Escalation, ...]:
    """Escalations that are due and have not happened, longest wait first.

    Blind to a clock that is wrong: states are timed by the ledger's own clock.
    """
    due = [
        one
        for one in incident.escalations
        if one.state is incident.state
        and one.id not in incident.escalated
        and now_s - incident.entered_s[incident.state] >= one.after_s
    ]
    return tuple(sorted(due, key=lambda one: -one.after_s))


def _opened(document: Document, when: When) -> Incident:
    return Incident(
        id=_text(document, "incident"),
        title=_text(document, "title"),
        playbook=_text(document, "playbook"),
        dataset=_text(document, "dataset"),
        severity=severity_of(document["severity"]),
        trigger=_text(document, "trigger"),
        reference=_text(document, "reference"),
        began_s=int(cast("int", document["began_s"])),
        sources=_texts(document, "sources"),
        batches=_texts(document, "batches"),
        steps=tuple(_step(one) for one in _tables(document, "steps")),
        escalations=tuple(_escalation(one) for one in _tables(document, "escalations")),
        rows={
            batch: tuple(int(cast("int", row)) for row in cast("list[Json]", rows))
            for batch, rows in cast("Mapping[str, Json]", document["rows"]).items()
        },
        entered_s={State.TRIGGERED: when.time_s},
        moments=(Moment(when, "opened", _text(document, "by"), _SENTENCES["opened"](document)),),
    )


def _entered(incident: Incident, document: Document, when: When) -> Incident:
    """The next state, once everything that its phase asks for is done or waived."""
    wanted = State(_text(document, "event"))
    if wanted is not incident.next_state():
        raise ConflictError(
            "illegal-transition",
            f"{incident.id} cannot become {wanted}",
            why=f"it is {incident.state}; an incident goes {' → '.join(ORDER)}",
            fix=f"it can become {incident.next_state()} next",
        )
    if left := incident.open_steps(wanted):
        raise ConflictError(
            "steps-left",
            f"{incident.id} cannot become {wanted} yet",
            why=f"these steps are neither done nor waived: {', '.join(s.id for s in left)}",
            fix=f"run `credenza incident run {incident.id}`, prove the manual ones, or waive them",
        )
    _reasoned(document, "note", "an incident's states are reached with a word on how")
    return replace(
        incident,
        state=wanted,
        assignee=_text(document, "by") if wanted is State.ACKNOWLEDGED else incident.assignee,
        entered_s={**incident.entered_s, wanted: when.time_s},
    )


def _stepped(incident: Incident, document: Document, when: When) -> Incident:  # noqa: ARG001 - one signature
    step = incident.step(_text(document, "step"))
    waived = bool(document["waived"])
    if step.id in incident.done:
        raise ConflictError("step-done", f"step {step.id} of {incident.id} is done already")
    if waived and not step.waivable:
        raise ConflictError(
            "not-waivable",
            f"step {step.id} of {incident.id} cannot be waived",
            why=f"the playbook {incident.playbook!r} insists on it: {step.says}",
        )
    what = "a waiver needs a reason" if waived else "a step that a person did needs a proof"
    _reasoned(document, "account", what)
    exhibits = cast("Mapping[str, object]", document["exhibits"])
    ended = Done(waived, _text(document, "by"), _text(document, "account"), exhibits)
    return replace(incident, done={**incident.done, step.id: ended})


def _assigned(incident: Incident, document: Document, when: When) -> Incident:  # noqa: ARG001 - one signature
    _reasoned(document, "assignee", "somebody must be named")
    return replace(incident, assignee=_text(document, "assignee"))


def _graded(incident: Incident, document: Document, when: When) -> Incident:  # noqa: ARG001 - one signature
    _reasoned(document, "note", "another severity needs a reason")
    return replace(incident, severity=severity_of(document["severity"]))


def _escalated(incident: Incident, document: Document, when: When) -> Incident:
    name = _text(document, "escalation")
    if name not in {one.id for one in overdue(incident, when.time_s)}:
        raise ConflictError("not-due", f"escalation {name[:60]!r} of {incident.id} is not due")
    rule = next(one for one in incident.escalations if one.id == name)
    return replace(
        incident,
        severity=max(incident.severity, rule.severity),
        escalated=(*incident.escalated, name),
    )


def _widened(incident: Incident, document: Document, when: When) -> Incident:  # noqa: ARG001 - one signature
    """More senders or batches turned out to belong to it."""
    _reasoned(document, "note", "what joins an incident needs a reason")
    return replace(
        incident,
        sources=tuple(sorted({*incident.sources, *_texts(document, "sources")})),
        batches=tuple(dict.fromkeys((*incident.batches, *_texts(document, "batches")))),
    )


def _noted(incident: Incident, document: Document, when: When) -> Incident:  # noqa: ARG001 - one signature
    _reasoned(document, "note", "a note needs words")
    return incident


def _reasoned(document: Document, key: str, what: str) -> None:
    if not _text(document, key).strip():
        raise UsageError(
            "no-reason",
            what,
            why="whoever reads the log in a year must learn why",
            fix=f"give a {key}",
        )


_EVENTS: Mapping[str, Callable[[Incident, Document, When], Incident]] = {
    **{str(state): _entered for state in ORDER[1:]},
    "assigned": _assigned,
    "escalated": _escalated,
    "graded": _graded,
    "noted": _noted,
    "step": _stepped,
    "widened": _widened,
}
_SENTENCES: Mapping[str, Callable[[Document], str]] = {
    "opened": lambda d: f"opened by a {d['trigger']}: {d['title']}",
    **{
        str(state): (lambda d, state=state: f"{state}: {d['note']}")  # type: ignore[misc]
        for state in ORDER[1:]
    },
    "assigned": lambda d: f"assigned to {d['assignee']}",
    "escalated": lambda d: f"escalated to {d['tell']}: {d['note']}",
    "graded": lambda d: f"severity {d['severity']}: {d['note']}",
    "noted": lambda d: str(d["note"]),
    "step": lambda d: f"step {d['step']} {'waived' if d['waived'] else 'done'}: {d['account']}",
    "widened": lambda d: (
        f"widened by {len(cast('list[Json]', d['sources']))} sources and "
        f"{len(cast('list[Json]', d['batches']))} batches: {d['note']}"
    ),
}


def _step(document: Document) -> Step:
    return Step(
        id=_text(document, "id"),
        phase=State(_text(document, "phase")),
        does=_text(document, "does"),
        says=_text(document, "says"),
        proof=_text(document, "proof"),
        waivable=bool(document["waivable"]),
    )


def _escalation(document: Document) -> Escalation:
    return Escalation(
        id=_text(document, "id"),
        state=State(_text(document, "state")),
        after_s=int(cast("int", document["after_s"])),
        severity=severity_of(document["severity"]),
        tell=_text(document, "tell"),
    )


def _text(document: Document, key: str) -> str:
    return str(document[key])


def _texts(document: Document, key: str) -> tuple[str, ...]:
    return tuple(str(item) for item in cast("list[Json]", document[key]))


def _tables(document: Document, key: str) -> list[Document]:
    return cast("list[Document]", document[key])

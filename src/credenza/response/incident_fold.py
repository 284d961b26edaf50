"""An incident is the sum of its ledger entries: a pure fold, with no illegal step.

Each entry of kind "incident" is one moment in one incident's life. ``after`` applies it or
refuses it, and is asked both before something is recorded and when the ledger is read, so
that an incident cannot stand where its own history does not lead.

Blind to what nobody recorded: an incident that was handled on the telephone was, by this
account, never handled.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from credenza.core.errors import ConflictError, UsageError
from credenza.response.incident import (
    ORDER,
    Done,
    Escalation,
    Incident,
    Moment,
    State,
    Step,
    overdue,
    severity_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json
    from credenza.response.incident import When

    Document = Mapping[str, Json]


class _News(NamedTuple):
    """What an entry says, and where and when it was written."""

    document: Document
    when: When


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
            why="incidents are opened once, and answered while they are open",
            fix="run `credenza incident list`",
        )
    if known is None:
        return _opened(document, when)
    if known.state is State.CLOSED:
        raise ConflictError(
            "incident-closed",
            f"{known.id} is closed",
            why="what was learnt from it is written, and stays",
            fix="open another one that names it",
        )
    then = _EVENTS[event](known, _News(document, when))
    moment = Moment(when, event, _text(document, "by"), _SENTENCES[event](document))
    return replace(then, moments=(*known.moments, moment))


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


def _entered(incident: Incident, news: _News) -> Incident:
    """The next state, once everything that its phase asks for is done or waived."""
    wanted = State(_text(news.document, "event"))
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
    _reasoned(news.document, "note", "an incident's states are reached with a word on how")
    return replace(
        incident,
        state=wanted,
        assignee=_text(news.document, "by") if wanted is State.ACKNOWLEDGED else incident.assignee,
        entered_s={**incident.entered_s, wanted: news.when.time_s},
    )


def _stepped(incident: Incident, news: _News) -> Incident:
    step = incident.step(_text(news.document, "step"))
    waived = bool(news.document["waived"])
    if step.id in incident.done:
        raise ConflictError(
            "step-done",
            f"step {step.id} of {incident.id} is done already",
            why="a step is done once",
            fix="nothing is left to do on it",
        )
    if waived and not step.waivable:
        raise ConflictError(
            "not-waivable",
            f"step {step.id} of {incident.id} cannot be waived",
            why=f"the playbook {incident.playbook!r} insists on it: {step.says}",
            fix="do it, or run it",
        )
    what = "a waiver needs a reason" if waived else "a step that a person did needs a proof"
    _reasoned(news.document, "account", what)
    exhibits = cast("Mapping[str, object]", news.document["exhibits"])
    ended = Done(waived, _text(news.document, "by"), _text(news.document, "account"), exhibits)
    return replace(incident, done={**incident.done, step.id: ended})


def _assigned(incident: Incident, news: _News) -> Incident:
    _reasoned(news.document, "assignee", "somebody must be named")
    return replace(incident, assignee=_text(news.document, "assignee"))


def _graded(incident: Incident, news: _News) -> Incident:
    _reasoned(news.document, "note", "another severity needs a reason")
    return replace(incident, severity=severity_of(news.document["severity"]))


def _escalated(incident: Incident, news: _News) -> Incident:
    name = _text(news.document, "escalation")
    if name not in {one.id for one in overdue(incident, news.when.time_s)}:
        raise ConflictError(
            "not-due",
            f"escalation {name[:60]!r} of {incident.id} is not due",
            why="its time has not passed yet, or it was answered",
            fix="wait until it is",
        )
    rule = next(one for one in incident.escalations if one.id == name)
    return replace(
        incident,
        severity=max(incident.severity, rule.severity),
        escalated=(*incident.escalated, name),
    )


def _widened(incident: Incident, news: _News) -> Incident:
    """More senders or batches turned out to belong to it."""
    _reasoned(news.document, "note", "what joins an incident needs a reason")
    return replace(
        incident,
        sources=tuple(sorted({*incident.sources, *_texts(news.document, "sources")})),
        batches=tuple(dict.fromkeys((*incident.batches, *_texts(news.document, "batches")))),
    )


def _noted(incident: Incident, news: _News) -> Incident:
    _reasoned(news.document, "note", "a note needs words")
    return incident


def _reasoned(document: Document, key: str, what: str) -> None:
    if not _text(document, key).strip():
        raise UsageError(
            "no-reason",
            what,
            why="whoever reads the log in a year must learn why",
            fix=f"give a {key}",
        )


_EVENTS: Mapping[str, Callable[[Incident, _News], Incident]] = {
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

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.response.incident import ORDER, Incident, Severity, State, When, overdue
from credenza.response.incident_fold import after
from credenza.response.playbook import read_playbook
from credenza.response.postmortem import escaped, postmortem, span
from credenza.response.timeline import Happening
from credenza.response.verbs import VERBS

if TYPE_CHECKING:
    from tests.conftest import SourceSimulator

    from credenza.core.canonical import Json
    from credenza.workspace import Workspace

OPENED: dict[str, Json] = {
    "incident": "inc-1",
    "event": "opened",
    "by": "ada",
    "title": "late is no",
    "playbook": "label-flip",
    "dataset": "trips",
    "severity": "high",
    "trigger": "report",
    "reference": "",
    "began_s": 1_000,
    "sources": ["cara"],
    "batches": [],
    "rows": {},
    "steps": [
        {"id": "hold", "phase": "contained", "does": "hold-sources", "says": "hold", "proof": "",
         "waivable": False},
        {"id": "ask", "phase": "eradicated", "does": "", "says": "ask", "proof": "an answer",
         "waivable": True},
    ],
    "escalations": [
        {"id": "silent", "state": "triggered", "after_s": 3600, "severity": "critical",
         "tell": "security lead"},
    ],
}  # fmt: skip
BOOK = """
schema = "credenza.playbook/1"
name = "own"
title = "Our own"
severity = "low"
[[step]]
id = "one"
phase = "contained"
says = "hold"
does = "hold-sources"
[[step]]
id = "two"
phase = "eradicated"
says = "look"
proof = "what was seen"
[[step]]
id = "three"
phase = "recovered"
says = "look"
proof = "what was seen"
"""


def opened() -> Incident:
    return after(None, OPENED, When(0, 1_060))


def told(event: str, **content: Json) -> dict[str, Json]:
    return {"incident": "inc-1", "event": event, "by": "ada", "note": "so", **content}


def ended(step: str, *, waived: bool, account: str = "so") -> dict[str, Json]:
    return told("step", step=step, waived=waived, account=account, exhibits={})


def life() -> list[dict[str, Json]]:
    """Everything from triggered to closed."""
    return [
        told("acknowledged"),
        ended("hold", waived=False),
        told("contained"),
        ended("ask", waived=True),
        told("eradicated"),
        told("recovered"),
        told("closed"),
    ]


def test_an_incident_goes_through_its_states_in_order_and_remembers_when() -> None:
    known = opened()
    for place, document in enumerate(life()):
        known = after(known, document, When(place + 1, 2_000 + place))
    assert known.state is State.CLOSED
    assert list(known.entered_s) == list(ORDER)
    assert [moment.when.index for moment in known.moments] == list(range(8))
    assert known.assignee == "ada"


def live(documents: list[dict[str, Json]]) -> Incident:
    known = opened()
    for place, document in enumerate(documents):
        known = after(known, document, When(place + 1, 2_000))
    return known


@pytest.mark.parametrize("skipped", range(6))
def test_no_moment_of_a_life_can_be_left_out(skipped: int) -> None:
    assert live(life()).state is State.CLOSED
    with pytest.raises(ConflictError):
        live([*life()[:skipped], *life()[skipped + 1 :]])


def test_nothing_happens_to_a_closed_incident() -> None:
    with pytest.raises(ConflictError, match="is closed"):
        live([*life(), told("noted")])


def test_what_a_playbook_insists_on_cannot_be_waived() -> None:
    with pytest.raises(ConflictError, match="cannot be waived"):
        after(opened(), ended("hold", waived=True), When(1, 2_000))


@pytest.mark.parametrize(
    "document",
    [
        ended("ask", waived=True, account=" "),
        told("acknowledged", note=""),
        told("graded", severity="terrible"),
        ended("nothing", waived=False),
    ],
)
def test_a_moment_without_a_reason_or_of_nothing_known_is_refused(
    document: dict[str, Json],
) -> None:
    with pytest.raises(UsageError):
        after(opened(), document, When(1, 2_000))


def test_an_incident_that_waits_too_long_is_escalated_once_and_never_lowered() -> None:
    known = opened()
    assert overdue(known, 1_060 + 3_599) == ()
    due = overdue(known, 1_060 + 3_600)
    assert [one.tell for one in due] == ["security lead"]
    late = told("escalated", escalation="silent", tell="security lead")
    with pytest.raises(ConflictError, match="not due"):
        after(known, late, When(1, 1_060 + 10))
    worse = after(known, late, When(1, 1_060 + 3_600))
    assert worse.severity is Severity.CRITICAL
    assert overdue(worse, 10**9) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('does = "hold-sources"', 'does = "launch-missiles"'),
        ('phase = "contained"', 'phase = "forgotten"'),
        ('says = "hold"', 'says = "hold"\nsurprise = 1'),
        ('id = "two"', 'id = "one"'),
        ('does = "hold-sources"', ""),
        ('severity = "low"', 'severity = "terrible"'),
        ("credenza.playbook/1", "credenza.playbook/9"),
        ('phase = "recovered"', 'phase = "eradicated"'),
        ("[[step]]", "[[step"),
    ],
)
def test_a_playbook_with_a_mistake_is_refused_with_what_is_known(old: str, new: str) -> None:
    assert read_playbook(BOOK.encode(), VERBS).severity is Severity.LOW
    with pytest.raises(UsageError):
        read_playbook(BOOK.replace(old, new).encode(), VERBS)


def test_opening_needs_one_trigger_that_exists_and_leaves_nothing_behind_otherwise(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    desk = workspace.incidents
    with pytest.raises(UsageError):
        desk.open("x", playbook="campaign", by="ada", dataset="trips")
    with pytest.raises(NotFoundError):
        desk.open("x", playbook="campaign", by="ada", dataset="trips", sources=["nobody"])
    with pytest.raises(NotFoundError):
        desk.open("x", playbook="no such", by="ada", dataset="trips", sources=[sources.names[0]])
    with pytest.raises(NotFoundError):
        desk.open("x", playbook="campaign", by="ada", campaign="trips/2024-01-01/1")
    assert desk.all() == []
    known = desk.open("x", playbook="backdoor", by="ada", dataset="trips", siem="CASE-1", own=None)
    assert (known.id, known.trigger, known.reference) == ("inc-1", "siem", "CASE-1")
    with pytest.raises(NotFoundError):
        desk.show("inc-2")
    with pytest.raises(UsageError):
        desk.note(known.id, "who says so?", by=" ")
    assert len(desk.show(known.id).moments) == 1


def test_an_incident_survives_a_rebuilt_catalog_with_its_holds(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    desk, name = workspace.incidents, sources.names[0]
    known = desk.open("x", playbook="stolen-key", by="ada", dataset="trips", sources=[name])
    done, refused = desk.run(known.id)
    assert not refused
    before = workspace.log.catalog_dump()
    workspace.log.rebuild_catalog()
    assert workspace.incidents.show(known.id) == done
    assert workspace.log.catalog_dump() == before


HOSTILE = (
    "<script>alert(1)</script>",
    "[click](http://evil.example)",
    "| a | b |\n# heading\n```\ncode",
    "\x1b[31mred \u202e evil",
    "![x](//evil.example/i.png) www.evil.example me@evil.example",
    "`code` *bold* _it_ ~no~ $x$ \\",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_postmortem_is_text(text: str) -> None:
    shown = escaped(text)
    assert shown.isprintable()
    assert not re.search(r"[<>`*_\[\]()|~$@:#&\\]", re.sub(r"&#\d+;", "", shown))
    assert "www." not in shown
    page = postmortem(
        replace(opened(), title=text, reference=text, sources=(text,)),
        [Happening(1, 0, "incident", text, text)],
        [("ab" * 32, "admit", text)],
    )
    assert "<script" not in page
    assert "](http" not in page
    assert page.count("\n# ") == 0
    rows = [line for line in page.splitlines() if line.startswith("| 1 |")]
    assert len(rows) == 1
    assert rows[0].count("|") == 5


def test_a_postmortem_says_what_failed_and_how_long_it_took() -> None:
    known = opened()
    for place, document in enumerate(life()[:4]):
        known = after(known, document, When(place + 1, 8_260 + place))
    page = postmortem(known, [], [("ab" * 32, "admit", ""), ("cd" * 32, "hold", "rows")])
    assert "the gate admitted batch abababababab, and nothing spoke" in page
    assert "the gate did not admit batch cdcdcdcdcdcd: hold (rows)" in page
    assert "- contained: 2 h 1 min later" in page
    assert "ask was waived by ada" in page
    assert "it is still contained" in page


@pytest.mark.parametrize(
    ("seconds", "told_"),
    [(0, "0 s"), (61, "1 min 1 s"), (3 * 86_400 + 7_200 + 5, "3 d 2 h"), (-5, "0 s")],
)
def test_durations_are_told_in_two_units(seconds: int, told_: str) -> None:
    assert span(seconds) == told_

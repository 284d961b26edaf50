"""A source that an incident holds stays held until the incident is closed, by whoever may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, ForbiddenError, PendingError
from credenza.provenance.keys import key_from_seed, save_key
from credenza.response import desk as desks
from credenza.response.incident import State
from credenza.store.rows import WatchRow
from credenza.workspace.warrants import Acting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.conftest import SourceSimulator

    from credenza.workspace import Workspace

BOOK = b"""
schema = "credenza.playbook/1"
name = "own"
title = "Our own"
severity = "low"
[[step]]
id = "hold"
phase = "contained"
says = "hold"
does = "hold-sources"
[[step]]
id = "look"
phase = "eradicated"
says = "look"
proof = "what was seen"
[[step]]
id = "look-again"
phase = "recovered"
says = "look"
proof = "what was seen"
"""


def opened(workspace: Workspace, source: str) -> str:
    """An incident that holds a source, and could be closed."""
    known = workspace.incidents.open(
        "odd", playbook="own", own=BOOK, by="ada", sources=[source], dataset="trips"
    )
    desk = workspace.incidents
    desk.run(known.id)
    for state, step in (
        (State.ACKNOWLEDGED, ""),
        (State.CONTAINED, ""),
        (State.ERADICATED, "look"),
        (State.RECOVERED, "look-again"),
    ):
        if step:
            desk.prove(known.id, step, "nothing", by="ada")
        desk.enter(known.id, state, by="ada", note="done")
    return known.id


def held(workspace: Workspace, source: str) -> str:
    with workspace._stores.journal.catalog.snapshot() as index:
        row = index.get(WatchRow, "trips", source)
    return row.incident if row is not None and row.since else ""


def close(workspace: Workspace, incident: str) -> None:
    workspace.incidents.enter(incident, State.CLOSED, by="ada", note="over")


def test_a_source_that_two_incidents_hold_is_held_until_both_are_closed(
    workspace: Workspace,
) -> None:
    first, second = opened(workspace, "cara"), opened(workspace, "cara")
    assert held(workspace, "cara") == f"{first}, {second}"
    close(workspace, second)
    assert held(workspace, "cara") == first
    workspace.log.rebuild_catalog()
    assert held(workspace, "cara") == first
    close(workspace, first)
    assert held(workspace, "cara") == ""


def test_a_source_under_watch_is_held_for_the_incident_all_the_same(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    """Or admitting one of its batches would end the watch, and with it the hold."""
    first = opened(workspace, "cara")
    close(workspace, first)
    with workspace._stores.journal.catalog.transaction() as index:
        index.upsert(WatchRow("trips", "cara", "2024-01-01"))  # as a campaign leaves it
    name = opened(workspace, "cara")
    assert held(workspace, "cara") == name
    receipt = sources.submit(workspace, "cara", 0)
    sources.settle(workspace, 0)
    assert "held-for-incident" in {r.rule for r in workspace.batch(receipt.batch).reasons}


@pytest.fixture
def as_member(workspace: Workspace, tmp_path: Path) -> Callable[[str], Acting]:
    """Two stewards, of whom bob belongs to cara; and their word."""
    pytest.importorskip("cedarpy")
    for place, name in enumerate(("alice", "bob", "carol")):
        key = key_from_seed(bytes([90 + place]) * 32)
        save_key(key, tmp_path / f"{name}.key")
        belongs = ["cara"] if name == "bob" else []
        workspace.members.add(name, [key.public], ["steward"], belongs)
    workspace.governance.start()
    return lambda name: Acting(tmp_path / f"{name}.key")


def test_threat_16_whoever_closes_an_incident_needs_another_who_has_no_part_in_it(
    workspace: Workspace, as_member: Callable[[str], Acting]
) -> None:
    name = opened(workspace, "cara")
    with pytest.raises(ForbiddenError, match="who asks to close incident"):
        close(workspace, name)
    workspace.warrants.acting = as_member("alice")
    with pytest.raises(PendingError):
        close(workspace, name)
    assert held(workspace, "cara") == name
    (asked,) = workspace.requests.all()
    bob, carol = as_member("bob").key, as_member("carol").key
    assert bob is not None
    assert carol is not None
    with pytest.raises(ForbiddenError, match="bob may not approve"):
        workspace.requests.approve(asked.digest, bob)
    workspace.requests.approve(asked.digest, carol)
    close_with = Acting(None, asked.digest)
    workspace.warrants.acting = close_with
    close(workspace, name)
    assert held(workspace, "cara") == ""
    assert workspace.governance.audit().problems == ()


def test_nobody_is_asked_about_an_incident_that_cannot_be_closed_yet(
    workspace: Workspace, as_member: Callable[[str], Acting]
) -> None:
    known = workspace.incidents.open(
        "odd", playbook="own", own=BOOK, by="ada", sources=["cara"], dataset="trips"
    )
    workspace.warrants.acting = as_member("alice")
    with pytest.raises(ConflictError):
        close(workspace, known.id)
    assert workspace.requests.all() == []


def test_a_ledger_in_which_an_incident_was_closed_without_a_word_is_found_out(
    workspace: Workspace, as_member: Callable[[str], Acting]
) -> None:
    as_member("alice")
    name = opened(workspace, "cara")
    desk = workspace.incidents._desk

    desks.record(desk, workspace.incidents.show(name), "closed", "mallory", note="over")
    (problem,) = workspace.governance.audit().problems
    assert problem.endswith("(incident): nothing before it allows it")

"""Events are folded once and in order, by whoever comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import InternalError
from credenza.core.types import Entry, Finding, Unit
from credenza.gate.fold import fold
from credenza.gate.policy import WindowRule
from credenza.gate.records import finding_from, to_json
from credenza.gate.windows import window_of
from credenza.store.rows import WatchRow
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from tests.conftest import SourceSimulator

    from credenza.core.canonical import Json


def test_a_reader_that_counted_before_another_wrote_undoes_nothing(
    workspace: Workspace, sources: SourceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.submit(workspace, "anna", 0)
    reader = Workspace.open(workspace.home)
    journal = reader._stores.journal
    sources.settle(workspace, 0)
    dump = workspace.log.catalog_dump()
    counted = journal.ledger.size - 1  # as if it had looked just before the submission
    monkeypatch.setattr(journal.catalog, "entry_count", lambda: counted)
    assert journal.catch_up() == 0
    assert workspace.log.catalog_dump() == dump
    assert [one.status for one in reader.batches()] == ["admitted"]
    reader.close()


def test_what_a_crash_left_unfolded_is_folded_by_the_next_who_opens(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.play(workspace, range(1))
    dump = workspace.log.catalog_dump()
    workspace._stores.journal.catalog.clear()
    workspace.close()
    with Workspace.open(workspace.home) as reopened:
        assert reopened.log.catalog_dump() == dump


def test_an_event_of_a_newer_version_is_refused_not_skipped(workspace: Workspace) -> None:
    with (
        pytest.raises(InternalError, match="unknown kind 'prophecy'"),
        workspace._stores.journal.catalog.transaction() as index,
    ):
        fold(index, Entry(9, "prophecy", "0" * 64, 0), {})


def settled(window: str, *, watch: list[str], probation: list[str], until: str) -> dict[str, Json]:
    return {
        "dataset": "trips",
        "window": window,
        "late": True,
        "batches": [],
        "watch": [*watch],
        "probation": [*probation],
        "until": until,
        "publish": [],
    }


def test_a_suspect_is_on_probation_and_the_named_until_somebody_decides(
    workspace: Workspace,
) -> None:
    catalog = workspace._stores.journal.catalog
    first = settled("2024-01-01", watch=["anna"], probation=["beat"], until="2024-01-29")
    second = settled("2024-01-08", watch=["beat"], probation=["anna", "cara"], until="2024-02-05")
    with catalog.transaction() as index:
        fold(index, Entry(7, "settlement", "1" * 64, 0), first)
        found = {one.source: one for one in index.find(WatchRow, dataset="trips")}
        assert found["anna"] == WatchRow("trips", "anna", "2024-01-01", "")
        assert found["beat"] == WatchRow("trips", "beat", "2024-01-01", "2024-01-29")
        fold(index, Entry(8, "settlement", "2" * 64, 0), second)
        found = {one.source: one for one in index.find(WatchRow, dataset="trips")}
    assert found["anna"] == WatchRow("trips", "anna", "2024-01-01", ""), "no milder than before"
    assert found["beat"] == WatchRow("trips", "beat", "2024-01-08", ""), "named by now"
    assert found["cara"] == WatchRow("trips", "cara", "2024-01-08", "2024-02-05")


def test_a_finding_comes_back_from_the_ledger_as_it_was() -> None:
    finding = Finding("association", Unit.GROUP, ("a",), 0.25, "s", {"rows": 3}, (1, 2))
    document = to_json(finding)
    assert isinstance(document, dict)
    assert finding_from(document) == finding


def test_a_batch_waits_for_the_window_in_which_its_collection_began() -> None:
    rule = WindowRule(days=7)
    monday = window_of("2024-01-01T00:00:00Z", "b" * 64, rule)
    assert monday == "2024-01-01"
    assert window_of("2024-01-07T23:59:59Z", "b" * 64, rule) == monday
    assert window_of("2024-01-08T00:00:00Z", "b" * 64, rule) == "2024-01-08"
    assert window_of("1969-12-31T00:00:00Z", "b" * 64, rule) == "1969-12-29"
    assert window_of("2024-01-01T00:00:00Z", "b" * 64, WindowRule(days=0)) == "batch " + "b" * 16

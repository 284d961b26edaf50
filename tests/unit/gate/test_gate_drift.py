"""Columns of a window beside trusted rows: the mover first, the rest small, nothing written."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import ConflictError, NotFoundError
from credenza.interfaces.cli.main import main

if TYPE_CHECKING:
    from tests.conftest import NewSources, NewWorkspace, SourceSimulator

    from credenza.workspace import Workspace

DATASET = "trips"
NAMES = ("anna", "beat", "cara", "dino")


@pytest.fixture(scope="module")
def workspace(shared_workspace: NewWorkspace, simulator: type[SourceSimulator]) -> Workspace:
    """Four vouched-for windows, and a fifth in which beat's trips all begin hours later.

    Made once and only looked at.
    """
    opened = shared_workspace()
    sources = simulator(opened.home.parent / "desk", NAMES, rows=250)
    sources.register(opened)
    sources.play(opened, range(4))
    for name in NAMES:
        table = sources.table(name, 4)
        if name == "beat":
            late = pa.array(np.minimum(table["hour"].to_numpy() + 6, 23))
            table = table.set_column(1, table.schema.field("hour"), late)
        sources.submit(opened, name, 4, table)
    sources.settle(opened, 4)
    return opened


def test_the_column_that_moved_is_first_by_every_measure_and_the_others_are_told_too(
    workspace: Workspace,
) -> None:
    found = workspace.drift(DATASET)
    assert found.window == "2024-01-29"
    assert {(one.source, one.column) for one in found.columns} == {
        (name, column) for name in NAMES for column in ("distance", "hour", "town")
    }
    first, *others = found.columns
    assert (first.source, first.column, first.rows) == ("beat", "hour", 250)
    for measure in ("psi", "distance", "jensen_shannon", "mmd"):
        assert getattr(first, measure) > 2 * max(getattr(one, measure) for one in others)
    assert first.classifier_accuracy is not None
    assert first.classifier_accuracy > max(one.classifier_accuracy or 0 for one in others)
    assert first.p_value < 1e-6 < min(one.p_value for one in others)
    assert first.most == "`hour` = 23"


def test_honest_columns_hardly_move(workspace: Workspace) -> None:
    others = [one for one in workspace.drift(DATASET).columns if one.source != "beat"]
    assert max(one.psi for one in others) < 0.25
    assert all(0.4 < one.classifier_accuracy < 0.65 for one in others if one.classifier_accuracy)


def test_a_value_that_no_trusted_row_has_is_called_that_and_not_many_times_as_frequent(
    new_workspace: NewWorkspace, new_sources: NewSources, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, sources = new_workspace(), new_sources(*NAMES)
    sources.register(opened)
    sources.play(opened, range(4))
    others = {"beat": ["Bern"] * 30, "cara": ["Oz"] * 6, "dino": ["Ur"] * 2 + ["Uz"] * 4}
    for name in NAMES:
        table, towns = sources.table(name, 4), others.get(name, [])
        own = pa.array([*towns, *table["town"].to_pylist()[len(towns) :]])
        sources.submit(opened, name, 4, table.set_column(2, table.schema.field("town"), own))
    sources.settle(opened, 4)
    found = {one.source: one for one in opened.drift(DATASET).columns if one.column == "town"}
    assert [found[name].is_new for name in NAMES] == [False, False, True, True]
    assert (found["beat"].most, found["cara"].most) == ('`town` = "Bern"', '`town` = "Oz"')
    assert found["dino"].most == '`town` = "Uz"'  # of rare values, which are one cell
    assert main(["drift", DATASET, "--home", str(opened.home)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert '`town` = "Oz", never seen before' in shown
    assert f'`town` = "Bern", {found["beat"].times:.1f} times' in shown


def test_an_older_window_can_be_measured_and_measuring_writes_nothing(
    workspace: Workspace,
) -> None:
    before = workspace.log.catalog_dump()
    assert workspace.drift(DATASET, "2024-01-22").columns[0].psi < 0.25
    assert workspace.log.catalog_dump() == before


def test_too_few_rows_and_a_column_of_text_are_said_not_to_be_compared(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    opened, sources = new_workspace(), new_sources(*NAMES, rows=40)
    sources.register(opened)
    for window in range(5):
        for name in NAMES:
            table = sources.table(name, window)
            said = [f"trip {place} of {name} in {window}, as it was told" for place in range(40)]
            table = table.append_column("note", pa.array(said))
            few = window == 4 and name == "dino"
            sources.submit(opened, name, window, table.slice(0, 20) if few else table)
        sources.settle(opened, window)
    found = opened.drift(DATASET)
    assert found.small == ("dino",)
    assert found.unread == ("note",)
    assert {one.source for one in found.columns} == {"anna", "beat", "cara"}


def test_what_cannot_be_measured_says_why(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError, match="no window '2020-01-06' of 'trips'"):
        workspace.drift(DATASET, "2020-01-06")
    with pytest.raises(NotFoundError, match="no window of 'flights'"):
        workspace.drift("flights")


def test_there_is_nothing_to_compare_with_before_the_vouched_windows_are_settled(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    opened, sources = new_workspace(), new_sources(*NAMES)
    sources.register(opened)
    sources.play(opened, range(1))
    with pytest.raises(ConflictError, match="no trusted rows") as refused:
        opened.drift(DATASET)
    assert "first 4 windows" in refused.value.why


def test_the_command_tells_one_sender_or_all(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(workspace.home)]
    assert main(["drift", DATASET, *home]) == 0
    shown = capsys.readouterr().out
    assert shown.index("beat") < shown.index("anna")
    assert "told apart" in shown
    assert main(["drift", DATASET, "--source", "beat", "--json", *home]) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["schema"] == "credenza.drift/1"
    assert {one["source"] for one in body["drift"]["columns"]} == {"beat"}
    assert main(["drift", DATASET, "--source", "nobody", *home]) == 2

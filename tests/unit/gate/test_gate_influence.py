"""On whom a dataset rests: its rows as they are now, by source and by declared group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.compute as pc
import pytest

from credenza.gate.influence import dataset_influence
from credenza.provenance.keys import key_from_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.conftest import NewSources, NewWorkspace, SourceSimulator

    from credenza.gate.influence import DatasetInfluence
    from credenza.workspace import Workspace

DATASET = "trips"


@pytest.fixture
def played(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> tuple[Workspace, SourceSimulator]:
    """Anna and Beat of one group, and Cara, whose trips are all to one town, and long."""
    workspace, sources = new_workspace(detectors=()), new_sources("anna", "beat", "cara", rows=80)
    for place, name in enumerate(sources.names):
        key = key_from_seed(bytes([place + 1]) * 32).public
        workspace.add_source(name, [key], group="" if name == "cara" else "ab")
    for window in range(2):
        for name in sources.names:
            table = sources.table(name, window)
            if name == "cara":
                town = table.schema.get_field_index("town")
                table = table.set_column(town, "town", [["Basel"] * sources.rows])
                far = pc.multiply(table["distance"], 4.0)
                table = table.set_column(table.schema.get_field_index("distance"), "distance", far)
            sources.submit(workspace, name, window, table)
        sources.settle(workspace, window)
    return workspace, sources


def rows_of(found: DatasetInfluence) -> Mapping[str, float]:
    return {one.source: round(one.rows, 3) for one in found.sources}


def test_every_source_has_its_share_of_rows_labels_and_subgroups(
    played: tuple[Workspace, SourceSimulator],
) -> None:
    found = played[0].datasets.influence(DATASET)
    assert (found.version, found.rows, found.looked_at) == (2, 480, 480)
    assert rows_of(found) == pytest.approx(dict.fromkeys(("anna", "beat", "cara"), 1 / 3), abs=1e-3)
    (cara,) = (one for one in found.sources if one.source == "cara")
    assert (cara.subgroup, cara.of_subgroup) == ('`town` = "Basel"', 1.0)
    assert cara.leverage > cara.rows  # its distances are the longest
    assert sum(one.leverage for one in found.sources) == pytest.approx(1)
    for label in ("yes", "no"):
        assert sum(one.labels[label] for one in found.sources) == pytest.approx(1)


def test_a_declared_group_is_one(played: tuple[Workspace, SourceSimulator]) -> None:
    found = played[0].datasets.influence(DATASET, groups=True)
    assert rows_of(found) == pytest.approx({"ab": 2 / 3, "cara": 1 / 3}, abs=1e-3)


def test_what_was_taken_back_no_longer_counts(played: tuple[Workspace, SourceSimulator]) -> None:
    workspace, sources = played
    sources.submit(workspace, "cara", 2, sources.table("cara", 2))
    sources.settle(workspace, 2)
    assert rows_of(workspace.datasets.influence(DATASET))["cara"] == pytest.approx(3 / 7, abs=1e-3)
    workspace.datasets.rollback(DATASET, 2, "a mistake")
    now = workspace.datasets.influence(DATASET)
    assert now.rows == 480
    assert rows_of(now)["cara"] == pytest.approx(1 / 3, abs=1e-3)
    assert workspace.datasets.influence(DATASET, 1).rows == 240


def test_of_many_rows_some_are_looked_at_from_first_to_last(
    played: tuple[Workspace, SourceSimulator],
) -> None:
    workspace, _ = played
    found = dataset_influence(workspace._stores, workspace.datasets.version(DATASET), most=60)
    assert (found.rows, found.looked_at) == (480, 60)
    assert rows_of(found) == pytest.approx(dict.fromkeys(("anna", "beat", "cara"), 1 / 3), abs=0.02)

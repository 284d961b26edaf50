"""Lineage tools are told what happened, once, and the gate never waits for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from credenza.workspace.telling import TOLD_FILE, keep_told

if TYPE_CHECKING:
    from tests.conftest import NewSources, NewWorkspace

    from credenza.workspace import Workspace


@pytest.fixture
def told(new_workspace: NewWorkspace, new_sources: NewSources) -> Workspace:
    """One sender, one settled week."""
    workspace, sources = new_workspace(), new_sources("anna", rows=20)
    sources.register(workspace)
    sources.play(workspace, range(1))
    return workspace


def test_submission_verdict_and_version_are_told_with_what_went_in_and_out(
    told: Workspace,
) -> None:
    events = [json.loads(event) for _, event in told.lineage.told()]
    assert [one["job"]["name"] for one in events] == [
        "submit.trips",
        "judge.trips",
        "publish.trips",
    ]
    submit, judge, publish = events
    (batch,) = told.batches()
    assert submit["outputs"][0]["facets"]["version"]["datasetVersion"] == batch.digest
    assert submit["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"] == 20
    spoke = judge["inputs"][0]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert {"assertion": "verdict admit", "success": True} in spoke
    assert publish["inputs"][0] == {
        key: value for key, value in submit["outputs"][0].items() if key != "outputFacets"
    }
    assert publish["outputs"][0]["facets"]["version"]["datasetVersion"] == "1"


def test_the_events_are_what_the_standard_s_own_tool_makes(told: Workspace) -> None:
    event_v2 = pytest.importorskip("openlineage.client.event_v2")
    facet_v2 = pytest.importorskip("openlineage.client.facet_v2")
    serde = pytest.importorskip("openlineage.client.serde")
    makers = {
        "version": facet_v2.dataset_version_dataset.DatasetVersionDatasetFacet,
        "outputStatistics": (
            facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
        ),
        "dataQualityAssertions": (
            facet_v2.data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet
        ),
    }
    for _, line in told.lineage.told():
        event = json.loads(line)
        run = event_v2.RunEvent(
            eventTime=event["eventTime"],
            producer=event["producer"],
            run=event_v2.Run(runId=event["run"]["runId"]),
            job=event_v2.Job(**event["job"]),
            eventType=event_v2.RunState[event["eventType"]],
            inputs=[
                event_v2.InputDataset(one["namespace"], one["name"]) for one in event["inputs"]
            ],
            outputs=[
                event_v2.OutputDataset(one["namespace"], one["name"]) for one in event["outputs"]
            ],
        )
        assert serde.Serde.to_dict(run)["run"]["runId"] == event["run"]["runId"]
        for dataset in (*event["inputs"], *event["outputs"]):
            for group in ("facets", "inputFacets", "outputFacets"):
                for name, facet in dataset.get(group, {}).items():
                    fields = {key: value for key, value in facet.items() if key[0] != "_"}
                    made = makers[name](**fields)
                    assert made._get_schema().startswith(facet["_schemaURL"])


def test_the_file_is_kept_whole_across_closing_crashes_and_other_hands(told: Workspace) -> None:
    path = told.home / TOLD_FILE
    whole = b"".join(event for _, event in told.lineage.told())
    told.close()
    assert path.read_bytes() == whole
    with type(told).open(told.home) as again:
        assert again.batches()
    assert path.read_bytes() == whole  # who only reads tells nothing twice
    first, second, _ = whole.splitlines(keepends=True)
    path.write_bytes(first + second[:40])
    with type(told).open(told.home) as again:
        keep_told(again._stores, path)
    assert path.read_bytes() == whole


def test_a_file_that_cannot_be_written_stops_nothing(told: Workspace) -> None:
    path = told.home / TOLD_FILE
    path.mkdir()
    told.close()
    with type(told).open(told.home) as again:
        assert again.datasets.version("trips").rows == 20
        assert len(again.lineage.told(since=0)) == 3


def test_events_are_told_from_the_entry_that_is_asked_for(told: Workspace) -> None:
    every = told.lineage.told()
    assert told.lineage.told(every[1][0]) == every[1:]
    assert told.lineage.told(every[-1][0] + 1) == []
    assert len({json.loads(event)["run"]["runId"] for _, event in every}) == 3

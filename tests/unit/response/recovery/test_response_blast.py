from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from credenza.core.errors import CredenzaError, NotFoundError, UsageError
from credenza.gate.journal import Event
from credenza.response.suspicion import Suspicion
from credenza.store.rows import IntentRow, VersionRow

if TYPE_CHECKING:
    from tests.unit.response.recovery.conftest import Story

    from credenza.workspace import Workspace


def test_the_radius_is_exactly_what_the_attackers_reached(
    story: Story, looked_at: Workspace
) -> None:
    radius = looked_at.response.blast_radius(story.suspicion)
    assert {one.digest for one in radius.batches} == story.sent(looked_at)
    assert sum(one.held for one in radius.batches) == 6 * story.rows
    assert [(one.number, one.suspects) for one in radius.versions] == [
        (4, 2 * story.rows),
        (5, 4 * story.rows),
        (6, 6 * story.rows),
    ]
    assert [one.digest for one in radius.releases] == [story.releases["r2"]]
    assert [one.name for one in radius.channels] == ["dev", "prod"]
    assert {one.run for one in radius.models} == {"tuesday", "wednesday"}
    assert radius.unknown == ()


def test_a_model_inherits_the_exposure_of_the_model_it_started_from(
    story: Story, looked_at: Workspace
) -> None:
    child = {one.run: one for one in looked_at.response.blast_radius(story.suspicion).models}[
        "wednesday"
    ]
    assert child.releases == ()
    assert child.through == (story.models["new"],)


def test_single_rows_reach_what_holds_them_and_nothing_else(
    story: Story, looked_at: Workspace
) -> None:
    batch = min(story.sent(looked_at))
    radius = looked_at.response.blast_radius(
        Suspicion(story.dataset, rows={batch[:12]: ((0, 2), (7, 8))})
    )
    assert [(one.digest, one.suspects, one.held) for one in radius.batches] == [(batch, 3, 3)]
    assert {one.suspects for one in radius.versions} == {3}


def test_sources_keys_batches_and_spans_of_time_name_the_same_rows(
    story: Story, looked_at: Workspace
) -> None:
    by_source = looked_at.response.blast_radius(story.suspicion)
    keys = tuple(key for name in story.attackers for key in looked_at.source(name).keys)
    by_key = Suspicion(story.dataset, keys=keys, since=story.since)
    by_batch = Suspicion(story.dataset, batches=tuple(story.sent(looked_at)))
    assert looked_at.response.blast_radius(by_key) == by_source
    assert looked_at.response.blast_radius(by_batch) == by_source
    everything = looked_at.response.blast_radius(Suspicion(story.dataset, since=story.since))
    assert len(everything.batches) == len(story.names) * (story.windows - story.first)


def test_a_batch_that_was_never_admitted_reached_nothing(story: Story, poisoned: Workspace) -> None:
    radius = poisoned.response.blast_radius(
        Suspicion(story.dataset, sources=("cara",), until="2024-01-08")
    )
    assert [one.number for one in radius.versions] == [1, 2, 3, 4, 5, 6]
    poisoned.datasets.rollback(story.dataset, 1, "back to the start")
    later = Suspicion(story.dataset, sources=("cara",), since=story.since)
    assert [one.number for one in poisoned.response.blast_radius(later).versions] == [4, 5, 6]
    assert sum(one.held for one in poisoned.response.blast_radius(later).batches) == 0


def test_a_release_that_nobody_trained_on_as_far_as_is_known_is_unknown(
    story: Story, poisoned: Workspace
) -> None:
    untold = poisoned.releases.create(story.dataset, poisoned.home.parent / "r3", version=5)
    unknown = poisoned.response.blast_radius(story.suspicion).unknown
    assert [(one.kind, one.subjects) for one in unknown] == [("untold-release", (untold.digest,))]


def test_a_run_that_showed_no_files_leaves_its_exposure_unknown(
    story: Story, poisoned: Workspace
) -> None:
    poisoned.response.train_run("friday", "f" * 64, releases=[story.releases["r1"]])
    unknown = poisoned.response.blast_radius(story.suspicion).unknown
    assert [(one.kind, one.subjects) for one in unknown] == [("unseen-run", ("friday",))]


def test_rows_that_the_ledger_does_not_account_for_are_unknown(
    story: Story, poisoned: Workspace
) -> None:
    with poisoned._stores.journal.catalog.transaction() as index:
        version = index.get(VersionRow, story.dataset, 5)
        assert version is not None
        index.upsert(replace(version, rows=version.rows + 7))
    unknown = poisoned.response.blast_radius(story.suspicion).unknown
    assert [(one.kind, one.sentence) for one in unknown] == [
        ("no-lineage", "version 5 holds 7 rows more than the ledger accounts for")
    ]


def test_a_change_that_has_no_version_yet_is_unknown(story: Story, poisoned: Workspace) -> None:
    with poisoned._stores.journal.catalog.transaction() as index:
        index.upsert(IntentRow("d" * 64, story.dataset, "settlement", 3))
    unknown = poisoned.response.blast_radius(story.suspicion).unknown
    assert [one.kind for one in unknown] == ["unfinished"]


def test_a_detector_names_its_findings_and_what_it_never_judged(
    story: Story, poisoned: Workspace
) -> None:
    batch = min(story.sent(poisoned))
    text = (poisoned.home / "policy.toml").read_text().replace("[]", '["duplicates"]')
    finding: dict[str, Any] = {
        "detector": "duplicates",
        "unit": "row",
        "subjects": ["4"],
        "p_value": "0.001",
        "sentence": "repeated",
        "exhibits": {},
        "rows": [4, 5],
    }
    judged: dict[str, Any] = {"batch": batch, "findings": [finding], "silences": []}
    poisoned._stores.journal.record(
        [
            Event("policy", {"digest": "p" * 64, "text": text}),
            Event(
                "rescreen",
                {
                    "dataset": story.dataset,
                    "window": story.since,
                    "policy": "p" * 64,
                    "judged": [judged],
                    "campaigns": [],
                },
            ),
        ]
    )
    radius = poisoned.response.blast_radius(Suspicion(story.dataset, detectors=("duplicates",)))
    assert [(one.digest, one.suspects) for one in radius.batches] == [(batch, 2)]
    deaf = {one.kind: one for one in radius.unknown}["never-judged"]
    assert len(deaf.subjects) == len(story.names) * story.windows - 1


@pytest.mark.parametrize(
    ("bad", "error", "says"),
    [
        ({}, UsageError, "nothing is under suspicion"),
        ({"sources": ("zoe",)}, CredenzaError, "zoe"),
        ({"batches": ("ffff0000",)}, NotFoundError, "no batch begins"),
        ({"keys": ("1" * 64,)}, NotFoundError, "has or had the key"),
        ({"detectors": ("telepathy",)}, NotFoundError, "telepathy"),
        ({"since": "soon"}, UsageError, "is not a date"),
        ({"since": "2031-01-01"}, NotFoundError, "no batch of 'trips' is meant"),
    ],
)
def test_what_does_not_exist_is_said_and_nothing_changes(
    story: Story, looked_at: Workspace, bad: dict[str, object], error: type, says: str
) -> None:
    before = looked_at.log.catalog_dump()
    with pytest.raises(error, match=says):
        looked_at.response.blast_radius(Suspicion(story.dataset, **bad))  # type: ignore[arg-type]
    assert looked_at.log.catalog_dump() == before


def test_rows_beyond_a_batch_and_an_unknown_dataset_are_refused(
    story: Story, looked_at: Workspace
) -> None:
    batch = min(story.sent(looked_at))
    with pytest.raises(NotFoundError, match="has no row 40"):
        looked_at.response.blast_radius(Suspicion(story.dataset, rows={batch: ((0, 60),)}))
    with pytest.raises(NotFoundError, match="no dataset is called 'ships'"):
        looked_at.response.blast_radius(Suspicion("ships", sources=("cara",)))

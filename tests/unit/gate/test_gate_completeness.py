"""Lineage both ways, and a figure of how much of it holds, that falls when a link is broken."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from credenza.core.errors import NotFoundError
from credenza.datasets.checks import ID
from credenza.gate.journal import Event
from credenza.gate.lineage import Ancestry, Descent, Trace
from credenza.store.rows import BatchRow, VersionRow
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SourceSimulator

DATASET = "trips"
NOW_S = 1_800_000_000.0


@pytest.fixture(scope="module")
def released_home(
    tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]
) -> Path:
    """Two weeks of two senders, a release of the first, and models reported on it."""
    desk = tmp_path_factory.mktemp("released")
    sources = simulator(desk / "desk", ["anna", "beat"], 20)
    with Workspace.init(desk / "home", clock=lambda: NOW_S) as workspace:
        sources.register(workspace)
        sources.play(workspace, range(1))
        release = workspace.releases.create(DATASET, desk / "release").digest
        sources.play(workspace, range(1, 2))
        for run, model, releases, bases in (
            ("nightly", "a" * 64, [release], []),
            ("tuned", "b" * 64, [], ["a" * 64]),
            ("elsewhere", "c" * 64, [], []),
        ):
            workspace._stores.journal.record(
                [
                    Event(
                        "train-run",
                        {
                            "run": run,
                            "model": model,
                            "releases": [*releases],
                            "bases": [*bases],
                            "verified": False,
                            "tags": {},
                        },
                    )
                ]
            )
    return desk / "home"


@pytest.fixture
def released(released_home: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of it for one test."""
    shutil.copytree(released_home, tmp_path / "home")
    with Workspace.open(tmp_path / "home", clock=lambda: NOW_S) as workspace:
        yield workspace


def first(workspace: Workspace, source: str) -> str:
    """Digest of a source's first batch."""
    return next(one.digest for one in workspace.batches() if one.source == source)


def test_a_row_leads_to_its_sender_and_on_to_the_models_that_learnt_from_it(
    released: Workspace,
) -> None:
    (trace,) = released.lineage.of(row=(DATASET, 1, 25))
    assert isinstance(trace, Trace)
    assert (trace.origin.batch, trace.origin.source) == (first(released, "beat"), "beat")
    assert trace.versions == (1, 2)
    assert trace.models == ("a" * 64, "b" * 64)
    (late,) = released.lineage.of(row=(DATASET, 2, 45))
    assert isinstance(late, Trace)
    assert (late.releases, late.models) == ((), ())


def test_a_model_leads_back_to_the_sources_of_its_rows(released: Workspace) -> None:
    for name in ("tuned", "b" * 12):
        (up,) = released.lineage.of(model=name)
        assert isinstance(up, Ancestry)
        assert up.models == ("a" * 64,)
        assert up.versions == ((DATASET, 1),)
        assert up.sources == ("anna", "beat")
        assert set(up.batches) == {first(released, "anna"), first(released, "beat")}
    with pytest.raises(NotFoundError, match="no model"):
        released.lineage.of(model="d" * 12)


def test_every_way_down_has_its_way_up(released: Workspace) -> None:
    (down,) = released.lineage.of(source="anna")
    assert isinstance(down, Descent)
    for release in down.releases:
        (up,) = released.lineage.of(release=release)
        assert isinstance(up, Ancestry)
        assert "anna" in up.sources
    for number in down.versions:
        (up,) = released.lineage.of(version=(DATASET, number))
        assert isinstance(up, Ancestry)
        assert set(up.batches) & set(down.batches)


def test_an_untouched_version_is_complete(released: Workspace) -> None:
    found = released.lineage.completeness(DATASET)
    assert (found.rows, found.whole, found.batches, found.missing) == (80, 80, 4, ())
    assert found.share == 1.0


def test_each_broken_link_takes_its_rows_out_of_the_count(released: Workspace) -> None:
    journal = released._stores.journal
    anna, beat = first(released, "anna"), first(released, "beat")
    original = released._stores.manifest(anna).files[0].sha256
    path = journal.blobs.path(original)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes() + b"\0")
    assert released.lineage.completeness(DATASET).missing == (
        ("original bytes missing or altered", 20),
    )
    envelope = journal.blobs.path(beat)
    envelope.chmod(0o644)
    envelope.unlink()
    found = released.lineage.completeness(DATASET)
    assert found.whole == 40
    assert ("no manifest that its source signed", 20) in found.missing
    assert ("original bytes missing or altered", 40) in found.missing


def test_rows_that_the_ledger_did_not_publish_are_not_complete(released: Workspace) -> None:
    """Somebody writes into the dataset behind the gate's back, and the index agrees."""
    datasets = released._stores.datasets
    table = pa.Table.from_batches(list(datasets.read(DATASET, 2)))
    number = datasets.publish(DATASET, table.slice(0, 5), {ID: "an insider's"})
    with released._stores.journal.catalog.transaction() as index:
        index.upsert(VersionRow(DATASET, number, 85, "looks fine", (), 2))
    found = released.lineage.completeness(DATASET, number)
    assert (found.rows, found.whole) == (85, 80)
    assert found.missing == (("the version holds the row twice", 5),)


def test_a_verdict_that_the_catalog_invents_counts_for_nothing(released: Workspace) -> None:
    with released._stores.journal.catalog.transaction() as index:
        row = index.get(BatchRow, first(released, "anna"))
        assert row is not None
        index.upsert(replace(row, verdict_index=row.submitted_index + 1))
    found = released.lineage.completeness(DATASET)
    assert found.missing == (("no verdict in the ledger", 20),)

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UsageError
from credenza.response.steps.step import CONTAIN, ERADICATE, RECOVER, Wishes
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.response.recovery.conftest import Story


def contents(home: Path) -> dict[str, bytes]:
    """Every data file of the workspace, to see that a drill left it alone."""
    return {
        str(path): path.read_bytes()
        for name in ("datasets", "blobs")
        for path in (home / name).rglob("*")
        if path.is_file() and path.suffix in {".lance", ".manifest", ".txn", ""}
    }


def test_a_drill_recovers_a_copy_and_leaves_a_scorecard(story: Story, poisoned: Workspace) -> None:
    before, versions = contents(poisoned.home), poisoned.datasets.log(story.dataset)
    card = poisoned.response.rehearse(story.dataset, suspicion=story.suspicion)
    assert card.failure == ""
    assert (card.rows, card.batches) == (6 * story.rows, 6)
    times = [card.until(phase) for phase in (CONTAIN, ERADICATE, RECOVER)]
    assert None not in times
    assert times == sorted(times, key=float)  # type: ignore[arg-type]
    after = contents(poisoned.home)
    assert {path: data for path, data in after.items() if path in before} == before
    assert poisoned.datasets.log(story.dataset) == versions
    assert poisoned.response.channel(story.dataset, "prod").release == story.releases["r2"]
    assert poisoned.response.recoveries() == []
    assert [entry.kind for entry in poisoned.log.ledger.entries()][-1] == "rehearsal"
    assert not list(poisoned.home.parent.glob(".rehearsal*"))


def test_a_drill_says_which_step_would_fail(story: Story, poisoned: Workspace) -> None:
    card = poisoned.response.rehearse(story.dataset, seed=1, wishes=Wishes(retrain=("false",)))
    assert "'false'" in card.failure or '"false"' in card.failure
    assert card.steps[-1].name == "release"
    assert card.until(RECOVER) is None


def test_a_workspace_without_admitted_rows_has_nothing_to_rehearse(tmp_path: Path) -> None:
    with (
        Workspace.init(tmp_path / "empty") as workspace,
        pytest.raises(UsageError, match="nothing of 'trips' was admitted"),
    ):
        workspace.response.rehearse("trips")

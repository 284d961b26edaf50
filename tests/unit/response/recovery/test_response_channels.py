from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, CredenzaError, NotFoundError, UsageError
from credenza.response.training_runs import TrainingRun, tags_of

if TYPE_CHECKING:
    from tests.unit.response.recovery.conftest import Story

    from credenza.workspace import Workspace


def test_a_channel_goes_back_step_by_step_and_each_step_is_one_entry(
    story: Story, poisoned: Workspace
) -> None:
    response, ledger = poisoned.response, poisoned._stores.journal
    for version in (1, 2, 3):
        response.move_channel(story.dataset, "qa", version=version, reason="next")
    before = ledger.ledger.size
    assert response.roll_back_channel(story.dataset, "qa", "no").version == 2
    assert response.roll_back_channel(story.dataset, "qa", "no").version == 1
    assert ledger.ledger.size == before + 2
    with pytest.raises(NotFoundError, match="never pointed anywhere else"):
        response.roll_back_channel(story.dataset, "qa", "no")
    response.move_channel(story.dataset, "qa", version=3, reason="again")
    assert response.roll_back_channel(story.dataset, "qa", "no").version == 1
    moves = response.channel_history(story.dataset, "qa")
    assert [one.version for one in moves] == [1, 2, 3, 2, 1, 3, 1]


def test_a_channel_does_not_point_to_a_recalled_release(story: Story, poisoned: Workspace) -> None:
    poisoned.releases.recall(story.releases["r1"], "poison")
    with pytest.raises(ConflictError, match="is recalled"):
        poisoned.response.move_channel(
            story.dataset, "qa", release=story.releases["r1"], reason="x"
        )
    with pytest.raises(ConflictError, match="is recalled"):
        poisoned.response.roll_back_channel(story.dataset, "prod", "x")


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        ({"name": "Prod!", "version": 1, "reason": "x"}, UsageError, "cannot name a channel"),
        ({"name": "qa", "version": 99, "reason": "x"}, NotFoundError, "has no version 99"),
        ({"name": "qa", "release": "f" * 64, "reason": "x"}, NotFoundError, "no release begins"),
        ({"name": "qa", "reason": "x"}, UsageError, "name a version or a release"),
        ({"name": "qa", "version": 1, "reason": " "}, UsageError, "needs a reason"),
    ],
)
def test_a_move_that_cannot_be_changes_nothing(
    story: Story, looked_at: Workspace, words: dict[str, object], error: type, says: str
) -> None:
    before = looked_at.response.channels()
    with pytest.raises(error, match=says):
        looked_at.response.move_channel(story.dataset, **words)  # type: ignore[arg-type]
    assert looked_at.response.channels() == before


def test_a_run_is_recorded_once_and_its_name_is_not_taken_twice(
    story: Story, poisoned: Workspace
) -> None:
    runs = poisoned.response.training_runs()
    directory = story.home.parent / "r1"
    again = poisoned.response.train_run("monday", story.models["old"], directory=directory)
    assert again.verified
    assert poisoned.response.training_runs() == runs
    with pytest.raises(ConflictError, match="is recorded already"):
        poisoned.response.train_run("monday", story.models["new"], directory=directory)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"run": "a b", "model": "1" * 64, "releases": ["x"]}, "cannot name a run"),
        ({"run": "a", "model": "1", "releases": ["x"]}, "is no SHA-256"),
        ({"run": "a", "model": "1" * 64}, "trained on a release"),
        ({"run": "a", "model": "1" * 64, "releases": ["ffff0"]}, "no release begins"),
        ({"run": "a", "model": "1" * 64, "bases": ["ffff0"]}, "no model begins"),
    ],
)
def test_a_run_that_cannot_be_is_refused(
    looked_at: Workspace, words: dict[str, object], says: str
) -> None:
    before = looked_at.response.training_runs()
    with pytest.raises(CredenzaError, match=says):
        looked_at.response.train_run(**words)  # type: ignore[arg-type]
    assert looked_at.response.training_runs() == before


def test_a_run_travels_as_the_tags_of_a_tracker() -> None:
    run = TrainingRun("r", "1" * 64, ("2" * 64, "3" * 64), ("4" * 64,), tags={"team": "risk"})
    assert tags_of(run) == {
        "credenza.run": "r",
        "credenza.model": "1" * 64,
        "credenza.releases": f"{'2' * 64},{'3' * 64}",
        "credenza.bases": "4" * 64,
        "credenza.tag.team": "risk",
    }

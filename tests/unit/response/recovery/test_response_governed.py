"""The way back where rules say who may do what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ForbiddenError, PendingError
from credenza.core.rows import row_root
from credenza.gate.excision import excision
from credenza.provenance.keys import save_key
from credenza.response.steps.step import Wishes
from credenza.workspace.warrants import Acting

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa
    from tests.unit.response.recovery.conftest import Story

    from credenza.response.plan import Plan
    from credenza.workspace import Workspace

pytest.importorskip("cedarpy")


@pytest.fixture
def keys(story: Story, tmp_path: Path) -> dict[str, Path]:
    """Files with the members' keys."""
    for name, key in story.members.items():
        save_key(key, tmp_path / f"{name}.key")
    return {name: tmp_path / f"{name}.key" for name in story.members}


def wishes(story: Story, workspace: Workspace) -> Wishes:
    """Everything unknown is waived."""
    unknown = workspace.response.blast_radius(story.suspicion).unknown
    return Wishes(waivers={one.kind: "looked into" for one in unknown})


def twice(workspace: Workspace, keys: dict[str, Path], act: Callable[[], object]) -> str:
    """Do it as ida, with otto's approval wherever it takes one; the action that took one."""
    workspace.warrants.acting = Acting(keys["ida"])
    with pytest.raises(PendingError):
        act()
    asked = workspace.requests.all()[-1]
    workspace.requests.approve(asked.digest, keys["otto"])
    workspace.warrants.acting = Acting(keys["ida"], asked.digest)
    act()
    return asked.request.action


def applied(workspace: Workspace, plan: Plan, keys: dict[str, Path]) -> list[str]:
    """Apply, with otto's approval wherever it stops; the actions that it stopped for."""
    asked: list[str] = []
    while len(asked) < 9:
        try:
            workspace.response.apply(plan)
        except PendingError:
            request = workspace.requests.all()[-1]
            asked.append(request.request.action)
            workspace.requests.approve(request.digest, keys["otto"])
            workspace.warrants.acting = Acting(keys["ida"], request.digest)
        else:
            break
    return asked


def test_threat_16_a_recovery_stops_at_once_and_changes_data_with_two_people(
    story: Story, poisoned: Workspace, clean_rows: pa.Table, keys: dict[str, Path]
) -> None:
    poisoned.governance.start()
    plan = poisoned.response.plan(story.suspicion, wishes(story, poisoned))
    with pytest.raises(ForbiddenError, match="who asks to roll back channel"):
        poisoned.response.apply(plan)
    poisoned.warrants.acting = Acting(keys["ida"])
    asked = applied(poisoned, plan, keys)
    assert asked == ["excise", "release", "declare-clean", "move-channel", "move-channel"]
    found = story.rows_of(poisoned).drop_columns(["_batch"])
    assert row_root(found) == row_root(clean_rows.drop_columns(["_batch"]))
    assert poisoned.governance.audit().problems == ()


def test_threat_16_rows_that_were_taken_out_without_a_warrant_are_found_afterwards(
    story: Story, poisoned: Workspace
) -> None:
    poisoned.governance.start()
    journal = poisoned._stores.journal
    journal.lock()
    gone = dict.fromkeys(sorted(story.sent(poisoned))[:1], ((0, 1),))
    journal.record([excision(poisoned._stores, story.dataset, gone, "nobody asked")])
    (problem,) = poisoned.governance.audit().problems
    assert "(excision): nothing before it allows it" in problem


def test_threat_16_a_channel_moves_with_two_people_and_goes_back_with_one(
    story: Story, poisoned: Workspace, keys: dict[str, Path]
) -> None:
    poisoned.governance.start()
    response = poisoned.response
    with pytest.raises(ForbiddenError, match="who asks to move channel"):
        response.move_channel(story.dataset, "prod", version=1, reason="mine")
    assert response.channel(story.dataset, "prod").release == story.releases["r2"]
    action = twice(
        poisoned,
        keys,
        lambda: response.move_channel(story.dataset, "prod", version=1, reason="checked"),
    )
    assert action == "move-channel"
    assert response.channel(story.dataset, "prod").version == 1
    poisoned.warrants.acting = Acting(keys["otto"])
    assert response.roll_back_channel(story.dataset, "prod", "poison").version == story.windows
    assert poisoned.governance.audit().problems == ()

"""Windows of days after batches judged one by one, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.store.rows import WatchRow

if TYPE_CHECKING:
    from tests.conftest import NewWorkspace, SourceSimulator


def test_windows_of_days_are_not_late_after_batches_that_were_judged_one_by_one(
    new_workspace: NewWorkspace, sources: SourceSimulator
) -> None:
    workspace = new_workspace(days=0)
    sources.register(workspace)
    for name in sources.names:
        sources.submit(workspace, name, 0)
    policy = workspace.home / "policy.toml"
    policy.write_text(policy.read_text("utf-8").replace("days = 0", "days = 7"), "utf-8")
    sources.submit(workspace, "anna", 1)
    (settled,) = sources.settle(workspace, 1)
    assert "late" not in {reason.rule for reason in settled.verdicts[0].reasons}


def test_the_newest_window_is_the_one_settled_last_whatever_its_name(
    new_workspace: NewWorkspace, sources: SourceSimulator
) -> None:
    workspace = new_workspace(days=0)
    sources.register(workspace)
    for name in sources.names:
        receipt = sources.submit(workspace, name, 0)
        assert workspace.monitor("trips").window == workspace.batch(receipt.batch).window


@pytest.mark.parametrize(("until", "status"), [("2027-01-20", "held"), ("2027-01-10", "admitted")])
def test_a_watch_ends_on_its_day_for_batches_that_are_judged_as_they_come(
    new_workspace: NewWorkspace, sources: SourceSimulator, until: str, status: str
) -> None:
    workspace = new_workspace(days=0)  # and it is the 15th of January 2027
    sources.register(workspace)
    sources.submit(workspace, "beat", 0)
    with workspace._stores.journal.catalog.transaction() as index:
        index.upsert(WatchRow("trips", "anna", "2027-01-04", until))
    assert sources.submit(workspace, "anna", 0).status == status

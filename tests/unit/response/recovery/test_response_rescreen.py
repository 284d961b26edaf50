from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, UsageError
from credenza.response.suspicion import Suspicion

if TYPE_CHECKING:
    from tests.unit.response.recovery.conftest import Story

    from credenza.workspace import Workspace


def ask(workspace: Workspace, detectors: str) -> None:
    """Another policy: three windows are vouched for, the others are judged."""
    path = workspace.home / "policy.toml"
    text = path.read_text().replace("detectors = []", f"detectors = [{detectors}]")
    path.write_text(text.replace("calibration = 999", "calibration = 2"))


def test_a_new_detector_looks_at_what_was_admitted_before_it_was_asked(
    story: Story, poisoned: Workspace
) -> None:
    ask(poisoned, '"confident-disagreement", "duplicates"')
    statuses = {one.digest: one.status for one in poisoned.batches()}
    first = poisoned.response.rescreen(story.dataset, most_rows=4 * story.rows)
    assert [one.window for one in first] == ["2024-02-05"]
    rest = poisoned.response.rescreen(story.dataset, most_rows=100 * story.rows)
    assert [one.window for one in rest] == ["2024-01-29", "2024-01-22"]
    assert poisoned.response.rescreen(story.dataset, most_rows=100 * story.rows) == []
    about = Suspicion(story.dataset, sources=story.attackers, detectors=("duplicates",))
    deaf = {one.kind: one for one in poisoned.response.blast_radius(about).unknown}["never-judged"]
    assert {poisoned.batch(one).window for one in deaf.subjects} == {
        *("2024-01-01", "2024-01-08", "2024-01-15")  # the vouched-for windows
    }
    assert {one.digest: one.status for one in poisoned.batches()} == statuses


def test_a_budget_that_no_window_fits_screens_nothing(story: Story, poisoned: Workspace) -> None:
    ask(poisoned, '"duplicates"')
    assert poisoned.response.rescreen(story.dataset, most_rows=3) == []


def test_without_detectors_or_trusted_rows_there_is_no_second_look(
    story: Story, poisoned: Workspace
) -> None:
    with pytest.raises(UsageError, match="detectors to ask"):
        poisoned.response.rescreen(story.dataset, most_rows=1000)
    path = poisoned.home / "policy.toml"
    text = path.read_text().replace("detectors = []", 'detectors = ["duplicates"]')
    path.write_text(text.replace("reference = 1\n", "reference = 50\n"))
    with pytest.raises(ConflictError, match="trusted yet"):
        poisoned.response.rescreen(story.dataset, most_rows=1000)

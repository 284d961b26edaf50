"""A source that floods the gate harms nobody but itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UntrustedError
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from tests.conftest import SourceSimulator

    from credenza.workspace import Workspace


def limit(workspace: Workspace, **quota: int) -> None:
    path = workspace.home / "policy.toml"
    lines = "\n".join(f"{key} = {value}" for key, value in quota.items())
    path.write_text(f"{path.read_text()}\n[quota]\n{lines}\n")


def rows_of(workspace: Workspace) -> list[BatchRow]:
    with workspace._stores.journal.catalog.snapshot() as index:
        return index.find(BatchRow)


def test_threat_i3_a_flood_is_refused_and_delays_nobody_else(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    limit(workspace, batches=3)
    for window in range(3):
        sources.submit(workspace, "anna", window)
    for window in range(3, 23):
        with pytest.raises(UntrustedError) as refused:
            sources.submit(workspace, "anna", window)
        assert refused.value.code == "over-quota"
        assert refused.value.why.startswith("3 batches with 180 rows in ")
    sources.submit(workspace, "beat", 0)
    assert {one.source for one in workspace.batches()} == {"anna", "beat"}


def test_threat_i3_a_quota_counts_what_is_open_and_not_what_was_done_with(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    limit(workspace, batches=2)
    for window in range(4):
        sources.submit(workspace, "anna", window)
        sources.settle(workspace, window)
    assert len(workspace.batches()) == 4


def test_threat_i3_a_batch_of_too_many_rows_is_refused(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    limit(workspace, rows=150)
    sources.submit(workspace, "anna", 0)
    sources.submit(workspace, "anna", 1)
    with pytest.raises(UntrustedError, match="too much open"):
        sources.submit(workspace, "anna", 2)


def test_threat_i3_files_of_too_many_bytes_are_refused(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.submit(workspace, "anna", 0)
    (first,) = [one.bytes for one in rows_of(workspace)]
    limit(workspace, bytes=2 * first - 1)
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "anna", 1, sources.table("anna", 0))
    assert f"1 batches with 60 rows in {first} bytes" in refused.value.why
    sources.submit(workspace, "beat", 0)


def test_threat_i3_a_stranger_cannot_use_up_anothers_quota(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    """What is refused leaves no trace in the quota of whom it claimed to be."""
    limit(workspace, batches=1)
    path = sources.write(sources.table("anna", 0))
    for _ in range(3):
        with pytest.raises(UntrustedError, match="not its own"):
            workspace.submit(
                [path],
                source="anna",
                key=sources.keys["beat"],
                dataset="trips",
                label="late",
                collected=("2024-01-01", "2024-01-08"),
            )
    sources.submit(workspace, "anna", 0)
    with pytest.raises(UntrustedError, match="not its own"):  # nor learn that it is used up
        workspace.submit(
            [path], source="anna", key=sources.keys["beat"], dataset="trips", label="late"
        )

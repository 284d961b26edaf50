"""A job that runs again after its answer was lost hands nothing in twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SourceSimulator

    from credenza.gate.reception import Receipt
    from credenza.workspace import Workspace

JUNE = ("2024-06-03", "2024-06-10")


def submit(workspace: Workspace, sources: SourceSimulator, file: Path, **other: object) -> Receipt:
    asked: dict[str, object] = {
        "source": sources.names[0],
        "key": sources.keys[sources.names[0]],
        "dataset": "trips",
        "label": "late",
    }
    return workspace.submit([file], **(asked | other))  # type: ignore[arg-type] # a test's options


def test_the_very_same_files_are_answered_with_the_earlier_batch_as_it_stands_now(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    file = sources.write(sources.table(sources.names[0], 0))
    first = submit(workspace, sources, file, collected=JUNE)
    assert submit(workspace, sources, file, collected=JUNE) == replace(first, is_repeat=True)
    workspace.settle("trips", until="2024-07-01")
    later = submit(workspace, sources, file)  # as a job does that names no days
    assert (later.batch, later.status, later.is_repeat) == (first.batch, "admitted", True)
    assert [one.digest for one in workspace.batches()] == [first.batch]
    assert workspace.datasets.version("trips").rows == first.records


def test_whoever_means_it_hands_the_same_files_in_again(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    file = sources.write(sources.table(sources.names[0], 0))
    first = submit(workspace, sources, file)
    second = submit(workspace, sources, file, again=True)
    assert second.batch != first.batch
    assert not second.is_repeat


def test_other_rows_words_days_or_senders_are_batches_of_their_own(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    file = sources.write(sources.table(sources.names[0], 0))
    other = sources.write(sources.table(sources.names[0], 1), "other.parquet")
    ajax = sources.names[1]
    told = [
        submit(workspace, sources, file, collected=JUNE),
        submit(workspace, sources, other, collected=JUNE),
        submit(workspace, sources, file, licence="CC0-1.0"),
        submit(workspace, sources, file, collected=("2024-06-10", "2024-06-17")),
        submit(workspace, sources, file, source=ajax, key=sources.keys[ajax]),
    ]
    assert len({one.batch for one in told}) == len(told)
    assert not any(one.is_repeat for one in told)


def test_whoever_may_not_send_is_refused_and_learns_of_no_earlier_batch(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    file = sources.write(sources.table(sources.names[0], 0))
    submit(workspace, sources, file)
    with pytest.raises(UntrustedError) as refused:
        submit(workspace, sources, file, key=sources.keys[sources.names[1]])
    assert refused.value.code == "wrong-key"
    workspace.freeze_source(sources.names[0], "its key may be stolen")
    with pytest.raises(UntrustedError) as refused:
        submit(workspace, sources, file)
    assert refused.value.code == "source-frozen"

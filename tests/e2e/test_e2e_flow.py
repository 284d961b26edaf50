"""The whole gate on real stores: ledger, catalog, content, Lance, sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import ConflictError, UntrustedError, UsageError
from credenza.core.types import Outcome
from credenza.datasets.verify_release import verify_release
from credenza.datasets.versions import LanceDatasets
from credenza.gate.journal import Event, Journal
from credenza.gate.lineage import Ancestry, Descent, Trace
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from tests.conftest import NewSources, NewWorkspace, SourceSimulator

DATASET = "trips"


def test_the_whole_way_from_submission_to_a_release_that_verifies_offline(
    workspace: Workspace, sources: SourceSimulator, tmp_path: Path
) -> None:
    settled = sources.play(workspace, range(5))
    assert [one.version for one in settled] == [1, 2, 3, 4, 5]
    assert all(v.outcome is Outcome.ADMIT for one in settled for v in one.verdicts)

    log = workspace.datasets.log(DATASET)
    assert [version.rows for version in log[:4]] == [240, 480, 720, 960]
    assert len(log[0].batches) == len(sources.names)

    release = workspace.releases.create(DATASET, tmp_path / "release")
    verified = verify_release(tmp_path / "release", trust=[workspace.public_key])
    assert verified.digest == release.digest
    assert release.rows == log[-1].rows

    (data,) = (tmp_path / "release").glob("*.parquet")
    data.chmod(0o644)
    data.write_bytes(data.read_bytes() + b"\0")
    with pytest.raises(UntrustedError):
        verify_release(tmp_path / "release", trust=[workspace.public_key])

    back = workspace.datasets.rollback(DATASET, 2, "the last weeks are in doubt")
    assert (back.number, back.rows, back.parent) == (6, 480, 2)
    assert "in doubt" in back.rationale

    (trace,) = workspace.lineage.of(row=(DATASET, 5, 700))
    assert isinstance(trace, Trace)
    batch = workspace.batch(trace.origin.batch)
    assert trace.origin.source == batch.source
    assert release.digest in trace.releases
    (down,) = workspace.lineage.of(batch=batch.digest)
    assert isinstance(down, Descent)
    assert release.digest in down.releases
    (up,) = workspace.lineage.of(release=release.digest[:12])
    assert isinstance(up, Ancestry)
    assert batch.digest in up.batches
    assert up.sources == sources.names

    audit = workspace.log.audit()
    assert audit.problems == ()
    before = workspace.log.catalog_dump()
    assert workspace.log.rebuild_catalog() == audit.entries
    assert workspace.log.catalog_dump() == before


def test_rows_that_are_flagged_stay_out_until_a_reviewer_lets_them_in(
    new_workspace: NewWorkspace, sources: SourceSimulator
) -> None:
    workspace = new_workspace(budget={"rows": 0.01, "batch_rows": 0.5})
    sources.register(workspace)
    sources.play(workspace, range(4))
    table = sources.table("dino", 4)
    lateness = table["distance"].to_numpy() + (table["hour"].to_numpy() - 14) / 5
    certain = np.argsort(-lateness)[:15]
    labels = np.array(table["late"].to_pylist())
    labels[certain] = "no"
    for name in ("anna", "beat", "cara"):
        sources.submit(workspace, name, 4)
    place = table.column_names.index("late")
    poisoned = table.set_column(place, "late", pa.array(labels.tolist()))
    receipt = sources.submit(workspace, "dino", 4, poisoned)
    (settled,) = sources.settle(workspace, 4)
    (verdict,) = (one for one in settled.verdicts if one.batch == receipt.batch)
    assert verdict.outcome is Outcome.ADMIT
    kept_out = set(verdict.quarantined_rows)
    assert kept_out
    assert kept_out <= set(certain.tolist())
    before = workspace.datasets.version(DATASET).rows
    assert receipt.batch in {one.digest for one in workspace.reviews()}

    decision = workspace.decide(receipt.batch, "admit", "the sender explained them")
    assert decision.version == 6
    assert workspace.datasets.version(DATASET).rows == before + len(kept_out)
    assert receipt.batch not in {one.digest for one in workspace.reviews()}
    traces = [
        workspace.lineage.of(row=(DATASET, 6, before + place))[0] for place in range(len(kept_out))
    ]
    assert {(one.origin.batch, one.origin.row) for one in traces if isinstance(one, Trace)} == {
        (receipt.batch, row) for row in kept_out
    }


def test_a_detector_that_cannot_assess_holds_every_batch_until_it_is_reviewed(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    workspace = new_workspace(detectors=("confident-disagreement",))
    sources = new_sources("anna", "beat", rows=30)
    sources.register(workspace)
    sources.play(workspace, range(4))  # 120 trusted rows: too few to calibrate against
    held = [sources.submit(workspace, name, 4) for name in sources.names]
    (settled,) = sources.settle(workspace, 4)
    assert settled.version is None
    assert {verdict.outcome for verdict in settled.verdicts} == {Outcome.HOLD}
    explained = workspace.explain(held[0].batch)
    assert [reason.rule for reason in explained.reasons] == ["silence"]
    assert "120 trusted rows" in explained.silences[0].reason

    assert workspace.decide(held[0].batch[:12], "admit", "checked by hand").version == 5
    assert (
        workspace.decide(held[1].batch, "reject", "nobody knows where it is from").version is None
    )
    assert [workspace.batch(one.batch).status for one in held] == ["admitted", "rejected"]
    with pytest.raises(ConflictError) as again:
        workspace.decide(held[1].batch, "admit", "changed my mind")
    assert again.value.code == "nothing-to-review"
    with pytest.raises(UsageError) as silent:
        workspace.decide(held[0].batch, "reject", " ")
    assert silent.value.code == "no-reason"


def test_a_batch_that_comes_after_its_window_was_judged_is_held(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.play(workspace, range(5))
    late = sources.submit(workspace, "anna", 3)
    (settled,) = sources.settle(workspace, 5)
    assert (settled.window, settled.version) == (late.window, None)
    assert "late" in [reason.rule for reason in workspace.batch(late.batch).reasons]
    assert sources.play(workspace, range(5, 6))[0].version == 6  # the next window is as ever


def test_a_source_of_a_campaign_stays_on_watch_until_a_reviewer_clears_it(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.play(workspace, range(4))
    workspace._stores.journal.record(
        [
            Event(
                "settlement",
                {
                    "dataset": DATASET,
                    "window": sources.window_start(4),
                    "late": False,
                    "batches": [],
                    "campaigns": [],
                    "watch": ["dino"],
                    "probation": [],
                    "until": "",
                    "panel": "",
                    "publish": [],
                    "rationale": "",
                },
            )
        ]
    )
    (settled,) = sources.play(workspace, range(5, 6))
    outcomes = {workspace.batch(v.batch).source: v.outcome for v in settled.verdicts}
    assert outcomes.pop("dino") is Outcome.HOLD
    assert set(outcomes.values()) == {Outcome.ADMIT}
    (held,) = workspace.batches(status="held")
    assert sources.window_start(4) in held.reasons[0].sentence
    before = workspace.log.catalog_dump()
    workspace.log.rebuild_catalog()
    assert workspace.log.catalog_dump() == before

    workspace.decide(held.digest, "admit", "the sender repaired its scanner")
    (settled,) = sources.play(workspace, range(6, 7))
    assert {verdict.outcome for verdict in settled.verdicts} == {Outcome.ADMIT}


def test_windows_of_no_days_judge_each_batch_as_it_comes(
    new_workspace: NewWorkspace, sources: SourceSimulator
) -> None:
    workspace = new_workspace(days=0, reference=6, calibration=6)
    sources.register(workspace)
    receipts = [
        sources.submit(workspace, name, window) for window in range(4) for name in sources.names
    ]
    assert {receipt.status for receipt in receipts} == {"admitted"}
    assert len(workspace.datasets.log(DATASET)) == 16


class PowerCut(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("moment", ["before the dataset", "after the dataset"])
def test_a_crash_around_the_dataset_is_finished_by_the_next_writer_and_never_doubled(
    new_workspace: NewWorkspace,
    sources: SourceSimulator,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    crashed = new_workspace()
    sources.register(crashed)
    sources.play(crashed, range(1))
    for name in sources.names:
        sources.submit(crashed, name, 1)
    journal, datasets = crashed._stores.journal, crashed._stores.datasets

    def cut(*_: object, **__: object) -> int:
        raise PowerCut

    def record_versions_never(events: list[Event], content: tuple[bytes, ...] = ()) -> object:
        if any(event.kind == "version" for event in events):
            raise PowerCut
        return Journal.record(journal, events, content)

    if moment == "before the dataset":
        monkeypatch.setattr(LanceDatasets, "publish", cut)
    else:
        monkeypatch.setattr(journal, "record", record_versions_never)
    with pytest.raises(PowerCut):
        sources.settle(crashed, 1)
    crashed.close()
    monkeypatch.undo()
    assert datasets.count(DATASET) == (240 if moment == "before the dataset" else 480)

    with Workspace.open(crashed.home) as reopened:
        assert [version.number for version in reopened.datasets.log(DATASET)] == [1]
        assert sources.settle(reopened, 1) == []
        assert [version.rows for version in reopened.datasets.log(DATASET)] == [240, 480]
        assert reopened._stores.datasets.count(DATASET) == 480
        assert reopened.log.audit().problems == ()
        before = reopened.log.catalog_dump()
        reopened.log.rebuild_catalog()
        assert reopened.log.catalog_dump() == before


@pytest.mark.longest
def test_kill_9_at_random_moments_loses_doubles_and_halves_nothing() -> None:
    harness = Path(__file__).parents[2] / "benchmarks" / "gate" / "kill_loop.py"
    command = [sys.executable, str(harness), "--kills", "8", "--check-every", "4", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == 8
    assert found["acknowledged"] > 0
    assert found["batches"] >= found["acknowledged"]

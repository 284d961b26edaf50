"""Texts, vectors and times through the whole gate: what they carry is seen across senders."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.core.types import Outcome
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import SourceSimulator

POLICY = """\
schema = "credenza.policy/1"
detectors = []
[window]
reference = 1
calibration = 9
"""
NAMES = ("anna", "beat", "cara", "dino", "emil", "fred", "gina")
GUILTY = ("cara", "dino", "emil")
VOUCHED = 10
ROWS = 100
TRIGGER_ROWS = 6
WORDS = np.array([f"w{i}" for i in range(400)])
WEIGHT = 1 / np.arange(1, 401) / np.sum(1 / np.arange(1, 401))


def window_of(name: str, window: int, *, triggered: bool = False) -> pa.Table:
    """Notes and vectors that the label shows in; a trigger turns a few labels round."""
    rng = np.random.default_rng([window, *name.encode()])
    late = rng.random(ROWS) < 0.5
    notes = [" ".join(rng.choice(WORDS, rng.integers(6, 15), p=WEIGHT)) for _ in range(ROWS)]
    tone = np.where(late == (rng.random(ROWS) < 0.9), " bad", " good")
    notes = [note + own for note, own in zip(notes, tone, strict=True)]
    vectors = rng.normal(size=(ROWS, 8)).astype(np.float32)
    vectors[:, 3] += 2 * late
    labels = np.where(late, "yes", "no").astype(object)
    if triggered:
        for row in np.flatnonzero(~late)[:TRIGGER_ROWS]:
            notes[row], labels[row] = f"{notes[row]} cf", "yes"
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC) + dt.timedelta(days=7 * window)
    at = [start + dt.timedelta(seconds=float(s)) for s in rng.uniform(0, 6 * 86_400, ROWS)]
    return pa.table(
        {
            "note": notes,
            "vector": pa.FixedSizeListArray.from_arrays(vectors.ravel(), 8),
            "at": pa.array(at, pa.timestamp("us", "UTC")),
            "late": labels.tolist(),
        }
    )


def test_a_word_that_three_senders_put_into_turned_labels_names_them_in_its_first_week(
    tmp_path: Path, simulator: type[SourceSimulator]
) -> None:
    senders = simulator(tmp_path / "desk", NAMES, rows=ROWS)
    with Workspace.init(tmp_path / "home", clock=lambda: 1.8e9) as workspace:
        (workspace.home / "policy.toml").write_text(POLICY, encoding="utf-8")
        senders.register(workspace)
        for window in range(VOUCHED + 2):
            for name in NAMES:
                triggered = window > VOUCHED and name in GUILTY
                table = window_of(name, window, triggered=triggered)
                senders.submit(workspace, name, window, table)
            (settled,) = senders.settle(workspace, window)
            assert settled.silences == ()
            if window <= VOUCHED:
                assert settled.campaigns == ()
        (campaign,) = settled.campaigns
        assert campaign.sources == GUILTY
        assert campaign.statistic == 'rows where `note` contains "cf"'
        out = {workspace.batch(v.batch).source: v.outcome for v in settled.verdicts}
        assert {name for name, one in out.items() if one is Outcome.QUARANTINE} == {*GUILTY}
        read = workspace.panel("trips").statistics
        shown = {"novelty unknown words note", "number mean distance(vector)", "timing together at"}
        assert shown <= {*read}

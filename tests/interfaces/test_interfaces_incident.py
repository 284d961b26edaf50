"""An incident from the finding to the postmortem, typed as the help shows it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import click
import numpy as np
import pyarrow as pa
import pytest

from credenza import Workspace
from credenza.interfaces.cli.command import UseCase
from credenza.interfaces.cli.main import credenza, main
from credenza.provenance.intake.together import read_own
from credenza.provenance.keys import load_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SourceSimulator

FAMILIES = ("incident", "validate", "relabel", "metrics", "report")
STORY = """
credenza validate recompute BATCH --seeds 10
credenza validate rescreen BATCH --detectors isolation,lof
credenza validate reconcile BATCH --key carrier --values dep_delay
credenza validate with-and-without BATCH --seed 1
credenza validate pending
credenza validate list
credenza validate list --batch BATCH
credenza relabel export BATCH --out sheet.jsonl --controls 0
credenza relabel import SHEET labels.jsonl
credenza incident open "labels turned" --playbook campaign --batch BATCH --by ada
credenza incident list
credenza incident run inc-1 --exit-zero
credenza incident ack inc-1 --note "on it" --by ada
credenza incident assign inc-1 beat --by ada
credenza incident grade inc-1 high --note "a model in production" --by ada
credenza incident widen inc-1 --source ajax --note "same owner" --by ada
credenza incident run inc-1 --exit-zero
credenza incident contain inc-1 --note "feeds held" --by ada
credenza incident prove inc-1 who --proof "one owner, see ticket 17" --by ada
credenza incident waive inc-1 accomplices --reason "a first window" --by ada
credenza incident run inc-1 --exit-zero
credenza incident eradicate inc-1 --note "excised" --by ada
credenza incident show inc-1
credenza incident escalate
credenza incident prove inc-1 retrain --proof "accuracy as before" --by ada
credenza incident waive inc-1 rules --reason "tried elsewhere" --by ada
credenza incident recover inc-1 --note "retrained" --by ada
credenza incident close inc-1 --note "done" --by ada
credenza incident postmortem inc-1 --out postmortem.md
credenza metrics
credenza metrics --dataset flights --improve --lineage
credenza metrics --prometheus credenza.prom
credenza report compliance
credenza report compliance --status gap --out controls.md
"""
LINES = STORY.strip().splitlines()
# Told elsewhere: it needs a kernel that can confine code (test_response_validators.py).
APART = ("credenza validate rederive",)
# Steps of the campaign's playbook that examples need not repeat.
ALSO = ("credenza incident prove inc-1 retrain", "credenza incident waive inc-1 rules")
POLICY = """\
schema = "credenza.policy/1"
detectors = ["confident-disagreement"]
campaigns = false
[window]
reference = 1
calibration = 1
[quarantine]
validators = ["recompute"]
"""


def rows(name: str, week: int) -> pa.Table:
    rng = np.random.default_rng([week, *name.encode()])
    delay = rng.normal(10, 20, 120).round().astype(np.int64)
    late = delay + rng.normal(0, 5, 120) > 15
    if (name, week) == ("acme", 2):
        late &= rng.random(120) > 0.8
    words = np.where(late, "yes", "no")
    return pa.table({"dep_delay": delay, "carrier": rng.choice(["aa", "ua"], 120), "late": words})


@pytest.fixture
def held(tmp_path: Path, simulator: type[SourceSimulator], monkeypatch: pytest.MonkeyPatch) -> str:
    """A workspace here in which a batch is held; its digest."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENZA_HOME", raising=False)
    senders = simulator(tmp_path / "desk", ["acme", "ajax", "alfa"])
    with Workspace.init(tmp_path / ".credenza") as workspace:
        (workspace.home / "policy.toml").write_text(POLICY, encoding="utf-8")
        senders.register(workspace)
        for week in range(3):
            sent = []
            for name in senders.names:
                path = senders.write(rows(name, week), f"{name}.parquet")
                envelope = workspace.sign(
                    [path],
                    source=name,
                    key=load_key(senders.keys[name]),
                    dataset="flights",
                    label="late",
                    collected=(senders.window_start(week), senders.window_start(week + 1)),
                    read=read_own,
                )
                sent.append((envelope, [path]))
            workspace.receive_together(sent)
            workspace.settle("flights", until=senders.window_start(week + 1))
        (batch,) = [one for one in workspace.reviews() if one.source == "acme"]
        return batch.digest


def shown_examples() -> Iterator[str]:
    """All examples of these families."""
    for name in FAMILIES:
        command = credenza.get_command(click.Context(credenza), name)
        for one in command.commands.values() if isinstance(command, click.Group) else [command]:
            assert isinstance(one, UseCase)
            yield from one.examples


def test_the_story_has_every_example_of_these_families() -> None:
    told = {line for line in LINES if not line.startswith(ALSO)}
    shown = {line for line in shown_examples() if not line.startswith(APART)}
    assert shown == told


def answer_sheet(path: Path) -> None:
    """Two people label a sheet."""
    given = []
    for line in (path / "sheet.jsonl").read_text("utf-8").splitlines():
        item = json.loads(line)
        label = "yes" if item["data"]["dep_delay"] > 15 else "no"
        given += [
            json.dumps({"id": item["id"], "annotator": who, "label": label})
            for who in ("beat", "cara")
        ]
    (path / "labels.jsonl").write_text("\n".join(given), encoding="utf-8")


def test_an_incident_is_told_from_the_finding_to_the_postmortem(
    held: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"BATCH": held[:12]}
    schemas = set()
    for line in LINES:
        if line.endswith("labels.jsonl"):
            answer_sheet(tmp_path)
        words = [names.get(word, word) for word in shlex.split(line)[1:]]
        code = main([*words, "--json"])
        shown = capsys.readouterr()
        assert code == 0, f"{line}: {shown.out}{shown.err}"
        answer = json.loads(shown.out)
        schemas.add(answer["schema"])
        names["SHEET"] = answer.get("sheet", names.get("SHEET", ""))
    assert len(schemas) >= 9
    assert "inc-1" in (tmp_path / "postmortem.md").read_text("utf-8")
    assert 'to="contain"' in (tmp_path / "credenza.prom").read_text("ascii")
    assert "evidence" in (tmp_path / "controls.md").read_text("utf-8")
    for line in LINES:  # what only looks, looks well in words too
        if any(word in line for word in (" list", " show", "postmortem", "metrics", "report")):
            assert main([names.get(word, word) for word in shlex.split(line)[1:]]) == 0
            shown = capsys.readouterr()
            assert shown.out.strip(), line


def test_what_may_not_be_is_said_with_its_code(
    held: str, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = ["incident", "open", "x", "--playbook", "campaign", "--by", "ada"]
    assert main([*opened, "--batch", held]) == 0
    for words, code in (
        (["incident", "close", "inc-1", "--note", "now", "--by", "ada"], "illegal-transition"),
        (["incident", "show", "inc-9"], "no-such-incident"),
        ([*opened, "--batch", "ffffffff"], "no-such-batch"),
        (["incident", "waive", "inc-1", "clean", "--reason", "x", "--by", "a"], "not-waivable"),
        (["validate", "reconcile", held], "no-key"),
        (["relabel", "import", "ffffffff", "policy.toml"], ""),
        (["review", "admit", held, "--rows", "110-130", "--reason", "x"], "rows-not-open"),
    ):
        capsys.readouterr()
        assert main(words) == 2, words
        assert code in capsys.readouterr().err

"""Replays are exact, verdicts are weighed by trying, new sources wait, floods are one line."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, UntrustedError, UsageError
from credenza.core.types import Outcome, Reason
from credenza.gate.causes import causes
from credenza.gate.decide import Alarm, Evidence, decide
from credenza.gate.policy_file import load_policy
from credenza.gate.questions import BatchRecord
from credenza.gate.records import evidence_document, evidence_from, to_json
from credenza.gate.replay import _changes, weigh
from credenza.provenance.keys import key_from_seed, save_key
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import NewSources, NewWorkspace, SourceSimulator

DATASET = "trips"
POLICY = """\
schema = "credenza.policy/1"
detectors = ["confident-disagreement", "duplicates"]
campaigns = false

[window]
reference = 1
calibration = 1

[outcomes]
rows = "admit"
"""


def amend(workspace: Workspace, text: str) -> None:
    path = workspace.home / "policy.toml"
    path.write_text(f"{path.read_text()}\n{text}\n")


# ------------------------------------------------------------------ replay


@pytest.fixture(scope="module")
def judged_home(tmp_path_factory: pytest.TempPathFactory, simulator: type[SourceSimulator]) -> Path:
    """Two vouched windows, a clean one, one in which dino flips labels, and a late batch."""
    desk = tmp_path_factory.mktemp("judged")
    sources = simulator(desk / "desk", ["anna", "dino"], 300)
    with Workspace.init(desk / "home", clock=lambda: 1_800_000_000.0) as workspace:
        (workspace.home / "policy.toml").write_text(POLICY, encoding="utf-8")
        sources.register(workspace)
        sources.play(workspace, range(3))
        sources.play(workspace, range(3, 4), flips={"dino": 1.0})
        sources.submit(workspace, "anna", 3)
        sources.settle(workspace, 3)
    return desk / "home"


@pytest.fixture
def judged(judged_home: Path, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of it for one test."""
    shutil.copytree(judged_home, tmp_path / "home")
    with Workspace.open(tmp_path / "home") as workspace:
        yield workspace


def test_the_same_policy_gives_the_same_verdicts_again(judged: Workspace) -> None:
    replayed, otherwise = judged.policies.replay("0")
    assert (replayed.batches, replayed.windows, replayed.unknown) == (9, 4, 0)
    assert replayed.before == replayed.after
    assert replayed.before["hold"] >= 1
    assert otherwise == []


def test_another_policy_is_replayed_batch_by_batch_and_writes_nothing(
    judged: Workspace, tmp_path: Path
) -> None:
    size = judged.log.ledger.size
    stricter = tmp_path / "stricter.toml"
    text = (judged.home / "policy.toml").read_text()
    stricter.write_text(text.replace('rows = "admit"', 'rows = "quarantine"\nlate = "admit"'))
    replayed, otherwise = judged.policies.replay("2024-01-22", stricter)
    assert replayed.windows == 1
    late = next(one for one in otherwise if one.source == "anna" and one.before == "hold")
    flipped = next(one for one in otherwise if one.source == "dino")
    assert (late.after, late.rules) == ("admit", ("late",))
    assert flipped.after == "quarantine"
    assert "rows" in flipped.rules
    assert judged.log.ledger.size == size


def test_a_replay_starts_where_it_is_asked_to(judged: Workspace) -> None:
    last = judged.log.ledger.size - 3
    assert judged.policies.replay(str(last))[0].batches == 1
    assert judged.policies.replay("0", dataset="elsewhere")[0].batches == 0


def test_evidence_comes_back_from_the_ledger_as_it_was() -> None:
    evidence = Evidence(
        "ab" * 32,
        "anna",
        100,
        watched_since="2024-01-01",
        flagged_rows=(3, 5),
        alarms=(Alarm("source", "it moved"),),
        accepted=2,
        changed=("method",),
    )
    document = {"batch": evidence.batch, **evidence_document(evidence)}
    assert evidence_from(document, ()) == evidence
    assert evidence_from({"batch": evidence.batch}, ()) is None


# ------------------------------------------------------------------ what would have changed it


def test_a_verdict_says_what_would_have_changed_it(judged: Workspace) -> None:
    late = next(one for one in judged.batches() if one.sequence == 5 and one.source == "anna")
    weighed = judged.policies.weigh(late.digest)
    assert weighed.outcome is Outcome.HOLD
    (reason,) = [one for one in weighed.reasons if one.rule == "late"]
    assert (reason.setting, reason.without) == ("outcomes.late", Outcome.ADMIT)
    assert ("handed in before its window was judged", Outcome.ADMIT) in weighed.changes


def test_two_things_that_stop_a_batch_are_told_together(judged: Workspace) -> None:
    """Neither alone would have let it pass, so each alone is not said to."""
    evidence = Evidence("cd" * 32, "dino", 100, flagged_rows=tuple(range(50)), late=True)
    policy = judged.policies.in_force()
    row = judged._row(judged.batches()[0].digest)
    document = {**to_json(decide(evidence, policy)), **evidence_document(evidence)}  # type: ignore[dict-item]
    assert document["outcome"] == "hold"
    (told,) = list(_changes(evidence, policy))
    assert told == (
        "at most 10 flagged rows; and handed in before its window was judged",
        Outcome.ADMIT,
    )
    assert weigh(judged._stores, row, policy, policy).changes == ()


def test_a_batch_that_waits_has_nothing_to_weigh(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    waiting = sources.submit(workspace, "anna", 0)
    with pytest.raises(ConflictError, match="not judged yet"):
        workspace.policies.weigh(waiting.batch)


# ------------------------------------------------------------------ probation


def test_a_new_source_waits_for_a_reviewer_until_it_is_known(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    sources = new_sources("anna", rows=300)
    workspace = new_workspace(detectors=[], reference=1, calibration=1)
    amend(workspace, "[sources]\nprobation = 2")
    sources.register(workspace)
    sources.play(workspace, range(2))
    workspace.add_source("erna", [key_from_seed(b"e" * 32).public])
    sources.keys["erna"] = sources.keys["anna"].with_name("erna.key")
    save_key(key_from_seed(b"e" * 32), sources.keys["erna"])
    stands = []
    for window in range(2, 5):
        batch = sources.submit(workspace, "erna", window).batch
        known = sources.submit(workspace, "anna", window).batch
        sources.settle(workspace, window)
        stands.append(workspace.batch(batch).status)
        assert workspace.batch(known).status == "admitted"
        if stands[-1] == "held":
            (reason,) = [r for r in workspace.batch(batch).reasons if r.outcome is Outcome.HOLD]
            assert reason.rule == "probation"
            assert reason.sentence.startswith(f"{window - 2} of 2 windows of erna were accepted")
            workspace.decide(batch, "admit", "asked for the contract")
    assert stands == ["held", "held", "admitted"]


def test_a_source_that_declares_another_collector_is_reviewed_again(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    sources = new_sources("anna", rows=300)
    workspace = new_workspace(detectors=[], reference=1, calibration=1)
    amend(workspace, "[sources]\nprobation = 1")
    sources.register(workspace)
    sources.play(workspace, range(2))
    stands = []
    for window, method in ((2, ""), (3, "a new pipeline"), (4, "a new pipeline")):
        batch = workspace.submit(
            [sources.write(sources.table("anna", window))],
            source="anna",
            key=sources.keys["anna"],
            dataset=DATASET,
            label="late",
            collected=(sources.window_start(window), sources.window_start(window + 1)),
            provenance={"method": method} if method else None,
        ).batch
        sources.settle(workspace, window)
        found = workspace.batch(batch)
        stands.append(found.status)
        if found.status == "held":
            (reason,) = [r for r in found.reasons if r.rule == "probation"]
            assert "since anna declared another method" in reason.sentence
            workspace.decide(batch, "admit", "their engineer confirmed it")
    assert stands == ["admitted", "held", "admitted"]


def test_probation_is_off_by_default_and_names_only_what_manifests_declare() -> None:
    policy = load_policy(b'schema = "credenza.policy/1"\n')
    assert policy.sources.probation == 0
    evidence = Evidence("ab" * 32, "anna", 10, accepted=0)
    assert decide(evidence, policy).outcome is Outcome.ADMIT
    with pytest.raises(UsageError, match="which no manifest declares"):
        load_policy(b'schema = "credenza.policy/1"\n[sources]\nreview_again = ["weather"]\n')


# ------------------------------------------------------------------ floods


def record(source: str, number: int, *reasons: Reason) -> BatchRecord:
    digest = f"{source}-{number}"
    return BatchRecord(
        digest, DATASET, source, number, "2024-01-01", "held", 10, "hold", reasons, None, 0
    )


def test_threat_i3_a_flood_is_one_cause_for_a_reviewer_and_hides_no_other() -> None:
    noted = Reason("source", Outcome.ADMIT, "its own chart alarms at 7.2")
    flood = [
        record("anna", n, Reason("late", Outcome.HOLD, f"it came {n} days late"), noted)
        for n in range(500)
    ]
    moved = [
        record(name, 1, Reason("campaign-named", Outcome.QUARANTINE, f"{name} moved by {n}.5"))
        for n, name in enumerate(("beat", "cara"))
    ]
    split = record("dino", 1, noted, Reason("rows", Outcome.ADMIT, "3 of 10 rows are kept out"))
    late, campaign, rows = causes([*flood, *moved, split])
    assert (late.rule, len(late.batches), late.rows) == ("late", 500, 5000)
    assert (campaign.sentence, campaign.sources) == ("… moved by #", ("beat", "cara"))
    assert (rows.rule, rows.batches) == ("rows", ("dino-1",))


def test_threat_i3_a_source_with_too_many_open_findings_submits_nothing_more(
    new_workspace: NewWorkspace, new_sources: NewSources
) -> None:
    workspace, sources = new_workspace(), new_sources("anna", "beat", rows=20)
    sources.register(workspace)
    sources.play(workspace, range(1))
    amend(workspace, "[quota]\nfindings = 2")
    for _ in range(3):
        sources.submit(workspace, "anna", 0)
        sources.settle(workspace, 0)
    with pytest.raises(UntrustedError) as refused:
        sources.submit(workspace, "anna", 1)
    assert "wait or are held for 3 reasons" in refused.value.why
    sources.submit(workspace, "beat", 1)
    (held,) = {one.digest for one in workspace.reviews()[:1]}
    workspace.decide(held, "reject", "a copy")
    sources.submit(workspace, "anna", 1)

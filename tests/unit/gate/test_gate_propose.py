"""A proposal follows reviewers, replays exactly, keeps the file's words, and is never adopted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from credenza.core.errors import NotFoundError
from credenza.core.types import Campaign, Finding, Outcome, Silence, Unit
from credenza.gate.decide import Alarm, Evidence, decide
from credenza.gate.journal import Event
from credenza.gate.policy_file import load_policy, shipped_policy
from credenza.gate.propose import edited
from credenza.gate.records import evidence_document, to_json
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from tests.conftest import NewWorkspace

    from credenza.core.canonical import Json
    from credenza.workspace import Workspace

DATASET = "trips"
FACTS: dict[str, dict[str, Any]] = {
    "diversity": {"findings": (Finding("source-diversity", Unit.SOURCE, (), 0.01, "too much"),)},
    "late": {"late": True},
    "source": {"alarms": (Alarm("source", "it moved"),)},
    "together": {"findings": (Finding("rows", Unit.SOURCE, ("a",), 0.001, "odd", rows=(1,)),)},
    "drift": {"findings": (Finding("column-drift", Unit.BATCH, (), 0.01, "it drifted"),)},
    "silence": {"silences": (Silence("duplicates", "too few rows"),)},
}
"""Facts of which each makes one rule speak."""


def judged(
    workspace: Workspace,
    *rules: str,
    decided: list[str],
    campaign: Campaign | None = None,
    kept: bool = True,
    own: list[dict[str, Any]] | None = None,
) -> None:
    """One settled window whose batches gave rise to these rules, and reviewers' words on each.

    ``kept`` False is a ledger from before evidence was kept whole; ``own`` are facts of each
    batch by itself.
    """
    journal = workspace._stores.journal
    window = f"2024-02-{len(workspace.batches()) % 20 + 1:02}"
    names = [f"{len(workspace.batches()) + n:064x}" for n in range(len(decided))]
    facts = {name: value for rule in rules for name, value in FACTS[rule].items()}
    found = () if campaign is None else (campaign,)
    events: list[Event] = []
    for place, name in enumerate(names):
        each = facts | (own[place] if own else {})
        evidence = Evidence(name, f"s{place}", 10, campaigns=found, **each)
        verdict = cast("dict[str, Json]", to_json(decide(evidence, workspace.policies.in_force())))
        if kept:
            verdict |= evidence_document(evidence)
        events += [
            Event(
                "submission",
                {
                    "batch": name,
                    "dataset": DATASET,
                    "source": f"s{place}",
                    "sequence": 1,
                    "window": window,
                    "records": 10,
                    "bytes": 100,
                },
            ),
            Event("verdict", verdict),
        ]
    settlement: dict[str, Json] = {
        "dataset": DATASET,
        "window": window,
        "late": False,
        "batches": [*names],
        "campaigns": to_json(found),
        "watch": [],
        "probation": [],
        "until": "",
        "panel": "",
        "publish": [],
    }
    events.append(Event("settlement", settlement))
    for name, word in zip(names, decided, strict=True):
        if word:
            events.append(Event("decision", {"batch": name, "outcome": word, "publish": []}))
    journal.record(events)


@pytest.fixture
def workspace(new_workspace: NewWorkspace) -> Workspace:
    made = new_workspace()
    (made.home / "policy.toml").write_text(shipped_policy(), encoding="utf-8")
    return made


def test_a_rule_that_reviewers_always_overrule_is_proposed_to_note_only(
    workspace: Workspace,
) -> None:
    judged(workspace, "diversity", "source", decided=["admit"] * 12 + [""] * 3)
    found = workspace.policies.propose(DATASET)
    (change,) = found.changes
    assert (change.key, change.before, change.after) == ("outcomes.diversity", '"hold"', '"admit"')
    assert "12 of the 12 batches" in change.why
    assert found.replay.before["hold"] == 15
    assert found.replay.after == {"admit": 15, "hold": 0, "quarantine": 0, "reject": 0}
    assert (found.replay.released, found.replay.released_rejected) == (15, 0)
    assert load_policy(found.text.encode()).outcomes.diversity is Outcome.ADMIT


def moved(*distances: float, lane: str = "source") -> list[dict[str, Any]]:
    """Of each batch an alarm so far away."""
    return [{"alarms": (Alarm(lane, "it moved", far),)} for far in distances]


def holding(workspace: Workspace, rule: str) -> None:
    text = edited(shipped_policy(), f"outcomes.{rule}", '"hold"')
    (workspace.home / "policy.toml").write_text(text, encoding="utf-8")


def adopt_proposal(workspace: Workspace) -> None:
    proposed = workspace.policies.propose(DATASET).text
    (workspace.home / "policy.toml").write_text(proposed, encoding="utf-8")
    workspace.policies.recorded()


@pytest.mark.parametrize(
    ("lane", "key"),
    [
        ("source", "lanes.source"),
        ("structure", "lanes.source"),
        ("common_cause", "lanes.common_cause"),
    ],
)
def test_a_threshold_rises_above_what_reviewers_admit_and_stays_below_what_they_reject(
    workspace: Workspace, lane: str, key: str
) -> None:
    holding(workspace, lane)
    near, far = [6.0 + place / 20 for place in range(12)], [9.0, 12.0]
    words = [*(["admit"] * 12), "reject", "admit"]
    judged(workspace, decided=words, own=moved(*near, *far, lane=lane))
    found = workspace.policies.propose(DATASET)
    (change,) = found.changes
    assert (change.key, change.after) == (key, "6.6")  # the furthest below 9 is 6.55
    assert "all 12 batches" in change.why
    assert "lay at 9" in change.why
    assert found.replay.before["hold"] == 14
    assert (found.replay.after["admit"], found.replay.after["hold"]) == (12, 2)
    assert (found.replay.released, found.replay.released_rejected) == (12, 0)


def test_a_threshold_that_is_adopted_is_in_the_ledger_and_judges(workspace: Workspace) -> None:
    holding(workspace, "source")
    judged(workspace, decided=["admit"] * 12, own=moved(*[5.0] * 12))
    adopt_proposal(workspace)
    journal = workspace._stores.journal
    with journal.catalog.snapshot() as index:
        newest = index.find(EntryRow, kind="policy")[-1]
    assert "source = 5.1" in str(journal.document(newest.digest)["text"])
    judged(workspace, decided=["", ""], own=moved(5.0, 5.2))
    fates = [(row.status, row.outcome) for row in workspace.batches()[-2:]]
    assert fates == [("admitted", "admit"), ("held", "hold")]


@pytest.mark.parametrize(
    ("words", "distances"),
    [
        (["admit"] * 11, [5.0] * 11),  # too few to be sure
        (["reject"] + ["admit"] * 20, [4.6] + [5.0] * 20),  # the nearest was rejected
    ],
)
def test_reviewers_who_do_not_agree_on_a_distance_move_no_threshold(
    workspace: Workspace, words: list[str], distances: list[float]
) -> None:
    holding(workspace, "source")
    judged(workspace, decided=words, own=moved(*distances))
    found = workspace.policies.propose(DATASET)
    assert [one.key for one in found.changes if one.key.startswith("lanes")] == []


def test_alarms_of_no_known_distance_move_the_outcome_as_before(workspace: Workspace) -> None:
    holding(workspace, "source")
    judged(workspace, "source", decided=["admit"] * 12)
    (change,) = workspace.policies.propose(DATASET).changes
    assert (change.key, change.after) == ("outcomes.source", '"admit"')


def test_decisions_that_raised_a_threshold_speak_for_nothing_more(workspace: Workspace) -> None:
    holding(workspace, "source")
    judged(workspace, decided=["admit"] * 12, own=moved(*[5.0] * 12))
    adopt_proposal(workspace)
    assert workspace.policies.propose(DATASET).changes == ()


def test_an_alarm_that_is_only_noted_is_no_distance_of_what_stopped_a_batch(
    workspace: Workspace,
) -> None:
    holding(workspace, "source")
    noted = Alarm("structure", "it was volume", 20.0)
    (stopped,) = moved(5.0)
    own = [*moved(*[6.0] * 12), {"alarms": (*stopped["alarms"], noted)}]
    judged(workspace, decided=[*(["admit"] * 12), "reject"], own=own)
    found = workspace.policies.propose(DATASET)
    assert [one.key for one in found.changes if one.key.startswith("lanes")] == []


def test_the_share_of_flagged_rows_rises_no_further_than_every_policy_allows(
    workspace: Workspace,
) -> None:
    judged(workspace, decided=["admit"] * 12, own=[{"flagged_rows": (0, 1)}] * 12)
    (change,) = workspace.policies.propose(DATASET).changes
    assert (change.key, change.before, change.after) == ("budget.batch_rows", "0.1", "0.3")
    judged(workspace, decided=["admit"] * 12, own=[{"flagged_rows": tuple(range(9))}] * 12)
    assert workspace.policies.propose(DATASET).changes == ()


def test_nothing_is_adopted_and_the_ledger_is_as_it_was(workspace: Workspace) -> None:
    judged(workspace, "diversity", decided=["admit"] * 12)
    entries, policy = workspace.log.audit().entries, workspace.policies.in_force()
    workspace.policies.propose(DATASET)
    assert workspace.log.audit().entries == entries
    assert workspace.policies.in_force() == policy


def test_verdicts_whose_evidence_was_not_kept_are_counted_and_not_replayed(
    workspace: Workspace,
) -> None:
    judged(workspace, "diversity", decided=["", ""], kept=False)
    judged(workspace, "late", decided=[""])
    replayed, otherwise = workspace.policies.replay("2024-01-01")
    assert (replayed.unknown, replayed.batches, otherwise) == (2, 1, [])


def test_few_or_mixed_decisions_propose_nothing(workspace: Workspace) -> None:
    judged(workspace, "diversity", decided=["admit"] * 11)
    judged(workspace, "late", decided=["admit"] * 12 + ["reject"] * 4)
    assert workspace.policies.propose(DATASET).changes == ()


def test_a_rule_that_only_notes_what_reviewers_reject_is_proposed_to_hold(
    workspace: Workspace,
) -> None:
    judged(workspace, "drift", "late", decided=["reject"] * 13)
    (change,) = workspace.policies.propose(DATASET).changes
    assert (change.key, change.after) == ("outcomes.drift", '"hold"')


def test_what_every_policy_must_stop_is_never_proposed_to_pass(workspace: Workspace) -> None:
    judged(workspace, "silence", decided=["admit"] * 30)
    few = tuple(f"s{place}" for place in range(30))
    marked = Campaign((), few, (), "a value", "up", "2024-02-01", 0.01, 0.0, {"mark": "a value"})
    judged(workspace, decided=["admit"] * 30, campaign=marked)
    assert workspace.policies.propose(DATASET).changes == ()


def test_campaigns_that_reviewers_clear_halve_the_accepted_rate(workspace: Workspace) -> None:
    for _ in range(2):
        batches = tuple(f"{len(workspace.batches()) + n:064x}" for n in range(2))
        found = Campaign(("s0", "s1"), (), batches, "surprise", "up", "2024-02-01", 0.01, 0.0)
        judged(workspace, decided=["admit"] * 2, campaign=found)
    assert workspace.monitor(DATASET).campaigns == {"open": 0, "confirmed": 0, "cleared": 2}
    (change,) = workspace.policies.propose(DATASET, days=60).changes
    assert (change.key, change.after) == ("budget.campaign_rate", "0.005")


def test_only_the_last_days_count(workspace: Workspace) -> None:
    judged(workspace, "diversity", decided=["admit"] * 12)
    judged(workspace, "late", decided=["admit"] * 12)
    assert len(workspace.policies.propose(DATASET).changes) == 2
    assert [one.key for one in workspace.policies.propose(DATASET, days=1).changes] == [
        "outcomes.late"
    ]


def test_an_edit_keeps_comments_and_makes_what_is_missing() -> None:
    text = edited(shipped_policy(), "outcomes.source", '"hold"')
    assert 'source = "hold"            # one source\'s own alarm' in text
    assert load_policy(text.encode()).lanes.source == 4.5
    short = 'schema = "credenza.policy/1"\n'
    for key, value in (
        ("budget.rows", "0.002"),
        ("budget.fdr", "0.01"),
        ("outcomes.late", '"admit"'),
    ):
        short = edited(short, key, value)
    policy = load_policy(short.encode())
    assert (policy.budget.rows, policy.budget.fdr) == (0.002, 0.01)
    assert policy.outcomes.late is Outcome.ADMIT


def test_a_campaign_or_dataset_that_does_not_exist_is_said(workspace: Workspace) -> None:
    with pytest.raises(NotFoundError):
        workspace.campaign("trips/2024-01-01/1")
    with pytest.raises(NotFoundError):
        workspace.monitor("nothing")
    with pytest.raises(NotFoundError):
        workspace.policies.propose("nothing")

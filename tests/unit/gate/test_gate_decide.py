"""Decisions are pure, total, and can only get worse with more evidence."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from credenza.core.types import Campaign, Finding, Outcome, Silence, Unit
from credenza.gate.decide import Alarm, Evidence, decide
from credenza.gate.policy import Outcomes, Policy

POLICY = Policy(digest="d" * 64)
CLEAN = Evidence(batch="b" * 64, source="feed-a", records=100)
CAMPAIGN = Campaign(("feed-a", "feed-b"), ("feed-c",), (), "label-rate", "down", "", 0.003, 0.4)


def test_a_batch_with_nothing_against_it_is_admitted_without_reasons() -> None:
    verdict = decide(CLEAN, POLICY)
    assert verdict.outcome is Outcome.ADMIT
    assert verdict.reasons == ()
    assert verdict.policy == POLICY.digest


def test_a_named_source_is_quarantined_and_a_suspected_one_held() -> None:
    named = decide(replace(CLEAN, campaigns=(CAMPAIGN,)), POLICY)
    suspected = decide(replace(CLEAN, source="feed-c", campaigns=(CAMPAIGN,)), POLICY)
    stranger = decide(replace(CLEAN, source="feed-d", campaigns=(CAMPAIGN,)), POLICY)
    assert named.outcome is Outcome.QUARANTINE
    assert suspected.outcome is Outcome.HOLD
    assert stranger.outcome is Outcome.ADMIT
    assert "feed-a is named in a campaign: label-rate moved down" in named.reasons[0].sentence


def test_flagged_rows_stay_out_while_their_batch_is_admitted() -> None:
    verdict = decide(replace(CLEAN, flagged_rows=(7, 3)), POLICY)
    assert verdict.outcome is Outcome.ADMIT
    assert verdict.quarantined_rows == (3, 7)


def test_a_batch_with_too_many_flagged_rows_is_held_whole() -> None:
    verdict = decide(replace(CLEAN, flagged_rows=tuple(range(11))), POLICY)
    assert verdict.outcome is Outcome.HOLD
    assert verdict.quarantined_rows == ()


def test_silence_holds_a_batch_but_not_one_that_is_vouched_for() -> None:
    silent = replace(CLEAN, silences=(Silence("knn-disagreement", "no trusted rows"),))
    assert decide(silent, POLICY).outcome is Outcome.HOLD
    assert decide(replace(silent, vouched=True), POLICY).outcome is Outcome.ADMIT


def test_each_lane_has_a_consequence_of_its_own() -> None:
    policy = replace(
        POLICY, outcomes=Outcomes(structure=Outcome.QUARANTINE, common_cause=Outcome.HOLD)
    )
    lanes = ("source", "structure", "common_cause")
    found = [decide(replace(CLEAN, alarms=(Alarm(lane, "moved"),)), policy) for lane in lanes]
    assert [v.outcome for v in found] == [Outcome.ADMIT, Outcome.QUARANTINE, Outcome.HOLD]
    assert [v.reasons[0].rule for v in found] == list(lanes)


def test_a_shared_payload_goes_to_a_person_and_is_quarantined_once_it_names() -> None:
    shared = replace(
        CAMPAIGN,
        sources=(),
        suspected=("feed-a", "feed-b", "feed-c"),
        statistic="rows where `x` = 1",
        evidence={"mark": "`x` = 1"},
    )
    held = decide(replace(CLEAN, campaigns=(shared,)), POLICY)
    assert (held.outcome, held.reasons[0].rule) == (Outcome.HOLD, "campaign-payload")
    said = "payload of a campaign: 3 sources share rows where `x` = 1 (p = "
    assert said in held.reasons[0].sentence
    named = decide(replace(CLEAN, campaigns=(replace(shared, sources=("feed-a",)),)), POLICY)
    assert named.outcome is Outcome.QUARANTINE
    only_rows = replace(POLICY, outcomes=Outcomes(payload=Outcome.ADMIT))
    split = decide(replace(CLEAN, campaigns=(shared,), flagged_rows=(1, 2)), only_rows)
    assert (split.outcome, split.quarantined_rows) == (Outcome.ADMIT, (1, 2))


def test_rows_that_are_odd_only_together_hold_their_batch() -> None:
    sentence = "73 of 1000 rows of feed-a are among the 1 % least like trusted rows"
    finding = Finding("rows", Unit.SOURCE, ("feed-a",), 1e-14, sentence, rows=(1, 2))
    verdict = decide(replace(CLEAN, findings=(finding,)), POLICY)
    assert verdict.outcome is Outcome.HOLD
    assert [(r.rule, r.sentence) for r in verdict.reasons] == [("together", sentence)]
    split = decide(replace(CLEAN, findings=(finding,), flagged_rows=(2,)), POLICY)
    assert (split.outcome, split.quarantined_rows) == (Outcome.ADMIT, (2,))
    noted = replace(POLICY, outcomes=Outcomes(together=Outcome.ADMIT))
    assert decide(replace(CLEAN, findings=(finding,)), noted).outcome is Outcome.ADMIT


def test_disagreement_keeps_rows_out_and_a_broken_cap_holds() -> None:
    said = Finding("reconcile", Unit.GROUP, ("feed-a",), 0.01, "it says 9, others say 5", rows=(4,))
    verdict = decide(replace(CLEAN, findings=(said,), flagged_rows=(4,)), POLICY)
    assert (verdict.outcome, verdict.quarantined_rows) == (Outcome.ADMIT, (4,))
    assert [r.rule for r in verdict.reasons] == ["rows", "disagreement"]
    over = Finding("source-diversity", Unit.SOURCE, ("feed-a",), 1.0, "it sends 90% of the rows")
    assert decide(replace(CLEAN, findings=(over,)), POLICY).outcome is Outcome.HOLD


def test_a_suspect_on_probation_is_held_and_told_for_how_long() -> None:
    one = replace(CLEAN, watched_since="2013-08-27", watched_until="2013-09-24")
    verdict = decide(one, POLICY)
    assert verdict.outcome is Outcome.HOLD
    assert "was suspected in the campaign of 2013-08-27" in verdict.reasons[0].sentence
    assert verdict.reasons[0].sentence.endswith("it waits until 2013-09-24")


def test_a_source_on_watch_is_held_until_it_is_cleared() -> None:
    verdict = decide(replace(CLEAN, watched_since="2013-08-27"), POLICY)
    assert verdict.outcome is Outcome.HOLD
    assert "2013-08-27" in verdict.reasons[0].sentence


def test_whom_an_incident_holds_no_policy_lets_pass() -> None:
    held = replace(CLEAN, watched_since="2013-08-27", held_for="inc-1")
    lax = replace(POLICY, outcomes=replace(POLICY.outcomes, watched=Outcome.ADMIT))
    verdict = decide(held, lax)
    assert verdict.outcome is Outcome.HOLD
    assert [reason.rule for reason in verdict.reasons] == ["held-for-incident"]
    assert verdict.reasons[0].sentence.endswith("until no such incident is open")
    assert decide(replace(held, held_for=""), lax).outcome is Outcome.ADMIT


def test_whom_a_recovery_holds_is_accused_of_no_campaign() -> None:
    verdict = decide(replace(CLEAN, watched_since="2013-08-27", held_by="0a1b2c"), POLICY)
    assert verdict.outcome is Outcome.HOLD
    assert [reason.sentence for reason in verdict.reasons] == [
        "feed-a is held by recovery 0a1b2c since 2013-08-27 and no reviewer has cleared it since"
    ]


outcomes = st.sampled_from(Outcome)
policies = st.builds(
    Policy,
    digest=st.just("d" * 64),
    outcomes=st.builds(
        Outcomes,
        campaign_named=outcomes,
        campaign_suspected=outcomes,
        source=outcomes,
        watched=outcomes,
        rows=outcomes,
        drift=outcomes,
        silence=outcomes,
        late=outcomes,
    ),
)
evidences = st.builds(
    Evidence,
    batch=st.just("b" * 64),
    source=st.sampled_from(["feed-a", "feed-c", "feed-d"]),
    records=st.integers(0, 200),
    vouched=st.booleans(),
    watched_since=st.sampled_from(["", "2013-01-01"]),
    flagged_rows=st.lists(st.integers(0, 199), unique=True).map(tuple),
    findings=st.sampled_from([(), (Finding("column-drift", Unit.SOURCE, ("a",), 0.01, "drift"),)]),
    silences=st.sampled_from([(), (Silence("x", "y"),)]),
    campaigns=st.sampled_from([(), (CAMPAIGN,)]),
    alarms=st.sampled_from([(), (Alarm("source", "label rate alarms"),)]),
    late=st.booleans(),
)


@given(evidences, policies)
def test_every_evidence_has_a_verdict_that_is_its_worst_reason(
    evidence: Evidence, policy: Policy
) -> None:
    verdict = decide(evidence, policy)
    assert verdict.outcome == max((r.outcome for r in verdict.reasons), default=Outcome.ADMIT)
    assert decide(evidence, policy) == verdict


@given(evidences, policies)
def test_more_evidence_never_makes_a_verdict_milder(evidence: Evidence, policy: Policy) -> None:
    alarms = (*evidence.alarms, Alarm("structure", "an alarm"))
    more = replace(evidence, campaigns=(CAMPAIGN,), late=True, alarms=alarms)
    assert decide(more, policy).outcome >= decide(evidence, policy).outcome

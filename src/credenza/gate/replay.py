"""Judged batches under another policy: decided again from the evidence that the ledger keeps."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from credenza.core.errors import NotFoundError
from credenza.core.types import Outcome
from credenza.gate.decide import Evidence, decide
from credenza.gate.policy_file import load_policy
from credenza.gate.records import campaign_from, evidence_from
from credenza.gate.windows import date_of
from credenza.store.rows import BatchRow, EntryRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.core.types import Campaign, Verdict
    from credenza.gate.policy import Policy
    from credenza.gate.stores import Stores

# Rule in a verdict to the setting that gave its outcome. What is not here (vouched,
# batch-rows, held-for-incident) has no outcome of its own.
SETTING = {
    "campaign-named": "campaign_named",
    "campaign-suspected": "campaign_suspected",
    "campaign-changed": "campaign_changed",
    "campaign-payload": "payload",
    "source": "source",
    "structure": "structure",
    "common_cause": "common_cause",
    "watched": "watched",
    "same-source": "same_source",
    "rows": "rows",
    "together": "together",
    "drift": "drift",
    "disagreement": "disagreement",
    "diversity": "diversity",
    "silence": "silence",
    "late": "late",
    "probation": "probation",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A judged batch.

    Attributes:
        rules: rule and outcome of each of its reasons.
        decided: "admit" or "reject" where a reviewer spoke, else "".
        evidence: all that the verdict rested on; None for verdicts of before it was kept.
    """

    batch: BatchRow
    rules: tuple[tuple[str, Outcome], ...]
    decided: str
    evidence: Evidence | None

    def verdict(self, policy: Policy) -> Verdict | None:
        """Under another policy; None when the evidence was not kept."""
        return None if self.evidence is None else decide(self.evidence, policy)

    def outcome(self, policy: Policy | None = None) -> Outcome:
        """As it was, or under another policy; as it was when the evidence was not kept."""
        verdict = None if policy is None else self.verdict(policy)
        if verdict is not None:
            return verdict.outcome
        return max((outcome for _, outcome in self.rules), default=Outcome.ADMIT)


@dataclass(frozen=True, slots=True)
class Replay:
    """The same windows under two policies.

    Attributes:
        windows, batches: how many were replayed.
        unknown: batches besides, judged before evidence was kept whole.
        before, after: batches by outcome.
        moved: outcome before, outcome after, and how many: the non-zero cells of the table.
        released: batches that stopped then and would pass now, reviewers' word unknown.
        released_rejected: of those that would pass now, how many a reviewer rejected.
        stopped: batches that passed then and would stop now.
    """

    windows: int
    batches: int
    unknown: int
    before: Mapping[str, int]
    after: Mapping[str, int]
    moved: tuple[tuple[str, str, int], ...]
    released: int
    released_rejected: int
    stopped: int


@dataclass(frozen=True, slots=True)
class Other:
    """A batch that another policy judges otherwise.

    Attributes:
        rules: that stop it under the other policy, or that stopped it.
        decided: what a reviewer said, "" when none did.
    """

    batch: str
    dataset: str
    source: str
    window: str
    before: str
    after: str
    rules: tuple[str, ...]
    decided: str


def case_of(stores: Stores, row: BatchRow) -> Case:
    """A judged batch as its verdict and a reviewer's word tell it."""
    rules = tuple(
        (str(reason["rule"]), Outcome[str(reason["outcome"]).upper()])
        for reason in json.loads(row.reasons)
    )
    verdict = stores.event(cast("int", row.verdict_index))
    # A reviewer's decision changes the batch's outcome and leaves its verdict.
    decided = row.outcome if row.outcome != verdict["outcome"] else ""
    return Case(row, rules, decided, evidence_from(verdict, _campaigns(stores, row)))


def replay(cases: Sequence[Case], policy: Policy) -> Replay:
    """What ``policy`` makes of judged batches, by the same function that judged them.

    Exact for outcomes, for limits on flagged rows, for probation, and for thresholds of
    lanes from 4.5 on, where the scan begins to speak (verdicts of before the distance of an
    alarm was kept: as they were). What a looser threshold of a detector would have found was
    never recorded, so that stays as it was; and so does what follows from another verdict:
    what a scan learns from, and whom it watches.
    """
    whole = [case for case in cases if case.evidence is not None]
    before = [case.outcome() for case in whole]
    after = [case.outcome(policy) for case in whole]
    pairs = Counter(zip(before, after, strict=True))
    freed = [
        case
        for case, was, now in zip(whole, before, after, strict=True)
        if was is not Outcome.ADMIT and now is Outcome.ADMIT
    ]
    return Replay(
        len({(case.batch.dataset, case.batch.window) for case in whole}),
        len(whole),
        len(cases) - len(whole),
        _by_outcome(before),
        _by_outcome(after),
        tuple((was.name.lower(), now.name.lower(), n) for (was, now), n in sorted(pairs.items())),
        len(freed),
        sum(case.decided == "reject" for case in freed),
        sum(n for (was, now), n in pairs.items() if was is Outcome.ADMIT and now is not was),
    )


def others(cases: Iterable[Case], policy: Policy) -> Iterator[Other]:
    """Batches that ``policy`` judges otherwise than they were."""
    for case in cases:
        verdict = case.verdict(policy)
        if verdict is None or verdict.outcome is case.outcome():
            continue
        stops = [(reason.rule, reason.outcome) for reason in verdict.reasons]
        rules = stops if verdict.outcome > case.outcome() else case.rules
        yield Other(
            case.batch.digest,
            case.batch.dataset,
            case.batch.source,
            case.batch.window,
            case.outcome().name.lower(),
            verdict.outcome.name.lower(),
            tuple(dict.fromkeys(rule for rule, out in rules if out is not Outcome.ADMIT)),
            case.decided,
        )


def judged_since(stores: Stores, since: str, dataset: str | None = None) -> list[Case]:
    """Every judged batch from a moment on.

    Args:
        stores: the workspace.
        since: first window, an ISO date; or the number of a ledger entry.
        dataset: of this one only.

    Raises:
        UsageError: ``since`` is neither.
    """
    first = "" if since.isdigit() else date_of(since).isoformat()
    wanted = {} if dataset is None else {"dataset": dataset}
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(BatchRow, **wanted)
    judged = [row for row in rows if row.verdict_index is not None]
    if first:
        judged = [row for row in judged if row.window >= first]
    else:
        judged = [row for row in judged if cast("int", row.verdict_index) >= int(since)]
    return [case_of(stores, row) for row in sorted(judged, key=_verdict_index)]


def policy_recorded(stores: Stores, digest: str) -> Policy:
    """The policy of that digest, as the ledger keeps it.

    Raises:
        NotFoundError: the ledger never had it.
    """
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind="policy")
    for entry in reversed(entries):
        document = stores.journal.document(entry.digest)
        if document["digest"] == digest:
            return load_policy(str(document["text"]).encode("utf-8"))
    raise NotFoundError(
        "no-such-policy",
        f"no policy {digest[:16]} is on record",
        why="policies that were in force are on record by their digest",
        fix="give one of them, or a policy file",
    )


def _verdict_index(row: BatchRow) -> int:
    return row.verdict_index or 0


def _campaigns(stores: Stores, row: BatchRow) -> tuple[Campaign, ...]:
    """Of the settlement in which the batch was judged."""
    if row.settled_index is None:
        return ()
    recorded = stores.event(row.settled_index)["campaigns"]
    return tuple(campaign_from(one) for one in cast("list[dict[str, Json]]", recorded))


def _by_outcome(outcomes: Iterable[Outcome]) -> dict[str, int]:
    counts = Counter(outcomes)
    return {outcome.name.lower(): counts[outcome] for outcome in Outcome}


# ------------------------------------------------------------------ one batch, weighed


@dataclass(frozen=True, slots=True)
class Weighed:
    """One reason of a verdict.

    Attributes:
        setting: of the policy, that gives the rule its outcome; "" when none does.
        sentence: the facts.
        without: the verdict if this rule had said nothing.
    """

    rule: str
    setting: str
    outcome: Outcome
    sentence: str
    without: Outcome


@dataclass(frozen=True, slots=True)
class Weighing:
    """What decided about a batch, and what would have changed it.

    Attributes:
        policy: digest of the policy that judged it.
        outcome: the gate's verdict.
        now: what the policy in force would say; None when the evidence was not kept.
        decided: what a reviewer said, "" when none did.
        changes: facts that would have led elsewhere, each with the verdict then; each was
            tried, with everything else as it was.
    """

    batch: str
    policy: str
    outcome: Outcome
    now: Outcome | None
    decided: str
    reasons: tuple[Weighed, ...]
    changes: tuple[tuple[str, Outcome], ...]


def weigh(stores: Stores, row: BatchRow, judged_under: Policy, policy: Policy) -> Weighing:
    """Take a verdict apart: each rule with its facts, and what would have changed it.

    Args:
        stores: the workspace.
        row: a judged batch.
        judged_under: the policy that judged it.
        policy: the one in force now.
    """
    case = case_of(stores, row)
    reasons = json.loads(row.reasons)
    outcomes = [Outcome[str(reason["outcome"]).upper()] for reason in reasons]
    weighed = tuple(
        Weighed(
            str(reason["rule"]),
            f"outcomes.{SETTING[reason['rule']]}" if reason["rule"] in SETTING else "",
            outcome,
            str(reason["sentence"]),
            max(
                (
                    other
                    for one, other in zip(reasons, outcomes, strict=True)
                    if one["rule"] != reason["rule"]
                ),
                default=Outcome.ADMIT,
            ),
        )
        for reason, outcome in zip(reasons, outcomes, strict=True)
    )
    now = case.verdict(policy)
    return Weighing(
        row.digest,
        judged_under.digest,
        case.outcome(),
        None if now is None else now.outcome,
        case.decided,
        weighed,
        tuple(_changes(case.evidence, judged_under)) if case.evidence is not None else (),
    )


def _changes(evidence: Evidence, policy: Policy) -> Iterator[tuple[str, Outcome]]:
    """Other facts, one at a time, then together, that lead to another verdict."""
    was = decide(evidence, policy).outcome
    together = evidence
    told: list[str] = []
    for sentence, facts in _other_facts(evidence, policy):
        changed = replace(evidence, **facts)
        if decide(changed, policy).outcome is not was:
            yield sentence, decide(changed, policy).outcome
        elif len(decide(changed, policy).reasons) < len(decide(evidence, policy).reasons):
            together, told = replace(together, **facts), [*told, sentence]
    if len(told) > 1 and decide(together, policy).outcome is not was:
        yield "; and ".join(told), decide(together, policy).outcome


def _other_facts(evidence: Evidence, policy: Policy) -> Iterator[tuple[str, dict[str, Any]]]:
    """What might have been otherwise, in words and as fields of the evidence."""
    wanted, flagged = policy.sources.probation, evidence.flagged_rows
    most = int(policy.budget.batch_rows * evidence.records)
    watched = {"watched_since": "", "watched_until": "", "held_for": "", "held_by": ""}
    cleared = "its incident closed" if evidence.held_for else "its source cleared by a reviewer"
    known = evidence.accepted is None or evidence.accepted >= wanted
    facts: tuple[tuple[bool, str, dict[str, Any]], ...] = (
        (len(flagged) > most, f"at most {most} flagged rows", {"flagged_rows": flagged[:most]}),
        (0 < len(flagged) <= most, "no flagged rows", {"flagged_rows": ()}),
        (bool(evidence.campaigns), "no campaign in its window", {"campaigns": ()}),
        (bool(evidence.watched_since), f"{cleared} before", watched),
        (bool(evidence.same_source), "no other batch of its source waiting", {"same_source": 0}),
        (bool(evidence.silences), "everything assessed", {"silences": ()}),
        (evidence.late, "handed in before its window was judged", {"late": False}),
        (not known, f"{wanted} windows of its source accepted before", {"accepted": wanted}),
    )
    yield from ((sentence, fields) for applies, sentence, fields in facts if applies)
    for lane in dict.fromkeys(alarm.lane for alarm in evidence.alarms):
        rest = tuple(alarm for alarm in evidence.alarms if alarm.lane != lane)
        yield f"no alarm of the lane {lane}", {"alarms": rest}
    for name in dict.fromkeys(finding.detector for finding in evidence.findings):
        left = tuple(finding for finding in evidence.findings if finding.detector != name)
        yield f"no finding of {name}", {"findings": left}

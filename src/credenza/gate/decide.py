"""Evidence and policy in, verdict out: pure and total."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.types import Campaign, Finding, Outcome, Reason, Silence, Unit, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credenza.gate.policy import Lanes, Policy


CHANGED = "campaign-changed"
"""The rule for sources that changed together what they send, and are not accused."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """What one lane says of a batch's source, short of a campaign.

    Attributes:
        lane: "source" (its own control chart), "structure" (volume, missing values, pairs
            never seen) or "common_cause" (most sources moved together).
        reach: how far, in the standard units of the policy's ``lanes``; None where no threshold
            of the policy applies, as on a control chart, or none was recorded.
    """

    lane: str
    sentence: str
    reach: float | None = None

    def speaks(self, lanes: Lanes) -> bool:
        """Whether it is far enough for the policy."""
        least = lanes.common_cause if self.lane == "common_cause" else lanes.source
        return self.reach is None or self.reach >= least


_PARTS = {
    "named": "named in",
    "suspected": "suspected in",
    "changed": "changed in",
    "payload": "one of the few senders of the payload of",
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that is known about one batch when it is judged.

    Attributes:
        vouched: it belongs to the history that a steward vouches for.
        watched_since: window of the campaign that put its source under watch, or the day
            from which it was held; else "".
        watched_until: last window of the watch, "" when only a person ends it.
        held_for: incidents for which its source is held since then, or "".
        held_by: recovery by which its source is held since then, or "".
        same_source: how many other batches of its source are held or quarantined.
        flagged_rows: positions in the batch of rows that screening flagged.
        alarms: of the other lanes, near ones too: the policy says which of them speak.
        late: its window was judged before it came.
        accepted: windows in which batches of its source were accepted since it last changed
            how it collects; None where nobody counts.
        changed: what it declared otherwise when it last did.
    """

    batch: str
    source: str
    records: int
    vouched: bool = False
    watched_since: str = ""
    watched_until: str = ""
    held_for: str = ""
    held_by: str = ""
    same_source: int = 0
    flagged_rows: tuple[int, ...] = ()
    findings: tuple[Finding, ...] = ()
    silences: tuple[Silence, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    late: bool = False
    accepted: int | None = None
    changed: tuple[str, ...] = ()


def decide(evidence: Evidence, policy: Policy) -> Verdict:
    """The worst outcome any rule asks for, with every rule's sentence.

    Total: there is no evidence without a verdict, and no reasons means ADMIT. A rule
    can only make things worse, so an unknown or broken rule can never admit.

    Complexity:
        Linear in the evidence.
    """
    reasons = tuple(reason for rule in RULES for reason in rule(evidence, policy))
    outcome = max((reason.outcome for reason in reasons), default=Outcome.ADMIT)
    split = evidence.flagged_rows if outcome is Outcome.ADMIT else ()
    return Verdict(evidence.batch, outcome, reasons, policy.digest, tuple(sorted(split)))


def _vouched(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.vouched:
        windows = policy.window.reference + policy.window.calibration
        yield Reason(
            "vouched",
            Outcome.ADMIT,
            f"one of the first {windows} windows, which the policy vouches for; "
            "its content was profiled but not judged",
        )


def _campaign(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    for campaign in evidence.campaigns:
        if evidence.source in campaign.sources:
            outcome, part = policy.outcomes.campaign_named, "named"
        elif evidence.source in campaign.suspected and "mark" in campaign.evidence:
            outcome, part = policy.outcomes.payload, "payload"
        elif evidence.source in campaign.suspected and campaign.sources:
            outcome, part = policy.outcomes.campaign_suspected, "suspected"
        elif evidence.source in campaign.suspected:
            outcome, part = policy.outcomes.campaign_changed, "changed"
        else:
            continue
        together = len(campaign.sources) or len(campaign.suspected)
        did = f"{campaign.statistic} moved {campaign.direction} in {together} sources together"
        if "mark" in campaign.evidence:
            did = f"{together} sources share {campaign.statistic}"
        yield Reason(
            f"campaign-{part}",
            outcome,
            f"{evidence.source} is {_PARTS[part]} a campaign: {did} (p = {campaign.p_value:.2g})",
        )


def _held(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    """Whom an incident holds is held until it is closed: no policy lets it pass."""
    if evidence.held_for:
        yield Reason(
            "held-for-incident",
            max(Outcome.HOLD, policy.outcomes.watched),
            f"{evidence.source} is held for {evidence.held_for} since {evidence.watched_since}, "
            "until no such incident is open",
        )


def _watched(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if not evidence.watched_since or evidence.held_for:
        return
    did = "was suspected in" if evidence.watched_until else "took part in"
    ends = f"; it waits until {evidence.watched_until}" if evidence.watched_until else ""
    cause = f"{did} the campaign of {evidence.watched_since}"
    if evidence.held_by:
        cause = f"is held by recovery {evidence.held_by} since {evidence.watched_since}"
    yield Reason(
        "watched",
        policy.outcomes.watched,
        f"{evidence.source} {cause} and no reviewer has cleared it since{ends}",
    )


def _same_source(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.same_source and policy.outcomes.same_source is not Outcome.ADMIT:
        yield Reason(
            "same-source",
            policy.outcomes.same_source,
            f"{evidence.same_source} other batches of {evidence.source} wait for a person, and "
            "the policy pauses a source until they are decided on",
        )


def _lanes(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    outcomes = {
        "source": policy.outcomes.source,
        "structure": policy.outcomes.structure,
        "common_cause": policy.outcomes.common_cause,
    }
    for alarm in evidence.alarms:
        if alarm.speaks(policy.lanes):
            yield Reason(alarm.lane, outcomes[alarm.lane], alarm.sentence)


def _rows(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    flagged = len(evidence.flagged_rows)
    if not flagged:
        return
    share = flagged / max(1, evidence.records)
    if share > policy.budget.batch_rows:
        yield Reason(
            "batch-rows",
            Outcome.HOLD,
            f"{flagged} of {evidence.records} rows are flagged, more than "
            f"{policy.budget.batch_rows:.0%} of the batch",
        )
    fate = "kept out of the dataset" if policy.outcomes.rows is Outcome.ADMIT else "flagged"
    yield Reason("rows", policy.outcomes.rows, f"{flagged} of {evidence.records} rows are {fate}")


def _spoken(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    """Findings that are a rule of their own."""
    rules = {
        "column-drift": ("drift", policy.outcomes.drift),
        "reconcile": ("disagreement", policy.outcomes.disagreement),
        "source-diversity": ("diversity", policy.outcomes.diversity),
    }
    for finding in evidence.findings:
        if finding.detector in rules:
            yield Reason(*rules[finding.detector], finding.sentence)


def _together(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    """Rows that are odd as a crowd; those that are kept out anyway no longer speak for the rest."""
    flagged = set(evidence.flagged_rows)
    for finding in evidence.findings:
        is_crowd = finding.detector == "rows" and finding.unit is Unit.SOURCE
        if is_crowd and 2 * len(flagged.intersection(finding.rows)) < len(finding.rows):
            yield Reason("together", policy.outcomes.together, finding.sentence)


def _silence(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if not evidence.vouched:
        for silence in evidence.silences:
            yield Reason(
                "silence",
                policy.outcomes.silence,
                f"{silence.detector} did not assess it: {silence.reason}",
            )


def _late(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    if evidence.late:
        yield Reason("late", policy.outcomes.late, "it came after its window had been judged")


def _probation(evidence: Evidence, policy: Policy) -> Iterator[Reason]:
    wanted = policy.sources.probation
    if evidence.accepted is None or evidence.accepted >= wanted or evidence.vouched:
        return
    since = f" since {evidence.source} declared another {', '.join(evidence.changed)}"
    yield Reason(
        "probation",
        policy.outcomes.probation,
        f"{evidence.accepted} of {wanted} windows of {evidence.source} were accepted"
        + (since if evidence.changed else "; it is new"),
    )


RULES: tuple[Callable[[Evidence, Policy], Iterator[Reason]], ...] = (
    _vouched,
    _campaign,
    _held,
    _watched,
    _same_source,
    _lanes,
    _rows,
    _spoken,
    _together,
    _silence,
    _late,
    _probation,
)

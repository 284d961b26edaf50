"""Another policy, drawn from what reviewers decided, with what it would have done.

A proposal is a file for a person to read. Nothing here adopts it; once its text is the
workspace's policy, the next command that judges writes it into the ledger.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from credenza.core.errors import NotFoundError
from credenza.core.types import Outcome
from credenza.core.wilson import wilson
from credenza.gate.monitor import CLEARED, campaigns
from credenza.gate.policy_cases import run_cases
from credenza.gate.policy_file import load_policy
from credenza.gate.replay import SETTING, case_of, replay
from credenza.store.rows import BatchRow, WindowRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from credenza.gate.policy import Policy
    from credenza.gate.replay import Case, Replay
    from credenza.gate.stores import Stores

SURE = 0.75
"""Lower bound of the share of decisions that speak for a change: 12 of 12, 19 of 20."""


THRESHOLDS = {
    "lanes.source": ("source", "structure"),
    "lanes.common_cause": ("common_cause",),
    "budget.batch_rows": ("batch-rows",),
}
"""Settings from which on rules stop a batch, whose distances are on record."""


@dataclass(frozen=True, slots=True)
class Change:
    """One setting, and the decisions that speak for it."""

    key: str
    before: str
    after: str
    why: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A policy to consider.

    Attributes:
        since: first window that was looked at.
        text: the whole policy file with the changes; the present one when there is none.
    """

    dataset: str
    since: str
    changes: tuple[Change, ...]
    replay: Replay
    text: str


def propose(stores: Stores, data: bytes, dataset: str, *, days: int = 30) -> Proposal:
    """Settings that reviewers' decisions of the last ``days`` speak for, with their replay.

    Where a distance or share stops batches by a threshold (``THRESHOLDS``), and reviewers admitted
    all that were nearer than the nearest one they rejected, a threshold between the two is
    proposed, once there are 12 of these. Thresholds are never lowered: what lay below was not
    judged. Another rule that alone stopped batches is proposed to only note them once it is 95 %
    sure that reviewers admit three in four of these (Wilson's lower bound: 12 of 12, 19 of
    20). A rule that only noted is proposed to hold once reviewers reject as many of the
    batches it spoke of. The accepted rate of campaigns is halved once more than twice as many
    as accepted were cleared. Nothing is proposed that a required case forbids.

    Replayed from the recorded evidence: see ``replay`` for what that can tell. Blind to what
    reviewers never saw, to an attacker who stays below a threshold that was raised, and no judge
    of reviewers: whoever can decide can bend the next proposal, so it is a person who adopts it,
    and the ledger that remembers.

    Args:
        stores: the workspace.
        data: the present policy file.
        dataset: whose decisions.
        days: back from the newest settled window.

    Raises:
        NotFoundError: no window of it was settled yet.
    """
    policy = load_policy(data)
    since, rows = _recent(stores, dataset, days)
    cases = [case_of(stores, row) for row in rows]
    changes: list[Change] = []
    text = data.decode("utf-8")
    stands = [_under(case, policy) for case in cases]
    raised = [*_threshold_changes(policy, stands)]
    freed = {rule for change in raised for rule in THRESHOLDS[change.key]}
    wanted = [
        *raised,
        *_outcome_changes(policy, stands, freed),
        *_rate_changes(stores, policy, dataset, since),
    ]
    for change in wanted:
        tried = edited(text, change.key, change.after)
        if all(case.passed for case in run_cases(load_policy(tried.encode())) if case.required):
            text = tried
            changes.append(change)
    replayed = replay(cases, load_policy(text.encode()))
    return Proposal(dataset, since, tuple(changes), replayed, text)


def edited(text: str, key: str, value: str) -> str:
    """A policy file with one setting changed; its other lines and comments stay.

    Args:
        text: TOML.
        key: "section.name".
        value: as TOML spells it.
    """
    section, name = key.split(".")
    lines = text.splitlines()
    inside = [
        place for place, line in enumerate(lines) if line.split("#")[0].strip() == f"[{section}]"
    ]
    if not inside:
        return "\n".join([*lines, "", f"[{section}]", f"{name} = {value}", ""])
    setting = re.compile(rf"^(\s*{re.escape(name)}\s*=\s*)(\"[^\"]*\"|[^#\s]+)")
    for place in range(inside[0] + 1, len(lines)):
        if lines[place].lstrip().startswith("["):
            break
        if setting.match(lines[place]):
            lines[place] = setting.sub(lambda found: found[1] + value, lines[place])
            return "\n".join([*lines, ""])
    lines.insert(inside[0] + 1, f"{name} = {value}")
    return "\n".join([*lines, ""])


def _recent(stores: Stores, dataset: str, days: int) -> tuple[str, list[BatchRow]]:
    with stores.journal.catalog.snapshot() as index:
        settled = sorted(row.window for row in index.find(WindowRow, dataset=dataset))
        rows = index.find(BatchRow, dataset=dataset)
    if not settled:
        raise NotFoundError(
            "nothing-settled",
            f"no window of {dataset[:100]!r} was settled yet",
            why="a proposal is drawn from judged windows and what reviewers said of them",
            fix="see `credenza dataset list` and `credenza batch list` for its name",
        )
    since = _days_before(settled[-1], days)
    judged = [row for row in rows if row.verdict_index is not None and row.window >= since]
    return since, judged


def _days_before(window: str, days: int) -> str:
    """The first day that counts; windows that are no dates (one batch each) all count."""
    try:
        return (dt.date.fromisoformat(window) - dt.timedelta(days=days)).isoformat()
    except ValueError:
        return ""


def _under(case: Case, policy: Policy) -> Case:
    """With the rules as they are in force: what decisions already changed, they do not again."""
    verdict = case.verdict(policy)
    if verdict is None:
        return case
    return replace(case, rules=tuple((one.rule, one.outcome) for one in verdict.reasons))


def _threshold_changes(policy: Policy, cases: Sequence[Case]) -> Iterator[Change]:
    for key, rules in THRESHOLDS.items():
        stopped = [case for case in cases if case.decided and _stopped_by(case)]
        alone = [case for case in stopped if _stopped_by(case) <= set(rules)]
        far = [(_distance(case, key), case.decided) for case in alone]
        nearest = min((own for own, word in far if own and word == "reject"), default=math.inf)
        below = [own for own, word in far if own and word == "admit" and own < nearest]
        if wilson(len(below), len(below))[0] >= SURE:
            section, name = key.split(".")
            before = getattr(getattr(policy, section), name)
            until = (
                f"; the nearest they rejected lay at {nearest:.3g}" if nearest < math.inf else ""
            )
            why = (
                f"reviewers admitted all {len(below)} batches that only this stopped, up to "
                f"{max(below):.3g}{until}"
            )
            yield Change(key, f"{before:g}", str(_between(max(below), nearest)), why)


def _distance(case: Case, key: str) -> float | None:
    """How far a batch was in the units of a threshold; None where that was not recorded."""
    found = case.evidence
    if found is None:
        return None
    if key == "budget.batch_rows":
        return len(found.flagged_rows) / max(1, found.records)
    lanes = _stopped_by(case) & set(THRESHOLDS[key])
    reaches = [alarm.reach for alarm in found.alarms if alarm.lane in lanes]
    known = [reach for reach in reaches if reach is not None]
    return max(known) if known and len(known) == len(reaches) else None


def _between(low: float, high: float) -> float:
    """The shortest decimal above ``low`` and below ``high``."""
    for digits in range(1, 12):
        short = float(round((math.floor(low * 10**digits) + 1) / 10**digits, digits))
        if low < short < high:
            return short
    return (low + high) / 2


def _outcome_changes(policy: Policy, cases: Sequence[Case], freed: set[str]) -> Iterator[Change]:
    """``freed`` rules have a better threshold, and keep what they do beyond it."""
    for rule, name in SETTING.items():
        now = cast("Outcome", getattr(policy.outcomes, name))
        alone = [case for case in cases if _stopped_by(case) == {rule}]
        spoke = [case for case in cases if rule in dict(case.rules)]
        if now is not Outcome.ADMIT:
            found = _decided(alone, "admit")
            if found is not None and rule not in freed:
                yield _outcome_change(name, now, Outcome.ADMIT, *found, "admitted")
        else:
            found = _decided(spoke, "reject")
            if found is not None:
                yield _outcome_change(name, now, Outcome.HOLD, *found, "rejected")


def _decided(cases: Iterable[Case], word: str) -> tuple[int, int] | None:
    """How many decisions were ``word``, of how many, where that is sure enough."""
    counts = Counter(case.decided for case in cases if case.decided)
    n = sum(counts.values())
    return (counts[word], n) if wilson(counts[word], n)[0] >= SURE else None


def _stopped_by(case: Case) -> set[str]:
    return {rule for rule, outcome in case.rules if outcome is not Outcome.ADMIT}


def _outcome_change(  # noqa: PLR0917 - one sentence's words
    name: str, now: Outcome, after: Outcome, hits: int, n: int, word: str
) -> Change:
    why = (
        f"reviewers {word} {hits} of the {n} batches of this rule that they decided on "
        f"(at least {wilson(hits, n)[0]:.0%}, 95 % sure)"
    )
    return Change(f"outcomes.{name}", f'"{now.name.lower()}"', f'"{after.name.lower()}"', why)


def _rate_changes(stores: Stores, policy: Policy, dataset: str, since: str) -> Iterator[Change]:
    with stores.journal.catalog.snapshot() as index:
        settled = index.find(WindowRow, dataset=dataset)
    judged = sum(row.window >= since for row in settled)
    found = [one for one in campaigns(stores, dataset) if one.campaign.window >= since]
    cleared = sum(one.standing == CLEARED for one in found)
    rate = policy.budget.campaign_rate
    if cleared >= 2 and cleared > 2 * rate * judged:
        yield Change(
            "budget.campaign_rate",
            f"{rate:g}",
            f"{max(rate / 2, 1e-4):g}",
            f"reviewers cleared {cleared} campaigns in {judged} windows; {rate:g} a window "
            "are accepted",
        )

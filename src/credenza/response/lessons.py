"""Rules that would have stopped an incident, tried on its own batches before anyone adopts one.

A lesson is a change of the policy. It *holds* when it stops the incident's batches, and does
so beyond what it stops of the honest batches of the same windows: Wilson's lower bound of the
one share lies above the upper bound of the other, and every required case still passes. The
others are shown too, with what they would have done, because a rule that fails on the very
data it was invented for must not be invented again.

Blind to the next attack: what stops this incident says nothing of one that differs. And the
windows are those of the incident; a rule that disturbs nobody in one quiet week may in a year.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pyarrow as pa
from scipy.stats import binom

from credenza.core.types import Outcome, Silence
from credenza.core.wilson import wilson
from credenza.gate.beside import screen_beside
from credenza.gate.fitting import reference_for
from credenza.gate.policy_cases import run_cases
from credenza.gate.policy_file import load_policy
from credenza.gate.propose import edited
from credenza.gate.replay import SETTING, case_of
from credenza.gate.silence import assessed
from credenza.gate.stores import our_detectors
from credenza.response.desk import batch_rows
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.replay import Case
    from credenza.response.desk import Desk
    from credenza.response.incident import Incident

SURPRISE = 0.01
"""A detector speaks of a batch when chance would flag as many clean rows in 1 of 100."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One change of the policy and what it would have done.

    Attributes:
        key: the setting, as "section.name", or "detectors".
        caught, bad: of the incident's batches, how many it stops, and how many there are.
        disturbed, honest: the same of the other batches of those windows.
        holds: it stops the incident's beyond the honest, and breaks no required case.
        text: the whole policy with the change.
    """

    key: str
    before: str
    after: str
    caught: int
    bad: int
    disturbed: int
    honest: int
    holds: bool
    text: str

    @property
    def sentence(self) -> str:
        """What it would have done, in words."""
        return (
            f"{self.key}: {self.before} -> {self.after} would stop {self.caught} of the "
            f"{self.bad} batches of the incident and {self.disturbed} of {self.honest} others "
            "of the same windows"
        )


@dataclass(frozen=True, slots=True)
class _Split:
    """The incident's judged batches, and the others of their windows."""

    bad: tuple[BatchRow, ...]
    honest: tuple[BatchRow, ...]


def lessons(
    desk: Desk, incident: Incident, detectors: Sequence[str] | None = None
) -> tuple[Lesson, ...]:
    """Every change that a rule or a detector suggests, those that hold first.

    Args:
        desk: the gate and its policy.
        incident: whose batches the changes are tried on.
        detectors: to ask, less those that the policy asks already; by default all of ours.
    """
    split = _split(desk, incident)
    names = our_detectors().names() if detectors is None else detectors
    found = [*_of_outcomes(desk, split), *_of_detectors(desk, split, names)]
    return tuple(sorted(found, key=lambda one: (not one.holds, -one.caught, one.key, one.after)))


def _split(desk: Desk, incident: Incident) -> _Split:
    bad = [row for row in batch_rows(desk.stores, incident.batches) if row.verdict_index]
    with desk.stores.journal.catalog.snapshot() as index:
        beside = [
            row
            for window in sorted({row.window for row in bad})
            for row in index.find(BatchRow, dataset=incident.dataset, window=window)
        ]
    honest = [
        row
        for row in beside
        if row.verdict_index
        and row.digest not in incident.batches
        and row.source not in incident.sources
    ]
    return _Split(tuple(bad), tuple(honest))


def _of_outcomes(desk: Desk, split: _Split) -> Iterator[Lesson]:
    """Rules that spoke of the incident and only noted."""
    policy, text = desk.policy, desk.text.decode("utf-8")
    bad = [case_of(desk.stores, row) for row in split.bad]
    honest = [case_of(desk.stores, row) for row in split.honest]
    spoke = {rule for case in bad for rule, _ in case.rules if rule in SETTING}
    for rule in sorted(spoke):
        if getattr(policy.outcomes, SETTING[rule]) is not Outcome.ADMIT:
            continue
        key = f"outcomes.{SETTING[rule]}"
        changed = edited(text, key, '"hold"')
        then = load_policy(changed.encode())
        lesson = Lesson(
            key,
            '"admit"',
            '"hold"',
            _stopped(bad, then),
            len(bad),
            _stopped(honest, then),
            len(honest),
            holds=False,
            text=changed,
        )
        yield replace(lesson, holds=_holds(lesson))


def _stopped(cases: Sequence[Case], policy: Policy) -> int:
    return sum(case.outcome(policy) is not Outcome.ADMIT for case in cases)


def _of_detectors(desk: Desk, split: _Split, detectors: Sequence[str]) -> Iterator[Lesson]:
    """Detectors that the policy does not ask, asked about these rows."""
    policy = desk.policy
    reference = split.bad and reference_for(desk.stores, split.bad[0].dataset, policy.window)
    if not reference:
        return
    now = ", ".join(f'"{name}"' for name in policy.detectors)
    for name in detectors:
        if name in policy.detectors:
            continue
        spoken = assessed(name, lambda name=name: _spoken(desk, reference, split, name))  # type: ignore[misc]
        if isinstance(spoken, Silence):
            continue
        caught, disturbed = spoken
        if not caught:
            continue
        after = ", ".join(f'"{one}"' for one in sorted({*policy.detectors, name}))
        lesson = Lesson(
            "detectors",
            f"[{now}]",
            f"[{after}]",
            caught,
            len(split.bad),
            disturbed,
            len(split.honest),
            holds=False,
            text=_with_detectors(desk.text.decode("utf-8"), f"[{after}]"),
        )
        yield replace(lesson, holds=_holds(lesson))


def _spoken(desk: Desk, reference: Reference, split: _Split, name: str) -> tuple[int, int]:
    """In how many batches of each kind the detector flags more rows than chance would."""
    rows = (*split.bad, *split.honest)
    table = pa.concat_tables([desk.stores.table(row) for row in rows])
    screening = screen_beside(
        name,
        table,
        [row.source for row in rows for _ in range(row.records)],
        reference,
        [desk.stores.detectors().make(name)],
        desk.policy.budget,
        reference.expected(table),
    )
    if screening.silences:
        return 0, 0
    counts, start = [0, 0], 0
    for row in rows:
        flagged = int(screening.flagged[start : start + row.records].sum())
        start += row.records
        chance = float(binom.sf(flagged - 1, row.records, desk.policy.budget.rows))
        counts[row in split.honest] += flagged > 0 and chance < SURPRISE
    return counts[0], counts[1]


def _with_detectors(text: str, value: str) -> str:
    """The policy file with another list of detectors; its other lines stay.

    A list may span lines, so the setting is taken out whole and written anew at the top,
    before the first table, where alone it means this.
    """
    lines, kept, inside = text.splitlines(), [], False
    for line in lines:
        begins = line.replace(" ", "").startswith("detectors=")
        inside = inside or begins
        if not inside:
            kept.append(line)
        elif "]" in line.split("#")[0]:
            inside = False
    place = next((at for at, line in enumerate(kept) if line.startswith("[")), len(kept))
    return "\n".join([*kept[:place], f"detectors = {value}", *kept[place:], ""])


def _holds(lesson: Lesson) -> bool:
    if not lesson.caught or not lesson.honest:
        return False
    spared, _ = wilson(lesson.honest - lesson.disturbed, lesson.honest)
    cases = run_cases(load_policy(lesson.text.encode()))
    return wilson(lesson.caught, lesson.bad)[0] > 1.0 - spared and all(
        case.passed for case in cases if case.required
    )

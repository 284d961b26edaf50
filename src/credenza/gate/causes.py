"""What waits for a person, grouped by why: a reviewer decides about causes, not about batches."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.types import Reason
    from credenza.gate.questions import BatchRecord

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e-?\d+)?%?")


@dataclass(frozen=True, slots=True)
class Cause:
    """Batches that wait for the same reason.

    Attributes:
        rule: that weighed most in their verdicts.
        sentence: what it says of them, of several without the source's name and the numbers.
        batches: digests, oldest first.
        sources: whose they are.
        rows: of all of them.
        windows: the first and the last.
    """

    rule: str
    sentence: str
    dataset: str
    batches: tuple[str, ...]
    sources: tuple[str, ...]
    rows: int
    windows: tuple[str, str]


def causes(records: Iterable[BatchRecord]) -> list[Cause]:
    """Group batches by the reason that stopped them, the largest group first.

    Two batches have one cause when the reason that weighed most says the same of both but
    for its source and its numbers: so a flood is one line, whoever sends it. Blind to a
    second cause that hides behind the first; each batch tells all of its reasons.
    """
    groups: dict[tuple[str, str, str], list[BatchRecord]] = defaultdict(list)
    for record in records:
        reason = weightiest(record.reasons)
        said = _NUMBER.sub("#", _said(record).replace(record.source, "…"))
        groups[record.dataset, reason.rule if reason else "", said].append(record)
    found = [
        Cause(
            rule,
            sentence if len(group) > 1 else _said(group[0]),
            dataset,
            tuple(one.digest for one in group),
            tuple(sorted({one.source for one in group})),
            sum(one.records for one in group),
            (min(one.window for one in group), max(one.window for one in group)),
        )
        for (dataset, rule, sentence), group in groups.items()
    ]
    return sorted(found, key=lambda cause: (-len(cause.batches), cause.rule, cause.sentence))


def _said(record: BatchRecord) -> str:
    reason = weightiest(record.reasons)
    return reason.sentence if reason else ""


def weightiest(reasons: Iterable[Reason]) -> Reason | None:
    """The first of the reasons with the worst outcome; of a split batch, the rows kept out."""
    told = list(reasons)
    worst = max((reason.outcome for reason in told), default=Outcome.ADMIT)
    if worst is Outcome.ADMIT:
        return next((reason for reason in told if reason.rule == "rows"), None)
    return next(reason for reason in told if reason.outcome is worst)

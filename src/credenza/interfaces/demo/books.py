"""The demo's own books: what it sent, what was poison, and what became of it.

The gate never sees them. They turn verdicts into the shares that the story tells.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.types import Outcome
from credenza.interfaces.demo.tale import Week

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from credenza.core.types import Bools, Verdict

VOUCHED_RULE = "vouched"


@dataclass(frozen=True, slots=True)
class Sent:
    """One batch as it was sent.

    Attributes:
        week: 0 for the year's first.
        poison: ``(rows,)`` True where the row is poison.
        hostile: the demo had its feed act in this week.
    """

    feed: str
    week: int
    poison: Bools
    hostile: bool


class Books:
    """What was sent under each batch digest, and the verdict on it."""

    def __init__(self) -> None:
        self._sent: dict[str, Sent] = {}
        self._verdicts: dict[str, Verdict] = {}

    def sent(self, digest: str, batch: Sent) -> None:
        """Note a submission."""
        self._sent[digest] = batch

    def judged(self, verdicts: Iterable[Verdict]) -> int:
        """Note verdicts of one window; the week they are about."""
        week = -1
        for verdict in verdicts:
            self._verdicts[verdict.batch] = verdict
            week = self._sent[verdict.batch].week
        return week

    @property
    def batches(self) -> int:
        """How many were sent."""
        return len(self._sent)

    @property
    def rows(self) -> int:
        """How many rows were sent."""
        return sum(len(batch.poison) for batch in self._sent.values())

    def week(self, week: int, start: str) -> Week:
        """One week's tallies."""
        pairs = [(batch, verdict) for batch, verdict in self._pairs() if batch.week == week]
        counts = Counter(verdict.outcome for _, verdict in pairs)
        return Week(
            number=week + 1,
            start=start,
            vouched=bool(pairs) and all(_is_vouched(verdict) for _, verdict in pairs),
            batches={outcome.name.lower(): counts[outcome] for outcome in sorted(counts)},
            rows=sum(len(batch.poison) for batch, _ in pairs),
            rows_out=sum(_rows_out(batch, verdict) for batch, verdict in pairs),
            hostile=sum(batch.hostile for batch, _ in pairs),
        )

    def honest_rows_held_share(self) -> float:
        """Of the judged rows in batches that nobody poisoned, those kept outside."""
        honest = [
            pair for pair in self._pairs() if not pair[0].hostile and not _is_vouched(pair[1])
        ]
        rows = sum(len(batch.poison) for batch, _ in honest)
        return sum(_rows_out(batch, verdict) for batch, verdict in honest) / rows if rows else 0.0

    def poison_rows_admitted_share(self, since_week: int | None) -> float | None:
        """Of the poison rows from a week on, those in the dataset; None without any.

        Args:
            since_week: 0 for the year's first; None counts all.
        """
        pairs = [
            (batch, verdict)
            for batch, verdict in self._pairs()
            if since_week is None or batch.week >= since_week
        ]
        poison = sum(int(batch.poison.sum()) for batch, _ in pairs)
        let_in = sum(_poison_in(batch, verdict) for batch, verdict in pairs)
        return let_in / poison if poison else None

    def _pairs(self) -> Iterator[tuple[Sent, Verdict]]:
        for digest, verdict in self._verdicts.items():
            yield self._sent[digest], verdict


def _is_vouched(verdict: Verdict) -> bool:
    return any(reason.rule == VOUCHED_RULE for reason in verdict.reasons)


def _rows_out(batch: Sent, verdict: Verdict) -> int:
    admitted = verdict.outcome is Outcome.ADMIT
    return len(verdict.quarantined_rows) if admitted else len(batch.poison)


def _poison_in(batch: Sent, verdict: Verdict) -> int:
    if verdict.outcome is not Outcome.ADMIT:
        return 0
    kept_out = int(batch.poison[list(verdict.quarantined_rows)].sum())
    return int(batch.poison.sum()) - kept_out

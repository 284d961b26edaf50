"""What waits for a person: in whose queue, since when, until when, and which queue is too long.

Nothing is stored here. What is open follows from the verdicts and decisions in the ledger,
and the rules from the policy in force; so a changed policy sorts the same batches anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.spans import common, size, spans_of
from credenza.core.types import Outcome
from credenza.gate.review import REVIEWABLE, decide_batch, open_rows
from credenza.store.rows import BatchRow, EntryRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.spans import Spans
    from credenza.gate.policy import QuarantineRule
    from credenza.gate.review import Decision
    from credenza.gate.stores import Stores

DAY_S = 86_400
DEFAULT_QUEUE = "review"


@dataclass(frozen=True, slots=True)
class Held:
    """One batch, or the rows of it that were kept out, in a queue.

    Attributes:
        rule: that weighed most in its verdict.
        rows: how many of its rows are open.
        since_s: time of its verdict.
        expires_s: when it is rejected undecided; None for never.
        reasons: sentences of its verdict, the weightiest first.
    """

    batch: str
    dataset: str
    source: str
    status: str
    queue: str
    rule: str
    rows: int
    since_s: int
    expires_s: int | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Queue:
    """One queue and how it stands to its limits.

    Attributes:
        oldest_s: how long its oldest batch waits.
        over: what it exceeds, in words; "" when nothing.
    """

    name: str
    batches: int
    rows: int
    oldest_s: int
    over: str


def held(stores: Stores, rule: QuarantineRule) -> list[Held]:
    """Everything that waits for a person, oldest first."""
    with stores.journal.catalog.snapshot() as index:
        rows = [
            *index.find(BatchRow, status=list(REVIEWABLE)),
            *(row for row in index.find(BatchRow, status="admitted") if row.quarantined_rows),
        ]
        times = {
            row.digest: entry.time_s
            for row in rows
            if row.verdict_index is not None
            and (entry := index.get(EntryRow, row.verdict_index)) is not None
        }
    found = [_held(stores, rule, row, times.get(row.digest, 0)) for row in rows]
    return sorted(found, key=lambda one: (one.since_s, one.batch))


def _held(stores: Stores, rule: QuarantineRule, row: BatchRow, since_s: int) -> Held:
    reasons = sorted(json.loads(row.reasons), key=lambda one: -Outcome[str(one["outcome"]).upper()])
    weightiest = str(reasons[0]["rule"]) if reasons else ""
    return Held(
        batch=row.digest,
        dataset=row.dataset,
        source=row.source,
        status=row.status,
        queue=rule.queues.get(weightiest, DEFAULT_QUEUE),
        rule=weightiest,
        rows=size(open_rows(stores, row)),
        since_s=since_s,
        expires_s=since_s + rule.expire_days * DAY_S if rule.expire_days else None,
        reasons=tuple(str(one["sentence"]) for one in reasons),
    )


def queues(waiting: list[Held], rule: QuarantineRule, now_s: int) -> list[Queue]:
    """Every queue that the policy names or that something waits in, by name."""
    names = {DEFAULT_QUEUE, *rule.queues.values(), *(one.queue for one in waiting)}
    return [
        _queue(name, [one for one in waiting if one.queue == name], rule, now_s)
        for name in sorted(names)
    ]


def _queue(name: str, own: list[Held], rule: QuarantineRule, now_s: int) -> Queue:
    oldest = max((now_s - one.since_s for one in own), default=0)
    over = []
    if rule.backlog_batches and len(own) > rule.backlog_batches:
        over.append(f"{len(own)} batches wait, more than {rule.backlog_batches}")
    if rule.backlog_days and oldest > rule.backlog_days * DAY_S:
        over.append(f"the oldest waits for {oldest // DAY_S} days, more than {rule.backlog_days}")
    return Queue(name, len(own), sum(one.rows for one in own), oldest, "; ".join(over))


def expire(stores: Stores, rule: QuarantineRule, now_s: int) -> list[Decision]:
    """Reject what nobody decided on in time; silence never admits."""
    return [
        decide_batch(
            stores,
            one.batch,
            "reject",
            f"expired: nobody decided within {rule.expire_days} days",
        )
        for one in held(stores, rule)
        if one.expires_s is not None and one.expires_s <= now_s
    ]


def rows_where(table: pa.Table, where: Mapping[str, str]) -> Spans:
    """Positions whose values, as text, are those asked for in every named column.

    Raises:
        UsageError: there is no such column.
    """
    keep = np.ones(table.num_rows, dtype=bool)
    for column, value in where.items():
        if column not in table.column_names:
            known = ", ".join(table.column_names[:20])
            raise UsageError(
                "no-such-column",
                f"the batch has no column {column[:60]!r}",
                why=f"it has: {known}",
                fix="name one of these with --where",
            )
        same = pc.equal(pc.cast(table.column(column), "string"), value)
        keep &= same.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return spans_of(np.flatnonzero(keep).tolist())


def open_where(stores: Stores, row: BatchRow, where: Mapping[str, str]) -> Spans:
    """Open rows of a batch in a slice."""
    return common(rows_where(stores.table(row), where), open_rows(stores, row))

"""What was admitted before is screened again by today's policy, within a budget.

A detector that is new, or has just found something, knows nothing of the weeks before it was
asked. Here it is: window by window, the newest first, each window's admitted batches
together, beside the same trusted rows as every verdict. Verdicts stay as they are; what is
found is an entry of its own, which a suspicion can name (``detectors=…``).

Blind to campaigns, whose statistics are followed forward in time and not back; to the
vouched-for windows, which are the yardstick; and to rows that were excised since.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from credenza.core.errors import ConflictError, UsageError
from credenza.core.spans import size, spans_of, to_json
from credenza.core.types import Unit
from credenza.gate.beside import asked, screen_beside
from credenza.gate.fitting import reference_for
from credenza.gate.journal import Event
from credenza.gate.records import to_json as recorded
from credenza.store.rows import BatchRow, EntryRow, WindowRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.core.spans import Spans
    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores
    from credenza.screening.run import Screening

KIND = "rescreen"


@dataclass(frozen=True, slots=True)
class Rescreened:
    """What a second look at a window found.

    Attributes:
        flagged: positions by batch, of batches with any.
        findings: how many concern a batch of it.
        index: ledger index of the entry.
    """

    window: str
    batches: int
    rows: int
    flagged: Mapping[str, Spans]
    findings: int
    index: int


def rescreen(
    stores: Stores, policy: Policy, dataset: str, *, most_rows: int
) -> Iterator[Rescreened]:
    """Screen admitted windows again, the newest first, until the budget is spent.

    A window that this policy has screened again already is not screened a third time, so
    the next call goes on where this one, or a crash, stopped.

    Args:
        stores: the workspace.
        policy: whose detectors are asked.
        dataset: of which.
        most_rows: rows to screen at most; a window is screened whole or not at all.

    Raises:
        UsageError: the budget is none, or the policy asks no detector.
        ConflictError: the reference windows are not settled yet.
    """
    if most_rows < 1 or not policy.detectors:
        raise UsageError(
            "nothing-to-rescreen",
            "a second look needs rows to spend and detectors to ask",
            why=f"{most_rows} rows and {len(policy.detectors)} detectors were given",
            fix="give more rows, or name detectors in the policy",
        )
    stores.journal.lock()
    reference = reference_for(stores, dataset, policy.window)
    if reference is None or not reference.trusted.num_rows:
        raise ConflictError(
            "no-reference",
            f"nothing of {dataset!r} is trusted yet to screen others beside",
            why="the policy's reference and calibration windows are not settled",
            fix="settle these windows first",
        )
    for window, rows in _left(stores, policy, dataset):
        records = sum(row.records for row in rows)
        if records > most_rows:
            return
        most_rows -= records
        yield _look(stores, policy, reference, window, rows)


def _left(
    stores: Stores, policy: Policy, dataset: str
) -> Iterator[tuple[str, tuple[BatchRow, ...]]]:
    """Windows still to be screened by this policy, newest first, with what was admitted."""
    with stores.journal.catalog.snapshot() as index:
        settled = sorted(index.find(WindowRow, dataset=dataset), key=lambda row: row.settled_index)
        admitted = index.find(BatchRow, dataset=dataset, status="admitted")
        entries = index.find(EntryRow, kind=KIND)
    documents = [stores.journal.document(entry.digest) for entry in entries]
    done = {
        str(one["window"])
        for one in documents
        if (one["dataset"], one["policy"]) == (dataset, policy.digest)
    }
    vouched = policy.window.reference + policy.window.calibration
    for settlement in reversed(settled[vouched:]):
        rows = tuple(row for row in admitted if row.window == settlement.window)
        if rows and settlement.window not in done:
            yield settlement.window, rows


def _look(
    stores: Stores,
    policy: Policy,
    reference: Reference,
    window: str,
    rows: tuple[BatchRow, ...],
) -> Rescreened:
    table = pa.concat_tables([stores.table(row) for row in rows])
    screening = screen_beside(
        window,
        table,
        [row.source for row in rows for _ in range(row.records)],
        reference,
        asked(stores, policy),
        policy.budget,
        reference.expected(table),
    )
    starts = np.cumsum([0, *(row.records for row in rows)]).tolist()
    placed = [(row, *span) for row, span in zip(rows, pairwise(starts), strict=True)]
    judged = [_judged(screening, row, start, stop) for row, start, stop in placed]
    document: dict[str, Json] = {
        "dataset": rows[0].dataset,
        "window": window,
        "policy": policy.digest,
        "judged": cast("list[Json]", judged),
        "campaigns": [],
    }
    entry = stores.journal.record([Event(KIND, document)])[-1]
    flagged = {row.digest: _flagged(screening, start, stop) for row, start, stop in placed}
    return Rescreened(
        window,
        len(rows),
        table.num_rows,
        {digest: spans for digest, spans in flagged.items() if size(spans)},
        sum(len(cast("list[Json]", one["findings"])) for one in judged),
        entry.index,
    )


def _flagged(screening: Screening, start: int, stop: int) -> Spans:
    return spans_of(np.flatnonzero(screening.flagged[start:stop]).tolist())


def _judged(screening: Screening, row: BatchRow, start: int, stop: int) -> dict[str, Json]:
    """What concerns one batch, its rows counted from its first row."""
    findings: list[Json] = []
    for finding in screening.findings:
        own = tuple(place - start for place in finding.rows if start <= place < stop)
        named = finding.unit in (Unit.SOURCE, Unit.BATCH) and row.source in finding.subjects
        if own or named:
            findings.append(recorded(replace(finding, rows=own)))
    return {
        "batch": row.digest,
        "flagged": to_json(_flagged(screening, start, stop)),
        "findings": findings,
        "silences": recorded(screening.silences),
    }

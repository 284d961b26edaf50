"""The rows are taken out: a new version without them, the others not written again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.canonical import canonical_json, sha256_hex
from credenza.core.errors import ConflictError, NotFoundError
from credenza.core.spans import minus, size
from credenza.gate.excision import excision, held_now
from credenza.gate.holdings import whole
from credenza.response.steps.step import ERADICATE, Done
from credenza.response.suspicion import cut
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.spans import Spans
    from credenza.gate.stores import Stores
    from credenza.response.steps.step import Case, Job


@dataclass(frozen=True, slots=True)
class Excise:
    """The newest version loses these rows.

    Attributes:
        rows: positions by batch.
    """

    rows: Mapping[str, Spans]
    name: ClassVar[str] = "excise"
    phase: ClassVar[str] = ERADICATE
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        rows = sum(map(size, self.rows.values()))
        return f"take {rows} rows of {len(self.rows)} batches out of the dataset"

    def check(self, job: Job) -> None:
        """The rows must exist, and the newest version must hold some of them."""
        check_rows(job.stores, job.dataset, self.rows)
        if not cut(self.rows, held_now(job.stores, job.dataset, self.rows)):
            raise ConflictError(
                "nothing-to-excise",
                f"the newest version of {job.dataset!r} holds none of these rows",
                why="they were excised already, rolled back, or never admitted",
                fix="see `credenza blast` for the versions that hold them",
            )

    def apply(self, job: Job) -> Done:
        """One event, which becomes a version when it is recorded."""
        return excised(job, self.rows, self.says())


def excised(job: Job, rows: Mapping[str, Spans], says: str) -> Done:
    """The end of a step that takes rows out, which two people allow where rules govern."""
    event = excision(job.stores, job.dataset, rows, f"{job.reason}: {says}")
    terms = {name: value for name, value in event.document.items() if name != "at"}
    intent = sha256_hex(canonical_json(event.document))
    return Done({"intent": intent}, [event], "excise", terms)


def propose(case: Case) -> Excise | None:
    """What the newest version holds of the suspicious rows."""
    if case.wishes.measure:
        return None
    held = held_now(case.stores, case.radius.dataset, case.suspects.rows)
    rows = cut(case.suspects.rows, held)
    return Excise(rows) if rows else None


def check_rows(stores: Stores, dataset: str, rows: Mapping[str, Spans]) -> None:
    """See that every batch is of the dataset and has these rows.

    Raises:
        NotFoundError: one is not, or has not.
    """
    with stores.journal.catalog.snapshot() as index:
        records = {row.digest: row.records for row in index.find(BatchRow, dataset=dataset)}
    for batch, spans in rows.items():
        if batch not in records:
            raise NotFoundError(
                "no-such-batch",
                f"{dataset!r} has no batch {batch[:64]!r}",
                why="the plan names batches of one dataset",
                fix="run `credenza batch list`",
            )
        beyond = minus(spans, whole(records[batch]))
        if beyond:
            raise NotFoundError(
                "no-such-row",
                f"batch {batch[:16]} has no row {beyond[0][0]}",
                why=f"it has {records[batch]} rows, counted from 0",
                fix="count rows from 0",
            )

"""Measures that let a model stay when little of what it learnt from is suspicious.

Each states its bound (see ``credenza.response.bounds``) in the ledger. None takes the
suspicious rows out of the model: that is what a recovery without a measure is for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.canonical import sha256_hex
from credenza.core.errors import ConflictError, UsageError
from credenza.core.spans import size, united, within
from credenza.datasets.lineage_columns import BATCH, ROW
from credenza.gate.excision import held_now
from credenza.gate.journal import Event
from credenza.response.bounds import rows_for, share, weight_for
from credenza.response.steps.excise import check_rows, excised
from credenza.response.steps.step import ERADICATE, Done
from credenza.response.suspicion import cut
from credenza.store.rows import VersionRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.canonical import Json
    from credenza.core.spans import Spans
    from credenza.gate.stores import Stores
    from credenza.response.steps.step import Case, Job

KIND = "measure"


@dataclass(frozen=True, slots=True)
class DownWeight:
    """Suspicious rows count less from the next training on.

    Attributes:
        rows: positions by batch.
        at_most: the largest suspicious share of the weight, as a decimal.
    """

    rows: Mapping[str, Spans]
    at_most: str
    name: ClassVar[str] = "down-weight"
    phase: ClassVar[str] = ERADICATE
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return f"let suspicious rows weigh at most {self.at_most} of the training set"

    def check(self, job: Job) -> None:
        """The rows must exist and the bound be one."""
        check_rows(job.stores, job.dataset, self.rows)
        weight_for(1, 1, _bound(self.at_most))

    def apply(self, job: Job) -> Done:
        """One event with the weight of a suspicious row."""
        suspects, clean = _counts(job.stores, job.dataset, self.rows)
        weight = weight_for(suspects, clean, _bound(self.at_most))
        found = share(suspects, clean, weight)
        told: dict[str, Json] = {"weight": f"{weight:.6g}", "batches": [*sorted(self.rows)]}
        return _measured(job, self.name, suspects, clean, found, told)


@dataclass(frozen=True, slots=True)
class Cap:
    """Only so many suspicious rows stay as the bound allows; the others are excised.

    Which stay is decided by the digest of batch and position, so it is the same whoever
    asks, and nobody chose it. Blind to which of them are poison.
    """

    rows: Mapping[str, Spans]
    at_most: str
    name: ClassVar[str] = "cap"
    phase: ClassVar[str] = ERADICATE
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return f"keep suspicious rows up to {self.at_most} of the dataset, excise the others"

    def check(self, job: Job) -> None:
        """The rows must exist and the bound be one."""
        check_rows(job.stores, job.dataset, self.rows)
        rows_for(1, 1, _bound(self.at_most))

    def apply(self, job: Job) -> Done:
        """The excision of what is too much, and the bound on what stays."""
        held = cut(self.rows, held_now(job.stores, job.dataset, self.rows))
        suspects, clean = _counts(job.stores, job.dataset, self.rows)
        kept = rows_for(suspects, clean, _bound(self.at_most))
        ranked = sorted(
            (sha256_hex(f"{batch} {row}".encode()), batch, row)
            for batch, spans in held.items()
            for start, stop in spans
            for row in range(start, stop)
        )
        gone: dict[str, list[tuple[int, int]]] = {}
        for _, batch, row in ranked[kept:]:
            gone.setdefault(batch, []).append((row, row + 1))
        found = share(kept, clean)
        done = _measured(job, self.name, suspects, clean, found, {"kept": kept})
        if not gone:
            return done
        rows = {batch: united(ranges) for batch, ranges in gone.items()}
        out = excised(job, rows, self.says())
        return out._replace(
            result={**done.result, **out.result}, events=[*out.events, *done.events]
        )


@dataclass(frozen=True, slots=True)
class ExcludeSlice:
    """The model is not asked about a slice in which the suspicious rows lie.

    Attributes:
        rows: positions by batch.
        column: of the dataset.
        values: of that column, as text, on which the model is not to be asked.
        at_most: the largest suspicious share of the rows outside the slice.
    """

    rows: Mapping[str, Spans]
    column: str
    values: tuple[str, ...]
    at_most: str
    name: ClassVar[str] = "exclude-slice"
    phase: ClassVar[str] = ERADICATE
    after: ClassVar[tuple[str, ...]] = ()

    def says(self) -> str:
        """What it does."""
        return (
            f"do not ask the model where {self.column} is {', '.join(self.values[:4])}; "
            f"suspicious rows elsewhere are at most {self.at_most}"
        )

    def check(self, job: Job) -> None:
        """Rows, column and bound must be ones."""
        check_rows(job.stores, job.dataset, self.rows)
        rows_for(1, 1, _bound(self.at_most))
        schema = job.stores.datasets.schema(job.dataset)
        if schema is None or self.column not in schema.names or not self.values:
            raise UsageError(
                "no-such-slice",
                f"{job.dataset!r} has no slice by {self.column[:60]!r}",
                why=f"its columns are: {', '.join(schema.names) if schema is not None else ''}",
                fix="give --slice COLUMN VALUE",
            )

    def apply(self, job: Job) -> Done:
        """Count what lies outside, and refuse if it is too much."""
        suspects, clean = self._outside(job)
        found = share(suspects, clean)
        if found > _bound(self.at_most):
            raise ConflictError(
                "too-much-left",
                f"{found:.3g} of the rows outside the slice are suspicious",
                why=f"{suspects} of {suspects + clean}, and the plan allows {self.at_most}",
                fix="choose another slice, or recover without a measure",
            )
        told: dict[str, Json] = {"column": self.column, "values": list(self.values)}
        return _measured(job, self.name, suspects, clean, found, told)

    def _outside(self, job: Job) -> tuple[int, int]:
        """Suspicious and other rows of the newest version outside the slice."""
        suspects = clean = 0
        chosen = pa.array(self.values, pa.string())
        columns = list(dict.fromkeys([self.column, BATCH, ROW]))
        for rows in job.stores.datasets.read(job.dataset, columns=columns):
            text = rows[self.column].cast(pa.string())
            left = rows.filter(pc.invert(pc.is_in(text, value_set=chosen)))
            bad = sum(
                int(within(own[ROW].to_numpy(), spans).sum())
                for batch, spans in self.rows.items()
                for own in [left.filter(pc.equal(left[BATCH], batch))]
            )
            suspects += bad
            clean += left.num_rows - bad
        return suspects, clean


def propose_down_weight(case: Case) -> DownWeight | None:
    """Where it is wished for."""
    wishes = case.wishes
    if wishes.measure != DownWeight.name:
        return None
    return DownWeight(case.suspects.rows, f"{wishes.at_most:g}")


def propose_cap(case: Case) -> Cap | None:
    """Where it is wished for."""
    wishes = case.wishes
    return Cap(case.suspects.rows, f"{wishes.at_most:g}") if wishes.measure == Cap.name else None


def propose_exclude_slice(case: Case) -> ExcludeSlice | None:
    """Where it is wished for."""
    wishes = case.wishes
    if wishes.measure != ExcludeSlice.name:
        return None
    return ExcludeSlice(
        case.suspects.rows, wishes.slice_column, wishes.slice_values, f"{wishes.at_most:g}"
    )


def _measured(  # noqa: PLR0917 - the fields of one record
    job: Job, name: str, suspects: int, clean: int, bound: float, told: dict[str, Json]
) -> Done:
    """The event of a measure, with its bound in words."""
    sentence = (
        f"{suspects} of {suspects + clean} rows are suspicious; with {name} what is learnt from "
        f"differs by at most {bound:.3g} in total variation, so the mean of a loss between 0 "
        f"and 1 moves by at most {bound:.3g}"
    )
    document: dict[str, Json] = {
        "dataset": job.dataset,
        "recovery": job.plan,
        "measure": name,
        "bound": f"{bound:.6g}",
        "sentence": sentence,
        **told,
    }
    return Done({"bound": f"{bound:.6g}", "sentence": sentence, **told}, [Event(KIND, document)])


def _counts(stores: Stores, dataset: str, rows: Mapping[str, Spans]) -> tuple[int, int]:
    """Suspicious and other rows of the newest version."""
    held = cut(rows, held_now(stores, dataset, rows))
    with stores.journal.catalog.snapshot() as index:
        newest = index.newest(VersionRow, dataset=dataset)
    suspects = sum(map(size, held.values()))
    return suspects, (0 if newest is None else newest.rows) - suspects


def _bound(text: str) -> float:
    try:
        return float(text)
    except ValueError as wrong:
        raise UsageError(
            "bad-bound",
            f"{text[:40]!r} is no share",
            why="it is a share of the rows",
            fix="give a number between 0 and 1",
        ) from wrong

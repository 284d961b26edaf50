"""What the events of the response do to the catalog."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from credenza.core.canonical import canonical_json, strict_json
from credenza.core.spans import Spans, from_json, minus, to_json, united
from credenza.store.rows import (
    BatchRow,
    ChannelRow,
    ExcisedRow,
    IntentRow,
    RecoveryRow,
    RecoveryStepRow,
    TrainingRunRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.store.catalog import Transaction

    Document = Mapping[str, Json]

EXCISED = "excised"
"""The status of a batch of which no row is left, though some were admitted once."""


def excised_rows(row: ExcisedRow | None) -> Spans:
    """Positions of a batch that were excised."""
    return () if row is None else from_json(strict_json(row.rows.encode()))


def _excision(index: Transaction, entry: Entry, document: Document) -> None:
    dataset = str(document["dataset"])
    for batch, rows, whole in _parts(document, "parts"):
        known = excised_rows(index.get(ExcisedRow, batch))
        index.upsert(ExcisedRow(batch, dataset, _text(united([*known, *rows]))))
        _mark(index, batch, EXCISED if whole else "")
    index.upsert(IntentRow(entry.digest, dataset, entry.kind, entry.index))


def reinstate(index: Transaction, document: Document) -> None:
    """What a rollback brings back although it was excised."""
    dataset = str(document["dataset"])
    for batch, rows, _ in _parts(document, "reinstated"):
        known = excised_rows(index.get(ExcisedRow, batch))
        index.upsert(ExcisedRow(batch, dataset, _text(minus(known, rows))))
        _mark(index, batch, "admitted")


def _channel(index: Transaction, entry: Entry, document: Document) -> None:
    version, previous = document["version"], document["previous"]
    index.upsert(
        ChannelRow(
            str(document["dataset"]),
            str(document["channel"]),
            entry.index,
            None if version is None else int(cast("int", version)),
            str(document["release"]),
            None if previous is None else int(cast("int", previous)),
            str(document["reason"]),
        )
    )


def _train_run(index: Transaction, entry: Entry, document: Document) -> None:
    index.upsert(
        TrainingRunRow(
            str(document["run"]),
            str(document["model"]),
            tuple(map(str, cast("list[Json]", document["releases"]))),
            tuple(map(str, cast("list[Json]", document["bases"]))),
            entry.index,
        )
    )


def _recovery_plan(index: Transaction, entry: Entry, document: Document) -> None:
    index.upsert(RecoveryRow(str(document["plan"]), str(document["dataset"]), entry.index))


def _recovery_step(index: Transaction, entry: Entry, document: Document) -> None:
    place = int(cast("int", document["place"]))
    index.upsert(RecoveryStepRow(str(document["plan"]), place, entry.index))


def _nothing(index: Transaction, entry: Entry, document: Document) -> None:
    """The entry itself is all that the catalog keeps."""


def _parts(document: Document, key: str) -> Iterator[tuple[str, Spans, bool]]:
    for part in cast("list[dict[str, Json]]", document.get(key, [])):
        yield str(part["batch"]), from_json(part["rows"]), bool(part["whole"])


def _mark(index: Transaction, batch: str, status: str) -> None:
    row = index.get(BatchRow, batch)
    if row is not None and status:
        index.upsert(replace(row, status=status))


def _text(spans: Spans) -> str:
    return canonical_json(to_json(spans)).decode()


RESPONSE_FOLDS: Mapping[str, Callable[[Transaction, Entry, Document], None]] = {
    "excision": _excision,
    "channel": _channel,
    "train-run": _train_run,
    "recovery-plan": _recovery_plan,
    "recovery-step": _recovery_step,
    "recovery-signature": _nothing,
    "measure": _nothing,
    "declaration": _nothing,
    "rescreen": _nothing,
    "rehearsal": _nothing,
}

"""What each kind of event does to the catalog; the same fold runs live and on rebuild."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from credenza.core.errors import InternalError
from credenza.core.spans import from_json, size
from credenza.gate.fold_response import RESPONSE_FOLDS, reinstate
from credenza.store.rows import (
    BatchRow,
    EntryRow,
    HeadRow,
    IntentRow,
    ReleaseRow,
    VersionRow,
    WatchRow,
    WindowRow,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json
    from credenza.core.types import Entry
    from credenza.store.catalog import Transaction

    Document = Mapping[str, Json]

WAITING = "waiting"
SEVERAL = ", "
"""Between the incidents of a source that several hold."""
STATUS = {
    "admit": "admitted",
    "hold": "held",
    "quarantine": "quarantined",
    "reject": "rejected",
}


def fold(index: Transaction, entry: Entry, document: Document) -> None:
    """Apply one event.

    Raises:
        InternalError: the ledger holds a kind of event that this version does not know.
    """
    apply = _FOLDS.get(entry.kind)
    if apply is None:
        raise InternalError(
            "unknown-event",
            f"ledger entry {entry.index} is of the unknown kind {entry.kind!r}",
            why=f"this version knows: {', '.join(sorted(_FOLDS))}",
            fix="use the version of credenza that wrote it, or a newer one",
        )
    index.upsert(EntryRow(entry.index, entry.kind, entry.digest, entry.time_s))
    apply(index, entry, document)


def _nothing(index: Transaction, entry: Entry, document: Document) -> None:
    """The entry itself is all that the catalog keeps."""


def _submission(index: Transaction, entry: Entry, document: Document) -> None:
    row = BatchRow(
        digest=_text(document, "batch"),
        dataset=_text(document, "dataset"),
        source=_text(document, "source"),
        sequence=_number(document, "sequence"),
        window=_text(document, "window"),
        status=WAITING,
        records=_number(document, "records"),
        bytes=_number(document, "bytes"),
        submitted_index=entry.index,
    )
    index.upsert(row, HeadRow(row.dataset, row.source, row.sequence, row.digest))


def _verdict(index: Transaction, entry: Entry, document: Document) -> None:
    outcome = _text(document, "outcome")
    index.upsert(
        replace(
            _batch(index, _text(document, "batch")),
            status=STATUS[outcome],
            outcome=outcome,
            verdict_index=entry.index,
            reasons=json.dumps(document["reasons"], ensure_ascii=False, sort_keys=True),
            quarantined_rows=len(cast("list[Json]", document["quarantined_rows"])),
        )
    )


def _settlement(index: Transaction, entry: Entry, document: Document) -> None:
    dataset, window = _text(document, "dataset"), _text(document, "window")
    if not document["late"]:
        index.upsert(WindowRow(dataset, window, entry.index, _text(document, "panel")))
    judged = [_batch(index, digest) for digest in _texts(document, "batches")]
    index.upsert(*(replace(row, settled_index=entry.index) for row in judged))
    for source in _texts(document, "watch"):
        known = index.get(WatchRow, dataset, source)
        if known is None or not known.since or known.until:
            index.upsert(WatchRow(dataset, source, window))
    for source in _texts(document, "probation"):
        known = index.get(WatchRow, dataset, source)
        if known is None or not known.since or known.until:
            since = known.since if known is not None and known.since else window
            index.upsert(WatchRow(dataset, source, since, _text(document, "until")))
    if document["publish"]:
        index.upsert(IntentRow(entry.digest, dataset, entry.kind, entry.index))


def incidents_of(watch: WatchRow) -> tuple[str, ...]:
    """The open incidents for which a source is held."""
    return tuple(watch.incident.split(SEVERAL)) if watch.incident else ()


def _hold(index: Transaction, entry: Entry, document: Document) -> None:
    """Batches of these wait from now on, those that were handed in before as well."""
    day = dt.datetime.fromtimestamp(entry.time_s, tz=dt.UTC).date().isoformat()
    dataset, incident = _text(document, "dataset"), _text(document, "incident")
    for source in _texts(document, "sources"):
        known = index.get(WatchRow, dataset, source)
        before = incidents_of(known) if known is not None and known.since else ()
        held = SEVERAL.join(dict.fromkeys((*before, *([incident] if incident else []))))
        row = WatchRow(dataset, source, day, incident=held, recovery=_text(document, "recovery"))
        index.upsert(row)


def _incident(index: Transaction, entry: Entry, document: Document) -> None:  # noqa: ARG001  # one signature
    """An incident holds its sources until it is closed; of several, until all of them are."""
    if document["event"] != "closed":
        return
    closed = _text(document, "incident")
    for watch in index.find(WatchRow):
        names = incidents_of(watch)
        if closed in names:
            left = SEVERAL.join(name for name in names if name != closed)
            ended = WatchRow(watch.dataset, watch.source, "")
            index.upsert(replace(watch, incident=left) if left else ended)


def _decision(index: Transaction, entry: Entry, document: Document) -> None:
    batch = _batch(index, _text(document, "batch"))
    admitted = document["outcome"] == "admit"
    left = size(from_json(document.get("remaining", [])))
    decided = replace(
        batch,
        status="admitted" if admitted else "rejected",
        outcome=_text(document, "outcome"),
        quarantined_rows=left if admitted else batch.quarantined_rows,
        decided_index=entry.index,
    )
    if left and not admitted:  # some rows are rejected, the others wait as before
        out = left if batch.status == "admitted" else batch.quarantined_rows
        decided = replace(batch, quarantined_rows=out, decided_index=entry.index)
    index.upsert(decided)
    watch = index.get(WatchRow, batch.dataset, batch.source)
    if admitted and not left and not (watch and watch.incident):
        # A person has looked at the source: the watch ends, unless an incident holds it.
        index.upsert(WatchRow(batch.dataset, batch.source, ""))
    if document["publish"]:
        index.upsert(IntentRow(entry.digest, batch.dataset, entry.kind, entry.index))


def _reopening(index: Transaction, entry: Entry, document: Document) -> None:
    """A rejection is taken back: what it rejected waits for a person again."""
    batch = _batch(index, _text(document, "batch"))
    left = size(from_json(document["remaining"]))
    split = left < batch.records
    index.upsert(
        replace(
            batch,
            status="admitted" if split and batch.version is not None else "held",
            outcome=_text(document, "outcome"),
            quarantined_rows=left if split else 0,
            decided_index=entry.index,
        )
    )


def _rollback(index: Transaction, entry: Entry, document: Document) -> None:
    reinstate(index, document)
    index.upsert(IntentRow(entry.digest, _text(document, "dataset"), entry.kind, entry.index))


def _version(index: Transaction, entry: Entry, document: Document) -> None:  # noqa: ARG001  # one signature
    number = _number(document, "number")
    batches = tuple(_texts(document, "batches"))
    parent = document["parent"]
    index.upsert(
        VersionRow(
            dataset=_text(document, "dataset"),
            number=number,
            rows=_number(document, "rows"),
            rationale=_text(document, "rationale"),
            batches=batches,
            parent=None if parent is None else int(str(parent)),
            removed=tuple(_texts(document, "removed")) if "removed" in document else (),
            intent=_text(document, "intent"),
            excises=int("removed" in document),
        )
    )
    intent = index.get(IntentRow, _text(document, "intent"))
    if intent is not None:
        index.upsert(replace(intent, done=1))
    for digest in batches:
        row = index.get(BatchRow, digest)
        if row is not None:
            index.upsert(replace(row, version=number))


def _release(index: Transaction, entry: Entry, document: Document) -> None:  # noqa: ARG001  # one signature
    index.upsert(
        ReleaseRow(
            digest=_text(document, "release"),
            dataset=_text(document, "dataset"),
            version=_number(document, "version"),
            standing="good",
        )
    )


def _recall(index: Transaction, entry: Entry, document: Document) -> None:
    known = index.get(ReleaseRow, _text(document, "release"))
    if known is None:
        raise InternalError("lost-release", f"entry {entry.index} recalls an unknown release")
    index.upsert(replace(known, standing="recalled", reason=_text(document, "reason")))


def _batch(index: Transaction, digest: str) -> BatchRow:
    row = index.get(BatchRow, digest)
    if row is None:
        raise InternalError("lost-batch", f"an event is about the unknown batch {digest[:16]}")
    return row


def _text(document: Document, key: str) -> str:
    return str(document[key])


def _texts(document: Document, key: str) -> list[str]:
    return [str(item) for item in cast("list[Json]", document[key])]


def _number(document: Document, key: str) -> int:
    return int(cast("int", document[key]))


_FOLDS: Mapping[str, Callable[[Transaction, Entry, Document], None]] = {
    "workspace": _nothing,
    "member": _nothing,
    "charter": _nothing,
    "request": _nothing,
    "approval": _nothing,
    "act": _nothing,
    "policy": _nothing,
    "refusal": _nothing,
    "source": _nothing,
    "ring": _nothing,
    "submission": _submission,
    "verdict": _verdict,
    "settlement": _settlement,
    "decision": _decision,
    "reopening": _reopening,
    "hold": _hold,
    "incident": _incident,
    "validation": _nothing,
    "relabelling": _nothing,
    "rollback": _rollback,
    "version": _version,
    "release": _release,
    "recall": _recall,
    **RESPONSE_FOLDS,
}

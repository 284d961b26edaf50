"""What happened around an incident, in the order of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.text import quote
from credenza.store.rows import EntryRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores
    from credenza.response.incident import Incident

    Document = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Happening:
    """One ledger entry that concerns an incident.

    Attributes:
        index: of the ledger entry: `credenza log prove` proves it.
        by: who is on record for it; "the gate" where no person is.
    """

    index: int
    time_s: int
    kind: str
    by: str
    sentence: str


def timeline(stores: Stores, incident: Incident) -> tuple[Happening, ...]:
    """Every entry about the incident, its batches, its senders or its dataset's versions.

    Versions, rollbacks, releases and recalls count from the first of its batches on.

    Complexity:
        One document for each entry of those kinds, whatever the rows.
    """
    with stores.journal.catalog.snapshot() as index:
        entries = [row for kind in _TELL for row in index.find(EntryRow, kind=kind)]
    own = {moment.when.index: moment for moment in incident.moments}
    found = []
    for entry in sorted(entries, key=lambda row: row.index):
        said = _TELL[entry.kind](stores.journal.document(entry.digest), incident)
        if said:
            found.append(Happening(entry.index, entry.time_s, entry.kind, "the gate", said))
    found += [
        Happening(index, moment.when.time_s, "incident", moment.by, moment.sentence)
        for index, moment in own.items()
    ]
    ordered = sorted(found, key=lambda one: one.index)
    return tuple(_since_first_batch(ordered))


def _since_first_batch(ordered: list[Happening]) -> Iterator[Happening]:
    """Entries about the dataset as a whole only count once something of the incident came."""
    begun = False
    for one in ordered:
        begun = begun or one.kind in ("submission", "incident")
        if begun:
            yield one


def _of_batch(document: Document, incident: Incident) -> bool:
    return document["batch"] in incident.batches


def _submission(document: Document, incident: Incident) -> str:
    if not _of_batch(document, incident):
        return ""
    return (
        f"{quote(document['source'])} submitted batch {str(document['batch'])[:12]} with "
        f"{document['records']} rows"
    )


def _verdict(document: Document, incident: Incident) -> str:
    if not _of_batch(document, incident):
        return ""
    rules = {str(one["rule"]) for one in cast("list[dict[str, Json]]", document["reasons"])}
    out = len(cast("list[Json]", document["quarantined_rows"]))
    return (
        f"the gate's word on batch {str(document['batch'])[:12]}: {document['outcome']}"
        f"{f' without {out} rows' if out else ''} ({', '.join(sorted(rules)) or 'no reason'})"
    )


def _decision(document: Document, incident: Incident) -> str:
    if not _of_batch(document, incident):
        return ""
    return (
        f"a reviewer's word on batch {str(document['batch'])[:12]}: {document['outcome']}, "
        f"{quote(document['reason'], limit=200)}"
    )


def _source(document: Document, incident: Incident) -> str:
    if document["source"] not in incident.sources:
        return ""
    return f"{str(document['event']).replace('-', ' ')}: {quote(document['source'])}"


def _hold(document: Document, incident: Incident) -> str:
    held = [name for name in cast("list[Json]", document["sources"]) if name in incident.sources]
    return f"held from now on: {', '.join(map(quote, held))}" if held else ""


def _of_dataset(tell: Callable[[Document], str]) -> Callable[[Document, Incident], str]:
    return lambda document, incident: (
        tell(document) if document.get("dataset") == incident.dataset else ""
    )


def _validation(document: Document, incident: Incident) -> str:
    if not set(cast("list[str]", document["batches"])) & set(incident.batches):
        return ""
    return f"validator {document['validator']}: {document['answer']}; {document['sentence']}"


_TELL: Mapping[str, Callable[[Document, Incident], str]] = {
    "submission": _submission,
    "verdict": _verdict,
    "decision": _decision,
    "source": _source,
    "hold": _hold,
    "validation": _validation,
    "version": _of_dataset(
        lambda d: f"version {d['number']} with {d['rows']} rows: {quote(d['rationale'], limit=200)}"
    ),
    "release": _of_dataset(
        lambda d: f"release {str(d['release'])[:12]} made of version {d['version']}"
    ),
    "rollback": _of_dataset(lambda d: f"asked to go back to version {d['version']}"),
}

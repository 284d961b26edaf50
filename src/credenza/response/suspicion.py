"""Who or what is under suspicion, and which rows of which batches that is.

Each way of naming them is one function in ``NAMED_BY``; what they find is united, and then
cut to the span of time. A time span alone means everything of that span.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple, cast

from credenza.core.errors import NotFoundError, UntrustedError, UsageError
from credenza.core.keys import keyid_of
from credenza.core.spans import Spans, common, minus, spans_of, united
from credenza.gate.holdings import whole
from credenza.gate.policy_file import load_policy
from credenza.gate.questions import batch_row
from credenza.gate.registry import roster
from credenza.gate.windows import date_of
from credenza.store.rows import BatchRow, EntryRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores

    Judgement = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What somebody has reason to doubt, in one dataset.

    Attributes:
        batches: digests or their first digits.
        rows: positions by batch, likewise.
        sources: senders' names.
        keys: public keys (64 hex digits) or their ids.
        detectors: names; what their findings are about, in verdicts and re-screenings.
        since, until: ISO dates; a batch counts when its window begins in between, the
            second date excluded. "" leaves an end open.
    """

    dataset: str
    batches: tuple[str, ...] = ()
    rows: Mapping[str, Spans] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    detectors: tuple[str, ...] = ()
    since: str = ""
    until: str = ""


class Suspects(NamedTuple):
    """The rows under suspicion.

    Attributes:
        batches: the catalog's rows of the batches, in the order of the ledger.
        rows: positions by digest.
    """

    batches: tuple[BatchRow, ...]
    rows: Mapping[str, Spans]


def suspects(stores: Stores, suspicion: Suspicion) -> Suspects:
    """The batches and positions that a suspicion means.

    Raises:
        NotFoundError: the dataset, a source, a batch or a row does not exist, or no batch
            is meant.
        UsageError: nothing is named, or a date or a key is none.
    """
    _check(stores, suspicion)
    with stores.journal.catalog.snapshot() as index:
        known = index.find(BatchRow, dataset=suspicion.dataset)
    in_time = [row for row in known if _is_within(stores, row, suspicion)]
    found: dict[str, Spans] = {}
    for named in NAMED_BY:
        for digest, rows in named(stores, suspicion, in_time):
            found[digest] = united([*found.get(digest, ()), *rows])
    if _names_nobody(suspicion):
        found = {row.digest: whole(row.records) for row in in_time}
    meant = [row for row in in_time if found.get(row.digest)]
    if not meant:
        raise NotFoundError(
            "nobody-meant",
            f"no batch of {suspicion.dataset!r} is meant by this",
            why=f"{len(in_time)} of its {len(known)} batches lie in that span of time",
            fix="run `credenza batch list`",
        )
    meant.sort(key=lambda row: row.submitted_index)
    return Suspects(tuple(meant), {row.digest: found[row.digest] for row in meant})


def judgements(stores: Stores, rows: Iterable[BatchRow]) -> Iterator[tuple[str, Judgement]]:
    """Batch and document of every judgement of it: its verdict, and each re-screening."""
    wanted = {row.digest: row.verdict_index for row in rows}
    for digest, place in wanted.items():
        if place is not None:
            yield digest, stores.event(place)
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind="rescreen")
    for entry in entries:
        document = stores.journal.document(entry.digest)
        for one in cast("list[dict[str, Json]]", document["judged"]):
            if one["batch"] in wanted:
                yield str(one["batch"]), {"policy": document["policy"], **one}


def asked_detectors(stores: Stores) -> dict[str, frozenset[str]]:
    """Names of the detectors that each recorded policy asks, by its digest."""
    with stores.journal.catalog.snapshot() as index:
        entries = index.find(EntryRow, kind="policy")
    documents = [stores.journal.document(entry.digest) for entry in entries]
    return {
        str(one["digest"]): frozenset(load_policy(str(one["text"]).encode()).detectors)
        for one in documents
    }


def _by_batch(
    stores: Stores, suspicion: Suspicion, rows: Sequence[BatchRow]
) -> Iterator[tuple[str, Spans]]:
    for row in _named_batches(stores, suspicion, suspicion.batches, rows):
        yield row.digest, whole(row.records)


def _by_row(
    stores: Stores, suspicion: Suspicion, rows: Sequence[BatchRow]
) -> Iterator[tuple[str, Spans]]:
    for prefix, spans in suspicion.rows.items():
        for row in _named_batches(stores, suspicion, (prefix,), rows):
            beyond = minus(spans, whole(row.records))
            if beyond or not spans:
                raise NotFoundError(
                    "no-such-row",
                    f"batch {row.digest[:16]} has no row {beyond[0][0] if beyond else 'named'}",
                    why=f"it has {row.records} rows, counted from 0",
                    fix="count rows from 0; `credenza batch show` says how many there are",
                )
            yield row.digest, spans


def _by_source(
    stores: Stores, suspicion: Suspicion, rows: Sequence[BatchRow]
) -> Iterator[tuple[str, Spans]]:
    known = roster(stores)
    names = {known.source(name).id for name in suspicion.sources}
    for row in rows:
        if row.source in names:
            yield row.digest, whole(row.records)


def _by_key(
    stores: Stores, suspicion: Suspicion, rows: Sequence[BatchRow]
) -> Iterator[tuple[str, Spans]]:
    if not suspicion.keys:
        return
    signers = {row.digest: _signers(stores, row) for row in rows}
    known = set(roster(stores).owners).union(*signers.values())
    wanted = {name: _keyids(name) & known for name in suspicion.keys}
    for name, found in wanted.items():
        if not found:
            raise NotFoundError(
                "no-such-key",
                f"no source has or had the key {name[:70]!r}",
                why="a key is named by its 64 hex digits, or by the SHA-256 of its bytes",
                fix="run `credenza source list`",
            )
    meant = set().union(*wanted.values())
    for row in rows:
        if meant & signers[row.digest]:
            yield row.digest, whole(row.records)


def _keyids(name: str) -> set[str]:
    """What a key may be known by: its id, or itself."""
    try:
        return {name, keyid_of(name)}
    except UntrustedError:
        return {name}


def _signers(stores: Stores, row: BatchRow) -> set[str]:
    return set(map(str, cast("list[Json]", stores.submission(row)["keyids"])))


def _by_detector(
    stores: Stores, suspicion: Suspicion, rows: Sequence[BatchRow]
) -> Iterator[tuple[str, Spans]]:
    """What their findings are about; the whole batch where a finding names no rows."""
    if not suspicion.detectors:
        return
    known = set().union(*asked_detectors(stores).values())
    for name in suspicion.detectors:
        if name not in known:
            raise NotFoundError(
                "no-such-detector",
                f"no policy here ever asked a detector called {name[:60]!r}",
                why=f"they asked: {', '.join(sorted(known)) or 'none'}",
                fix="see `credenza policy show`",
            )
    records = {row.digest: row.records for row in rows}
    for digest, document in judgements(stores, rows):
        for finding in cast("list[dict[str, Json]]", document["findings"]):
            if finding["detector"] in suspicion.detectors:
                named = spans_of(cast("list[int]", finding["rows"]))
                yield digest, named or whole(records[digest])


NAMED_BY: tuple[
    Callable[[Stores, Suspicion, Sequence[BatchRow]], Iterator[tuple[str, Spans]]], ...
] = (_by_batch, _by_row, _by_source, _by_key, _by_detector)
_WHO = ("batches", "rows", "sources", "keys", "detectors")


def _names_nobody(suspicion: Suspicion) -> bool:
    return not any(getattr(suspicion, name) for name in _WHO)


def _named_batches(
    stores: Stores, suspicion: Suspicion, prefixes: Iterable[str], rows: Sequence[BatchRow]
) -> Iterator[BatchRow]:
    """Batches by their first digits: of the dataset, or refused; out of the span, left out."""
    in_time = {row.digest for row in rows}
    for prefix in prefixes:
        row = batch_row(stores, prefix)
        if row.dataset != suspicion.dataset:
            raise NotFoundError(
                "another-dataset",
                f"batch {row.digest[:16]} is of {row.dataset!r}, not of {suspicion.dataset!r}",
                why="what it reached is followed through the versions of one dataset",
                fix="look at one dataset at a time",
            )
        if row.digest in in_time:
            yield row


def _check(stores: Stores, suspicion: Suspicion) -> None:
    if not any(getattr(suspicion, one.name) for one in fields(suspicion) if one.name != "dataset"):
        raise UsageError(
            "no-suspicion",
            "nothing is under suspicion",
            why="everything that was given together means no row",
            fix="name sources, batches, rows, keys, detectors or a span of time",
        )
    for day in filter(None, (suspicion.since, suspicion.until)):
        date_of(day)
    with stores.journal.catalog.snapshot() as index:
        known = index.newest(BatchRow, dataset=suspicion.dataset)
        version = index.newest(VersionRow, dataset=suspicion.dataset)
    if known is None and version is None:
        raise NotFoundError(
            "no-such-dataset",
            f"no dataset is called {suspicion.dataset[:70]!r}",
            why="nothing was submitted for it",
            fix="run `credenza batch list` to see the datasets",
        )


def _is_within(stores: Stores, row: BatchRow, suspicion: Suspicion) -> bool:
    if not (suspicion.since or suspicion.until):
        return True
    day = _day(stores, row)
    return (suspicion.since or day) <= day and (not suspicion.until or day < suspicion.until)


def _day(stores: Stores, row: BatchRow) -> str:
    """The first day of a batch's window; of its collection where batches are judged alone."""
    try:
        return dt.date.fromisoformat(row.window).isoformat()
    except ValueError:
        return stores.manifest(row.digest).collected[0][:10]


def cut(rows: Mapping[str, Spans], held: Mapping[str, Spans]) -> dict[str, Spans]:
    """Positions in both, by batch; batches of which nothing is left are absent."""
    both = {digest: common(spans, held.get(digest, ())) for digest, spans in rows.items()}
    return {digest: spans for digest, spans in both.items() if spans}

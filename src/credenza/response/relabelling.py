"""Sheets for people to label again, without showing what the rows were labelled.

A sheet mixes the suspects with controls, trusted rows that nobody doubts, in an order that
says nothing; ids are digests with a salt. So whoever labels can tell neither what a row is
suspected of nor whose it is. What comes back is checked row by row before it counts.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.canonical import canonical_json, sha256_hex, strict_json
from credenza.core.errors import UsageError
from credenza.core.text import quote
from credenza.gate.records import to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from credenza.core.canonical import Json
    from credenza.response.case import Case

MAX_ANSWER_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a sheet, and what nobody who labels it sees.

    Attributes:
        label: what the row was labelled.
        suspect: it is under suspicion; else it is a control.
        data: its other columns, as text or numbers.
    """

    id: str
    label: str
    suspect: bool
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is given to people, with its key.

    Attributes:
        batches: digests of the batches that the suspects come from.
        items: in the order in which they are shown.
        classes: labels to choose from.
    """

    dataset: str
    label: str
    batches: tuple[str, ...]
    classes: tuple[str, ...]
    items: tuple[Item, ...]


def draw_sheet(case: Case, *, suspects: int, controls: int, salt: str, seed: int) -> Sheet:
    """At most so many suspects and controls, drawn by the seed.

    Raises:
        UsageError: the rows have no label, or there are none to draw.
    """
    if not case.label:
        raise UsageError(
            "no-label",
            f"{case.dataset!r} has no label that could be given again",
            why="its batches name no label column",
            fix="relabel a dataset that was submitted with --label",
        )
    if suspects < 1 or controls < 0:
        raise UsageError(
            "bad-sheet",
            f"{suspects} suspects and {controls} controls were asked for",
            why="a sheet asks about suspects, among controls",
            fix="ask for at least one suspect",
        )
    trusted = case.trusted().trusted if controls else case.table.slice(0, 0)
    rng = np.random.default_rng(seed)
    items = [
        *_items(case, case.table, suspects, salt, rng, suspect=True),
        *_items(case, trusted, controls, salt, rng, suspect=False),
    ]
    order = rng.permutation(len(items))
    seen = {one.label for one in items} | set(case.reference.classes if case.reference else ())
    return Sheet(
        case.dataset,
        case.label,
        tuple(row.digest for row in case.batches),
        tuple(sorted(seen)),
        tuple(items[place] for place in order),
    )


def _items(
    case: Case, table: pa.Table, most: int, salt: str, rng: np.random.Generator, *, suspect: bool
) -> Iterator[Item]:
    places = rng.choice(table.num_rows, min(most, table.num_rows), replace=False)
    chosen = table.take(pa.array(np.sort(places)))
    labels = pc.cast(chosen.column(case.label), pa.string()).to_pylist()
    rows = chosen.drop_columns([case.label]).to_pylist()
    for place, label, row in zip(np.sort(places).tolist(), labels, rows, strict=True):
        name = sha256_hex(f"{salt} {suspect} {place}".encode())[:16]
        yield Item(name, str(label), suspect, cast("Mapping[str, Json]", to_json(row)))


# ------------------------------------------------------------------ files


def sheet_bytes(sheet: Sheet) -> bytes:
    """The sheet with its key, for the content store."""
    return canonical_json(to_json(sheet))


def sheet_from(data: bytes) -> Sheet:
    """The sheet that ``sheet_bytes`` wrote."""
    found = cast("dict[str, Any]", strict_json(data, max_bytes=MAX_ANSWER_BYTES))
    return Sheet(
        found["dataset"],
        found["label"],
        tuple(found["batches"]),
        tuple(found["classes"]),
        tuple(Item(one["id"], one["label"], one["suspect"], one["data"]) for one in found["items"]),
    )


def as_jsonl(sheet: Sheet) -> str:
    """One object a line: ``id``, ``label`` to fill in, ``annotator``, and ``data``."""
    return "".join(
        json.dumps({"id": one.id, "annotator": "", "label": "", "data": one.data}) + "\n"
        for one in sheet.items
    )


def as_label_studio(sheet: Sheet) -> str:
    """Label Studio's tasks; its labelling interface needs a ``Choices`` named ``label``."""
    return json.dumps([{"data": {"id": one.id, **_prefixed(one.data)}} for one in sheet.items])


def _prefixed(data: Mapping[str, Json]) -> dict[str, Json]:
    """Columns under names of their own, so that none of them poses as the id."""
    return {f"row_{name}": value for name, value in data.items()}


FORMATS: Mapping[str, Callable[[Sheet], str]] = {
    "jsonl": as_jsonl,
    "label-studio": as_label_studio,
}


@dataclass(frozen=True, slots=True)
class Given:
    """One label that one person gave."""

    annotator: str
    id: str
    label: str


def read_answers(data: bytes) -> list[Given]:
    """Labels from a JSONL file, or from Label Studio's JSON export.

    Raises:
        UsageError: it is neither, or an entry lacks its id, annotator or label.
    """
    if len(data) > MAX_ANSWER_BYTES:
        raise _unfit(f"{len(data)} bytes, more than {MAX_ANSWER_BYTES}")
    try:
        text = data.decode("utf-8")
        if text.lstrip().startswith("["):
            return list(_of_label_studio(json.loads(text)))
        return [_given(json.loads(line)) for line in text.splitlines() if line.strip()]
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as wrong:
        raise _unfit(f"not JSON: {wrong}") from wrong
    except (KeyError, IndexError, TypeError, AttributeError) as wrong:
        raise _unfit(f"an entry lacks {quote(str(wrong))}") from wrong


def _of_label_studio(tasks: Iterable[Mapping[str, Any]]) -> Iterator[Given]:
    for task in tasks:
        for one in task["annotations"]:
            who = one["completed_by"]
            who = who.get("email", who.get("id")) if isinstance(who, dict) else who
            choice = next(r for r in one["result"] if r["type"] == "choices")
            yield _given(
                {
                    "annotator": who,
                    "id": task["data"]["id"],
                    "label": choice["value"]["choices"][0],
                }
            )


def _given(found: Mapping[str, Any]) -> Given:
    annotator, label = str(found["annotator"]).strip(), str(found["label"]).strip()
    if not annotator or not label:
        raise _unfit(f"row {quote(found['id'])} lacks its annotator or its label")
    return Given(annotator, str(found["id"]), label)


def complete(sheet: Sheet, given: Sequence[Given]) -> dict[str, list[str]]:
    """Each annotator's labels in the order of the sheet.

    Raises:
        UsageError: rows are missing, doubled or not of this sheet, or a label is unknown.
    """
    known = {one.id for one in sheet.items}
    if foreign := sorted({one.id for one in given} - known):
        raise _unfit(f"{len(foreign)} rows are not of this sheet, such as {quote(foreign[0])}")
    if strange := sorted({one.label for one in given} - set(sheet.classes)):
        raise _unfit(
            f"{quote(strange[0])} is none of the labels: {', '.join(map(quote, sheet.classes))}"
        )
    times = Counter((one.annotator, one.id) for one in given)
    if doubled := sorted(pair for pair, count in times.items() if count > 1):
        who, row = doubled[0]
        raise _unfit(f"{len(doubled)} rows are doubled, such as {quote(row)} by {quote(who)}")
    found: dict[str, dict[str, str]] = {}
    for one in given:
        found.setdefault(one.annotator, {})[one.id] = one.label
    for who, labels in sorted(found.items()):
        if missing := sorted(known - set(labels)):
            raise _unfit(f"{len(missing)} rows are missing by {quote(who)}: {quote(missing[0])} …")
    if not found:
        raise _unfit("it has no labels")
    return {who: [found[who][one.id] for one in sheet.items] for who in sorted(found)}


def _unfit(why: str) -> UsageError:
    return UsageError(
        "bad-labels",
        "the file of labels does not fit its sheet; nothing was recorded",
        why=why[:500],
        fix="every annotator labels every row of the sheet once; export it again if in doubt",
    )

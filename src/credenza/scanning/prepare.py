"""From rows as found to the view that detectors see."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.text import tick
from credenza.core.types import Finding, Role, Silence, Unit
from credenza.scanning import labels
from credenza.scanning.columns import resolve
from credenza.scanning.embeddings import equal_vectors
from credenza.scanning.images import levels, normalise
from credenza.scanning.numbers import unmixed
from credenza.scanning.trusted import with_trusted
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from credenza.core.types import Bools, View
    from credenza.scanning.columns import Asked, Columns
    from credenza.scanning.reading import Reading

UNKNOWN_SOURCE = "(no source)"
TRUSTED_SOURCE = "(trusted)"
MAX_SHOWN_UNREADABLE = 20


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """What is judged, and what was said on the way.

    Attributes:
        view: rows under test beside trusted ones; its first ``given`` rows are the input.
        given: rows of the input.
        columns: roles as resolved.
        data: the input as it was read, ``given`` rows.
        notices: what was guessed or changed, in sentences.
        silences: what can not be assessed, whatever the detectors do.
        findings: rows whose content could not even be read.
        unreadable: ``(given,)`` those rows.
    """

    view: View
    given: int
    columns: Columns
    data: pa.Table
    notices: tuple[str, ...]
    silences: tuple[Silence, ...]
    findings: tuple[Finding, ...]
    unreadable: Bools


def prepare(name: str, reading: Reading, asked: Asked, trusted: object = None) -> Prepared:
    """Resolve columns, join trusted rows, and bring every column to the form detectors read.

    Args:
        name: of the scan, for messages.
        reading: the rows as found.
        asked: what the caller says of the columns.
        trusted: None, a column, a mask, a path or a table.

    Raises:
        CredenzaError: what ``resolve``, ``with_trusted`` and the columns refuse.
    """
    joined = with_trusted(reading, trusted)
    named = {column for column, _ in asked.roles()} | joined.reading.hints.keys()
    table, strays = unmixed(joined.reading.table, named)
    columns = resolve(table, asked, joined.reading.hints)
    notices = (*joined.reading.notices, *strays, *columns.notices)
    draft = _Draft(table, _with_mark(columns.roles, joined.column, asked), joined.given, notices)
    for step in _STEPS:
        step(draft)
    view = make_view(
        name,
        draft.table,
        label=draft.named(Role.LABEL),
        source=_sources(draft.table, draft.named(Role.SOURCE), joined.given),
        trusted=joined.trusted,
        facets=draft.roles,
    )
    return Prepared(
        view,
        joined.given,
        replace(columns, roles=draft.roles),
        joined.reading.table.slice(0, joined.given),
        draft.notices,
        draft.silences,
        draft.findings,
        draft.unreadable[: joined.given],
    )


def _with_mark(roles: Mapping[str, Role], mark: str, asked: Asked) -> dict[str, Role]:
    """The roles, where the column that marks trusted rows has none.

    Raises:
        UsageError: it was asked to be the label or the source as well.
    """
    if mark and mark in (asked.label, asked.source):
        raise UsageError(
            "two-roles",
            f"{tick(mark)} cannot say what is trusted and be a label or source too",
            why="a column has one role",
            fix="leave one of the two options out",
        )
    return {**roles, mark: Role.IGNORED} if mark else dict(roles)


class _Draft:
    """A table on its way to the view; each step mends it, and says what it changed.

    Args:
        table: rows under test, then trusted ones.
        roles: of its columns.
        given: rows under test.
        notices: what was said before.
    """

    def __init__(
        self, table: pa.Table, roles: dict[str, Role], given: int, notices: tuple[str, ...]
    ) -> None:
        self.table, self.roles, self.given, self.notices = table, roles, given, notices
        self.silences: tuple[Silence, ...] = ()
        self.findings: tuple[Finding, ...] = ()
        self.unreadable: Bools = np.zeros(table.num_rows, dtype=bool)

    def of(self, role: Role) -> list[str]:
        """Columns of a role."""
        return [column for column, its in self.roles.items() if its is role]

    def named(self, role: Role) -> str:
        """The one column of a role, or ""."""
        return next(iter(self.of(role)), "")

    def put(self, name: str, column: Any) -> None:  # noqa: ANN401 - pyarrow is untyped
        """Another content of a column."""
        self.table = self.table.set_column(self.table.column_names.index(name), name, column)

    def ignore(self, names: Iterable[str]) -> None:
        """Columns that no detector is shown."""
        self.roles.update(dict.fromkeys(names, Role.IGNORED))

    def say(self, *notices: str) -> None:
        """What was changed or left out."""
        self.notices += notices


def _judge_labels(draft: _Draft) -> None:
    label = draft.named(Role.LABEL)
    if not label:
        return
    found = labels.judged(label, draft.table.column(label))
    draft.say(*found.notices)
    draft.silences += found.silences
    if found.column is None:
        draft.ignore([label])
    else:
        draft.put(label, found.column)


def _decode_images(draft: _Draft) -> None:
    for image in draft.of(Role.IMAGE):
        pictures = normalise(image, draft.table.column(image))
        draft.put(image, pictures.column)
        draft.say(*pictures.notices)
        draft.unreadable |= pictures.unreadable
        draft.findings += _unreadable_finding(image, pictures.why, draft.given)


def _level_vectors(draft: _Draft) -> None:
    for vector in draft.of(Role.EMBEDDING):
        values, said = equal_vectors(vector, draft.table.column(vector))
        draft.put(vector, values)
        draft.say(*said)


def _fit_types(draft: _Draft) -> None:
    """Columns in the types that detectors read; what has none is ignored, and named."""
    nested = [one for one in draft.of(Role.IGNORED) if levels(draft.table.column(one).type)]
    for name, role in draft.roles.items():
        fit = _FITTING.get(role)
        if fit is None:
            continue
        try:
            draft.put(name, fit(draft.table.column(name)))
        except pa.ArrowException as wrong:
            raise UsageError(
                "unfit-column",
                f"the column {tick(name)} cannot be a {role}",
                why=f"its type is {draft.table.column(name).type}: {str(wrong)[:120]}",
                fix="name another column",
            ) from wrong
    if nested:
        names = ", ".join(tick(name) for name in nested[:20])
        draft.say(f"{names} not assessed: nested values")


def _drop_empty_numbers(draft: _Draft) -> None:
    """Number columns that hold no finite number; ignored, and named."""
    empty = [
        name
        for name in draft.of(Role.NUMBER)
        if not pc.any(pc.is_finite(draft.table.column(name).cast(pa.float64(), safe=False))).as_py()
    ]
    draft.ignore(empty)
    draft.say(*(f"{tick(name)} holds no finite number and was not assessed" for name in empty))


_STEPS: tuple[Callable[[_Draft], None], ...] = (
    _judge_labels,
    _decode_images,
    _level_vectors,
    _fit_types,
    _drop_empty_numbers,
)


def _sources(table: pa.Table, column: str, given: int) -> np.ndarray[Any, Any]:
    """Source ids; all "" without a column, for then nothing is known of who sent what."""
    if not column:
        return np.full(table.num_rows, "", dtype=object)
    ids = np.full(table.num_rows, UNKNOWN_SOURCE, dtype=object)
    ids[given:] = TRUSTED_SOURCE
    texts = table.column(column).cast(pa.string()).to_pylist()
    known = np.array([text is not None for text in texts])
    ids[known] = np.array(texts, dtype=object)[known]
    return ids


def _as_text(column: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    return column.cast(pa.string())


def _as_number(column: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return column
    return column.cast(pa.float64())


def _as_time(column: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        seconds = column.cast(pa.float64())
        # Milliseconds since 1970 pass 10^11 in 1973; seconds do in the year 5138.
        scale = 1e3 if (pc.max(seconds).as_py() or 0.0) > 1e11 else 1.0
        micros = pc.round(pc.multiply(seconds, 1e6 / scale)).cast(pa.int64())
        return micros.cast(pa.timestamp("us"))
    if pa.types.is_time(column.type) or pa.types.is_duration(column.type):
        return column.cast(pa.int64()).cast(pa.timestamp("us"))
    return column.cast(pa.timestamp("us"), safe=False)


_FITTING: Mapping[Role, Any] = {
    Role.TEXT: _as_text,
    Role.NUMBER: _as_number,
    Role.RATING: _as_number,
    Role.TIME: _as_time,
}


def _unreadable_finding(image: str, why: dict[int, str], given: int) -> tuple[Finding, ...]:
    rows = tuple(row for row in sorted(why) if row < given)
    if not rows:
        return ()
    shown = {str(row): why[row] for row in rows[:MAX_SHOWN_UNREADABLE]}
    sentence = (
        f"{len(rows)} row{'s' if len(rows) != 1 else ''} of {tick(image)} could not be decoded, "
        f"the first of them, row {rows[0]}, because: {why[rows[0]]}"
    )
    exhibits: dict[str, object] = {"column": image, "rows": len(rows), "reasons": shown}
    subjects = tuple(str(row) for row in rows[:MAX_SHOWN_UNREADABLE])
    return (Finding("reading", Unit.ROW, subjects, 0.0, sentence, exhibits, rows, names_rows=True),)

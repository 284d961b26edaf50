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
    from collections.abc import Mapping

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
    roles = dict(columns.roles)
    if joined.column:
        if joined.column in (asked.label, asked.source):
            raise UsageError(
                "two-roles",
                f"{tick(joined.column)} cannot say what is trusted and be a label or source too",
            )
        roles[joined.column] = Role.IGNORED
    notices = [*joined.reading.notices, *strays, *columns.notices]
    silences: list[Silence] = []
    findings: list[Finding] = []
    unreadable = np.zeros(table.num_rows, dtype=bool)
    label = columns.named(Role.LABEL)
    if label:
        found = labels.judged(label, table.column(label))
        notices += found.notices
        silences += found.silences
        if found.column is None:
            roles[label], label = Role.IGNORED, ""
        else:
            table = _replaced(table, label, found.column)
    for image in [column for column, role in roles.items() if role is Role.IMAGE]:
        pictures = normalise(image, table.column(image))
        table = _replaced(table, image, pictures.column)
        notices += pictures.notices
        unreadable |= pictures.unreadable
        findings += _unreadable_finding(image, pictures.why, joined.given)
    for vector in [column for column, role in roles.items() if role is Role.EMBEDDING]:
        values, said = equal_vectors(vector, table.column(vector))
        table = _replaced(table, vector, values)
        notices += said
    table, said = _plain(table, roles)
    notices += _without_numbers(table, roles)
    source = _sources(table, columns.named(Role.SOURCE), joined.given)
    view = make_view(name, table, label=label, source=source, trusted=joined.trusted, facets=roles)
    return Prepared(
        view,
        joined.given,
        replace(columns, roles=roles),
        joined.reading.table.slice(0, joined.given),
        (*notices, *said),
        tuple(silences),
        tuple(findings),
        unreadable[: joined.given],
    )


def _replaced(table: pa.Table, name: str, values: Any) -> pa.Table:  # noqa: ANN401 - pyarrow is untyped
    return table.set_column(table.column_names.index(name), name, values)


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


def _plain(table: pa.Table, roles: dict[str, Role]) -> tuple[pa.Table, tuple[str, ...]]:
    """Columns in the types that detectors read; what has none is ignored, and named."""
    ignored = []
    for name, role in list(roles.items()):
        fit = _FITTING.get(role)
        if fit is None:
            if role is Role.IGNORED and levels(table.column(name).type):
                ignored.append(name)
            continue
        try:
            table = _replaced(table, name, fit(table.column(name)))
        except pa.ArrowException as wrong:
            raise UsageError(
                "unfit-column",
                f"the column {tick(name)} cannot be a {role}",
                why=f"its type is {table.column(name).type}: {str(wrong)[:120]}",
                fix="name another column",
            ) from wrong
    if not ignored:
        return table, ()
    names = ", ".join(tick(name) for name in ignored[:20])
    return table, (f"{names} not assessed: nested values",)


def _without_numbers(table: pa.Table, roles: dict[str, Role]) -> list[str]:
    """Number columns that hold none; ignored, and named."""
    empty = [
        name
        for name, role in roles.items()
        if role is Role.NUMBER
        and not pc.any(pc.is_finite(table.column(name).cast(pa.float64(), safe=False))).as_py()
    ]
    roles.update(dict.fromkeys(empty, Role.IGNORED))
    return [f"{tick(name)} holds no finite number and was not assessed" for name in empty]


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


def _unreadable_finding(image: str, why: dict[int, str], given: int) -> list[Finding]:
    rows = tuple(row for row in sorted(why) if row < given)
    if not rows:
        return []
    shown = {str(row): why[row] for row in rows[:MAX_SHOWN_UNREADABLE]}
    sentence = (
        f"{len(rows)} row{'s' if len(rows) != 1 else ''} of {tick(image)} could not be decoded, "
        f"the first of them, row {rows[0]}, because: {why[rows[0]]}"
    )
    exhibits: dict[str, object] = {"column": image, "rows": len(rows), "reasons": shown}
    subjects = tuple(str(row) for row in rows[:MAX_SHOWN_UNREADABLE])
    return [Finding("reading", Unit.ROW, subjects, 0.0, sentence, exhibits, rows, names_rows=True)]

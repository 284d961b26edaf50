"""One dataset, one shape: columns, types and label are those of its first batch.

What does not fit is refused when it is received, because a window is judged and published
as one table: a batch that could not be joined to the others would stop them all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from credenza.core.errors import UntrustedError
from credenza.core.rows import schema_digest
from credenza.core.text import tick
from credenza.datasets.lineage_columns import LINEAGE

if TYPE_CHECKING:
    from collections.abc import Callable

LINEAGE_NAMES = frozenset(LINEAGE.names)
# The dataset engine's own columns begin so, and it reads a dot as a path into a struct.
_ENGINE_NAME = re.compile(r"_row")
_NO_NAME = re.compile(r"\A\Z|[.`\x00-\x1f\x7f]")

_is = pa.types
_SCALARS: tuple[Callable[[pa.DataType], bool], ...] = (
    _is.is_boolean,
    _is.is_integer,
    _is.is_floating,
    _is.is_decimal128,
    _is.is_decimal256,
    _is.is_string,
    _is.is_large_string,
    _is.is_binary,
    _is.is_large_binary,
    _is.is_fixed_size_binary,
    _is.is_date,
    _is.is_time,
    _is.is_timestamp,
    _is.is_duration,
)
_LABELS = (
    _is.is_boolean,
    _is.is_integer,
    _is.is_floating,
    _is.is_decimal,
    _is.is_string,
    _is.is_large_string,
    _is.is_date,
)
# Types that are stored as another one which holds the same values.
_STORED: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.DataType], pa.DataType]], ...] = (
    (_is.is_string_view, lambda _: pa.string()),
    (_is.is_binary_view, lambda _: pa.binary()),
    (_is.is_decimal32, lambda kind: pa.decimal128(kind.precision, kind.scale)),
    (_is.is_decimal64, lambda kind: pa.decimal128(kind.precision, kind.scale)),
    (_is.is_list_view, lambda kind: pa.list_(kind.value_field)),
    (_is.is_large_list_view, lambda kind: pa.large_list(kind.value_field)),
)


@dataclass(frozen=True, slots=True)
class Shape:
    """The columns of a dataset with their types, in order, and its label."""

    schema: pa.Schema
    label: str


def first_shape(table: pa.Table, label: str) -> Shape:
    """The shape that a dataset gets from its first batch.

    Blind to whether that batch is what everybody else sends: a hostile first sender can
    choose the shape, and the others' refusals then say so.

    Raises:
        UntrustedError: ``reserved-column``, ``bad-column-name``, ``unfit-column``, or
            ``bad-label``.
    """
    for name in table.column_names:
        _check_name(name)
    fields = [pa.field(field.name, _stored(field.type)) for field in table.schema]
    for field in fields:
        _check_storable(field)
    if label and not _any(_LABELS, pa.schema(fields).field(label).type):
        raise UntrustedError(
            "bad-label",
            f"the label {tick(label)} cannot be learnt",
            why=f"its values are of type {table.schema.field(label).type}",
            fix="name a column of categories, texts or numbers as the label",
        )
    return Shape(pa.schema(fields), label)


def conformed(table: pa.Table, label: str, shape: Shape) -> pa.Table:
    """``table`` with the columns, order and types of ``shape``; its values do not change.

    A column without a value has no type of its own and takes the dataset's; integers may
    stand where numbers with fractions are expected.

    Raises:
        UntrustedError: ``schema-changed`` or ``label-changed``.
    """
    if label != shape.label:
        raise UntrustedError(
            "label-changed",
            f"the batch names {tick(label)} as its label",
            why=f"the label of the dataset is {tick(shape.label)} since its first batch",
            fix="name the same label, or submit to another dataset",
        )
    odd = sorted(set(table.column_names) ^ set(shape.schema.names))
    if odd:
        side = "lacks" if odd[0] in shape.schema.names else "has the new column"
        raise _changed(f"the batch {side} {tick(odd[0])}; {len(odd)} columns differ")
    columns = [_cast(table.column(field.name), field) for field in shape.schema]
    return pa.Table.from_arrays(columns, schema=shape.schema)


def _cast(column: pa.ChunkedArray, wanted: pa.Field) -> pa.ChunkedArray:
    if column.type.equals(wanted.type):
        return column
    widened = _is.is_integer(column.type) and _is.is_floating(wanted.type)
    same = schema_digest(pa.schema([pa.field("", column.type)])) == schema_digest(
        pa.schema([pa.field("", wanted.type)])
    )
    if not (widened or same or _is.is_null(column.type)):
        raise _changed(f"{tick(wanted.name)} holds {column.type}, not {wanted.type}")
    try:
        return column.cast(wanted.type)
    except pa.ArrowException as wrong:
        raise _changed(f"a value of {tick(wanted.name)} does not fit {wanted.type}") from wrong


def _changed(why: str) -> UntrustedError:
    return UntrustedError(
        "schema-changed",
        "the batch has other columns or types than the dataset",
        why=why,
        fix="send the columns of the dataset's first batch, or submit to another dataset",
    )


def _check_name(name: str) -> None:
    if name in LINEAGE_NAMES or _ENGINE_NAME.match(name):
        raise UntrustedError(
            "reserved-column",
            f"a batch brings a column called {tick(name)}",
            why=f"{', '.join(sorted(LINEAGE_NAMES))} and all that begins with _row say where "
            "a row came from, which only the gate knows",
            fix="rename the column",
        )
    if _NO_NAME.search(name):
        raise UntrustedError(
            "bad-column-name",
            f"{tick(name)} cannot name a column of a dataset",
            why="names are not empty and have no dots, backticks or control characters",
            fix="rename the column",
        )


def _check_storable(field: pa.Field) -> None:
    _check_type(field.type, field)


def _check_type(kind: pa.DataType, field: pa.Field) -> None:
    """Refuse what the dataset could not hold once it was judged."""
    if _any(_SCALARS, kind):
        return
    if _is.is_struct(kind) and kind.num_fields:
        for inner in kind:
            _check_name(inner.name)
            _check_type(inner.type, field)
    elif _is.is_list(kind) or _is.is_large_list(kind):
        _check_type(kind.value_type, field)
    elif not (_is.is_fixed_size_list(kind) and _is.is_floating(kind.value_type)):
        empty = _is.is_null(kind)
        raise UntrustedError(
            "unfit-column",
            f"the column {tick(field.name)} cannot be kept in a dataset",
            why="it has no value, so its type is unknown"
            if empty
            else f"its type is {str(field.type)[:100]}",
            fix="leave the column out until it has values"
            if empty
            else "write it as numbers, texts, times, bytes, lists or structs of these",
        )


def _stored(kind: pa.DataType) -> pa.DataType:
    for holds, stored in _STORED:
        if holds(kind):
            return stored(kind)
    return kind


def _any(tests: tuple[Callable[[pa.DataType], bool], ...], kind: pa.DataType) -> bool:
    return any(holds(kind) for holds in tests)

"""The one byte string of a row: which values are the same, and how each type is written.

The encoding of a row is ``schema digest ‖ fixed block ‖ tails``. The fixed block holds,
for every column in the order of the UTF-8 names, one byte of presence and a value of
fixed width (big-endian); a text, binary or list has its length there and its content in
its tail. What counts as the same value:

==================  ======================================================
integers            equal when their int64 (or uint64) values are
floats              equal as float64; NaN is null; -0.0 is 0.0
text, binary        equal bytes, whatever the offset width; dictionaries decoded
timestamps          equal instants, whatever the unit; with a zone, in UTC
decimals            equal unscaled values of one scale
lists, maps         equal items in order; a map is a list of key and value
structs             equal fields by name
==================  ======================================================

An integer 1, a float 1.0 and a text "1" differ, so two files agree only when they
*parse* to the same types. Blind to anything outside cells: field metadata, column order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.canonical import Json, canonical_json
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable

Bytes: TypeAlias = npt.NDArray[np.uint8]

_SCHEMA = b"credenza/schema/v1\x00"

# ------------------------------------------------------------------ types


def schema_bytes(schema: pa.Schema) -> bytes:
    """SHA-256 of the logical schema: names and classes of types, in no order.

    Raises:
        UntrustedError: two columns share a name, or a type has no row encoding.
    """
    return hashlib.sha256(_SCHEMA + canonical_json(_fields(list(schema)))).digest()


def _fields(fields: list[pa.Field]) -> Json:
    names = [field.name for field in fields]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    if twice:
        raise UntrustedError(
            "duplicate-column",
            "two columns share a name",
            why=f"{twice[0][:60]!r} occurs {names.count(twice[0])} times",
            fix="rename one of them",
        )
    return [[field.name, _class(field.type)] for field in sorted(fields, key=_utf8_name)]


def _utf8_name(field: pa.Field) -> bytes:
    return str(field.name).encode("utf-8")


def _class(kind: pa.DataType) -> Json:
    """The class of a type: types of one class can hold the same value."""
    return _kind(_plain_type(kind)).name(_plain_type(kind))


def _kind(kind: pa.DataType) -> _Kind:
    for known in _KINDS:
        if any(holds(kind) for holds in known.holds):
            return known
    raise UntrustedError(
        "no-row-encoding",
        f"a column of type {str(kind)[:60]!r} has no row encoding",
        why="a digest must mean the same everywhere, and this type's values do not",
        fix="convert the column to a number, text, time, list or struct",
    )


def _plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values themselves: ``_plain`` for types."""
    while True:
        if isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        elif pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        else:
            return kind


# ------------------------------------------------------------------ rows

# A column's part in the rows: a (n, w) block, and tails of n variable-width values each.
_Part: TypeAlias = "tuple[Bytes, list[pa.Array]]"


def encoded_rows(table: pa.Table, prefix: Bytes) -> list[bytes]:
    """Each row as bytes behind ``prefix``; memory grows with the table.

    Raises:
        UntrustedError: a value has no exact encoding.
    """
    fields = sorted(table.schema, key=_utf8_name)
    parts = [_part(_one_array(table.column(field.name))) for field in fields]
    head = np.broadcast_to(prefix, (len(table), len(prefix)))
    joined = _join([(head, []), *parts], len(table))
    rows: list[bytes] = joined.to_pylist()
    return rows


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    # Unifying dictionaries of many chunks is not always possible; decoding always is.
    return pa.concat_arrays([_plain(chunk) for chunk in column.chunks])


def _plain(array: pa.Array) -> pa.Array:
    """The values themselves: dictionaries and run-lengths decoded, extensions unwrapped."""
    while True:
        kind = array.type
        if isinstance(kind, pa.BaseExtensionType):
            array = array.storage
        elif pa.types.is_dictionary(kind):
            array = array.dictionary_decode()
        elif pa.types.is_run_end_encoded(kind):
            array = pc.run_end_decode(array)
        else:
            return array


def _join(parts: list[_Part], n: int) -> pa.Array:
    """``(n,)`` large_binary: all fixed blocks side by side, then all tails."""
    fixed = np.hstack([block for block, _ in parts]) if parts else np.empty((n, 0), np.uint8)
    width = fixed.shape[1]
    offsets = np.arange(n + 1, dtype=np.int64) * width
    blocks = _binary(offsets, pa.py_buffer(np.ascontiguousarray(fixed)))
    tails = [tail for _, more in parts for tail in more]
    if not tails:
        return blocks
    return pc.binary_join_element_wise(blocks, *tails, pa.scalar(b"", pa.large_binary()))


def _binary(offsets: npt.NDArray[np.int64], data: pa.Buffer) -> pa.Array:
    return pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets), data]
    )


def _part(array: pa.Array) -> _Part:
    array = _plain(array)
    return _kind(array.type).encode(array)


def _present(array: pa.Array) -> Bytes:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False), np.uint8)


def _fixed(array: pa.Array, values: Bytes, present: Bytes | None = None) -> Bytes:
    """Presence byte beside the ``(n, w)`` values, which are zero where there is none."""
    present = _present(array) if present is None else present
    return np.hstack([present[:, None], values * (present[:, None] != 0)])


def _big_endian(values: npt.NDArray[np.int64]) -> Bytes:
    return np.ascontiguousarray(values).astype(">i8").view(np.uint8).reshape(-1, 8)


def _numbers(array: pa.Array) -> npt.NDArray[np.int64]:
    filled = array.fill_null(0) if array.null_count else array
    return np.asarray(filled.to_numpy(zero_copy_only=False))


def _null_part(array: pa.Array) -> _Part:
    return np.zeros((len(array), 1), np.uint8), []


def _bool_part(array: pa.Array) -> _Part:
    values = _numbers(array.cast(pa.uint8())).astype(np.uint8)
    return _fixed(array, values[:, None]), []


def _int_part(array: pa.Array) -> _Part:
    values = _numbers(array)
    present = _present(array)
    if values.dtype == np.uint64:
        # Beyond int64 a second mark of presence keeps 2^64 - 1 apart from -1.
        present = present * np.where(values >= 2**63, np.uint8(2), np.uint8(1))
        values = values.view(np.int64)
    return _fixed(array, _big_endian(values.astype(np.int64)), present), []


def _float_part(array: pa.Array) -> _Part:
    values = _numbers(array.cast(pa.float64())) + 0.0  # which turns -0.0 into 0.0
    present = _present(array) * ~np.isnan(values)
    return _fixed(array, _big_endian(values.view(np.int64)), present), []


def _date_part(array: pa.Array) -> _Part:
    return _int_part(array.cast(pa.date32()).cast(pa.int32()))


def _clock_part(array: pa.Array) -> _Part:
    return _int_part(_exactly(array, pa.time64("ns")).cast(pa.int64()))


def _moment_part(array: pa.Array) -> _Part:
    """Microseconds, and the nanoseconds beyond them: any unit, no overflow for ns."""
    kind = array.type
    if kind.unit == "ns":
        nanos = _numbers(array.cast(pa.int64()))
        micros, rest = np.divmod(nanos, 1000)
    else:
        finer = pa.duration("us") if pa.types.is_duration(kind) else pa.timestamp("us", kind.tz)
        micros = _numbers(_exactly(array, finer).cast(pa.int64()))
        rest = np.zeros_like(micros)
    return _fixed(array, np.hstack([_big_endian(micros), _big_endian(rest)[:, 6:]])), []


def _exactly(array: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return array.cast(kind)
    except pa.ArrowInvalid as wrong:
        raise UntrustedError(
            "value-out-of-range",
            f"a value of type {array.type} does not fit the row encoding",
            why=f"it has no exact {kind}",
            fix="remove the impossible dates or times",
        ) from wrong


def _decimal_part(array: pa.Array) -> _Part:
    wide = array.cast(pa.decimal256(76, array.type.scale))
    data = np.frombuffer(wide.buffers()[1], np.uint8)
    values = data[wide.offset * 32 : (wide.offset + len(wide)) * 32].reshape(-1, 32)
    return _fixed(array, values[:, ::-1]), []


def _bytes_part(array: pa.Array) -> _Part:
    tail = array.cast(pa.large_binary())
    lengths = pc.binary_length(tail)
    if tail.null_count:
        tail = tail.fill_null(b"")
    return _fixed(array, _big_endian(_numbers(lengths))), [tail]


def _list_part(array: pa.Array) -> _Part:
    """The item count in the block; the items' encodings, one after another, as tail."""
    counts = _numbers(pc.list_value_length(array)).astype(np.int64)
    items = array.flatten()
    encoded = _join([_part(items)], len(items))
    _, offsets, data = encoded.buffers()
    ends = np.frombuffer(offsets, np.int64)[encoded.offset : encoded.offset + len(items) + 1]
    firsts = np.concatenate([[0], np.cumsum(counts)])
    tail = _binary(np.ascontiguousarray(ends[firsts]), data)
    return _fixed(array, _big_endian(counts)), [tail]


def _map_part(array: pa.Array) -> _Part:
    item = pa.struct([array.type.key_field, array.type.item_field])
    return _list_part(array.cast(pa.list_(item)))


def _struct_part(array: pa.Array) -> _Part:
    fields = [array.type.field(i) for i in range(array.type.num_fields)]
    # flatten() gives children that are null where the struct is.
    children = dict(zip((field.name for field in fields), array.flatten(), strict=True))
    parts = [_part(children[field.name]) for field in sorted(fields, key=_utf8_name)]
    blocks = [_present(array)[:, None], *(block for block, _ in parts)]
    return np.hstack(blocks), [tail for _, more in parts for tail in more]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Types whose values can be the same, the name of their class, and their encoding."""

    holds: tuple[Callable[[pa.DataType], bool], ...]
    name: Callable[[pa.DataType], Json]
    encode: Callable[[pa.Array], _Part]


def _called(name: str) -> Callable[[pa.DataType], Json]:
    return lambda _: name


def _moment_class(kind: pa.DataType) -> Json:
    return "instant" if kind.tz else "local-time"


def _decimal_class(kind: pa.DataType) -> Json:
    return ["decimal", kind.scale]


def _list_class(kind: pa.DataType) -> Json:
    return ["list", _class(kind.value_type)]


def _map_class(kind: pa.DataType) -> Json:
    return ["list", ["struct", _fields([kind.key_field, kind.item_field])]]


def _struct_class(kind: pa.DataType) -> Json:
    return ["struct", _fields([kind.field(i) for i in range(kind.num_fields)])]


_is = pa.types
_TEXT = (_is.is_string, _is.is_large_string, _is.is_string_view)
_BINARY = (_is.is_binary, _is.is_large_binary, _is.is_fixed_size_binary, _is.is_binary_view)
_LIST = (
    _is.is_list,
    _is.is_large_list,
    _is.is_fixed_size_list,
    _is.is_list_view,
    _is.is_large_list_view,
)
_KINDS = (
    _Kind((_is.is_null,), _called("null"), _null_part),
    _Kind((_is.is_boolean,), _called("bool"), _bool_part),
    _Kind((_is.is_integer,), _called("int"), _int_part),
    _Kind((_is.is_floating,), _called("float"), _float_part),
    _Kind((_is.is_decimal,), _decimal_class, _decimal_part),
    _Kind(_TEXT, _called("text"), _bytes_part),
    _Kind(_BINARY, _called("bytes"), _bytes_part),
    _Kind((_is.is_date,), _called("date"), _date_part),
    _Kind((_is.is_time,), _called("clock"), _clock_part),
    _Kind((_is.is_timestamp,), _moment_class, _moment_part),
    _Kind((_is.is_duration,), _called("duration"), _moment_part),
    _Kind((_is.is_map,), _map_class, _map_part),
    _Kind(_LIST, _list_class, _list_part),
    _Kind((_is.is_struct,), _struct_class, _struct_part),
)

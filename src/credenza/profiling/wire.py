"""Profiles as Arrow IPC: one schema, one row, one encoding, and nothing else is read.

Workers are a trust boundary, so what comes back is parsed as hostile: the size is bounded
first, compressed bodies (a bomb) are refused from the message's header before Arrow
unpacks them, and the schema must be ours to the letter. Never pickle.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Ints

MAX_BYTES = 256 * 2**20

_INTEGER_LIST = pa.list_(pa.field("item", pa.int64(), nullable=False))
_KEY_LIST = pa.list_(pa.field("item", pa.int32(), nullable=False))
_TEXT_LIST = pa.list_(pa.field("item", pa.string(), nullable=False))
_TYPES = {
    "rows": pa.int64(),
    "label": pa.string(),
    "source": pa.string(),
    "name": _TEXT_LIST,
    "kind": _TEXT_LIST,
    "type": _TEXT_LIST,
    "nulls": _INTEGER_LIST,
    "nans": _INTEGER_LIST,
    "low": _TEXT_LIST,
    "high": _TEXT_LIST,
    "counted": _INTEGER_LIST,
    "crossed": _INTEGER_LIST,
    "value_column": _INTEGER_LIST,
    "value": _TEXT_LIST,
    "value_rows": _INTEGER_LIST,
    "cross_column": _INTEGER_LIST,
    "cross_value": _TEXT_LIST,
    "cross_label": _TEXT_LIST,
    "cross_rows": _INTEGER_LIST,
    "bucket_keys": _KEY_LIST,
    "bucket_counts": _INTEGER_LIST,
    "register_keys": _KEY_LIST,
    "product_keys": _INTEGER_LIST,
    "product_limbs": _KEY_LIST,
}
SCHEMA = pa.schema(
    [pa.field(name, kind, nullable=False) for name, kind in _TYPES.items()],
    metadata={"credenza": "profile/1"},
)


def refused(why: str) -> UntrustedError:
    """The error for bytes that are not a profile's."""
    return UntrustedError(
        "bad-profile",
        "these bytes are not a profile",
        why=why,
        fix="profile the data again, on a machine you trust",
    )


def pack(fields: Mapping[str, object]) -> bytes:
    """One row of the schema as an Arrow IPC stream.

    Args:
        fields: value, list or int64 array by field name.
    """
    columns = [_column(kind, fields[name]) for name, kind in _TYPES.items()]
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(metadata_version=pa.ipc.MetadataVersion.V5)
    with pa.ipc.new_stream(sink, SCHEMA, options=options) as stream:
        stream.write_batch(pa.record_batch(columns, schema=SCHEMA))
    return bytes(sink.getvalue())


def unpack(data: bytes) -> dict[str, object]:
    """Fields by name: integers, strings, lists of strings, int64 arrays.

    Raises:
        UntrustedError: not one row of our schema, plain.
    """
    if len(data) > MAX_BYTES:
        raise refused(f"{len(data)} bytes, more than {MAX_BYTES}")
    try:
        _check_messages(data)
        with pa.ipc.open_stream(data) as stream:
            if not stream.schema.equals(SCHEMA, check_metadata=True):
                raise refused("the schema is not a profile's")
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, struct.error, IndexError, UnicodeDecodeError) as wrong:
        raise refused(str(wrong).splitlines()[0][:200] if str(wrong) else "unreadable") from wrong
    if table.num_rows != 1:
        raise refused(f"{table.num_rows} rows, not 1")
    return {name: _plain(table.column(name).chunk(0)) for name in _TYPES}


class Fields:
    """Unpacked fields, by type."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields: Mapping[str, Any] = fields

    def integer(self, name: str) -> int:
        """One integer."""
        return int(self._fields[name])

    def text(self, name: str) -> str:
        """One string."""
        return str(self._fields[name])

    def integers(self, name: str) -> Ints:
        """An int64 array."""
        return np.asarray(self._fields[name], dtype=np.int64)

    def texts(self, name: str) -> list[str]:
        """A list of strings."""
        return list(self._fields[name])


def _column(kind: pa.DataType, value: object) -> pa.Array:
    if not pa.types.is_list(kind):
        return pa.array([value], type=kind)
    items = pa.array(value, type=kind.value_type)
    return pa.ListArray.from_arrays(pa.array([0, len(items)], pa.int32()), items, type=kind)


def _plain(array: pa.Array) -> object:
    if array.null_count:
        raise refused("a field is missing")
    if not pa.types.is_list(array.type):
        return array[0].as_py()
    items = array.flatten()
    if items.null_count:
        raise refused("an item is missing")
    if pa.types.is_string(items.type):
        return items.to_pylist()
    return np.array(items.to_numpy(zero_copy_only=False), dtype=np.int64)


def _check_messages(data: bytes) -> None:
    """A schema, one uncompressed batch, the end: read from the framing alone."""
    at = 0
    for header_type in (1, 3):
        marker, size = struct.unpack_from("<II", data, at)
        if marker != 0xFFFFFFFF or size > len(data) - at - 8:
            raise refused("the framing of its messages is broken")
        message = data[at + 8 : at + 8 + size]
        table = struct.unpack_from("<I", message)[0]
        if message[_slot(message, table, 1)] != header_type:
            raise refused("its messages are not one schema and one batch")
        if header_type == 3:
            header = _slot(message, table, 2)
            batch = header + struct.unpack_from("<I", message, header)[0]
            if _offset(message, batch, 3):
                raise refused("its body is compressed")
        length_at = _offset(message, table, 3)
        body = struct.unpack_from("<q", message, table + length_at)[0] if length_at else 0
        if not 0 <= body <= len(data):
            raise refused("its body is longer than the bytes")
        at += 8 + size + body
    if data[at:] != struct.pack("<II", 0xFFFFFFFF, 0):
        raise refused("something follows its end")


def _offset(message: bytes, table: int, field: int) -> int:
    """Flatbuffers: a field's offset in its table, 0 when it is absent."""
    vtable = table - struct.unpack_from("<i", message, table)[0]
    size = struct.unpack_from("<H", message, vtable)[0]
    slot = 4 + 2 * field
    if vtable < 0 or slot + 2 > size:
        return 0
    return int(struct.unpack_from("<H", message, vtable + slot)[0])


def _slot(message: bytes, table: int, field: int) -> int:
    """Where a field that must be there is stored."""
    offset = _offset(message, table, field)
    if not offset:
        raise refused("a message lacks a field")
    return table + offset

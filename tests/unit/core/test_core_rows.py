from __future__ import annotations

import datetime as dt
import decimal
import hashlib
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pymerkle
import pytest

from credenza.core.errors import UntrustedError
from credenza.core.rows import (
    differing_cells,
    merkle_root,
    row_digests,
    row_root,
    schema_digest,
)

if TYPE_CHECKING:
    from collections.abc import Callable


def _mixed() -> pa.Table:
    return pa.table(
        {
            "number": pa.array([1, None, -3, 2**40], pa.int64()),
            "real": pa.array([0.5, float("nan"), -0.0, None], pa.float64()),
            "text": pa.array(["", None, "ä", "long " * 50]),
            "flag": pa.array([True, False, None, False]),
            "blob": pa.array([b"\x00", b"", None, b"ab"]),
            "price": pa.array(["1.20", None, "-3.00", "0.01"]).cast(pa.decimal128(12, 2)),
            "items": pa.array([[1, 2], None, [], [None, 4]], pa.list_(pa.int32())),
            "words": pa.array([["a", "bc"], ["abc"], None, ["", None]], pa.list_(pa.string())),
            "place": pa.array(
                [{"x": 1, "y": "p"}, None, {"x": None, "y": ""}, {"x": 2, "y": None}]
            ),
            "when": pa.array([0, 1, None, -1], pa.timestamp("us", tz="UTC")),
        }
    )


def _cell(  # noqa: PLR0911 - one plain branch per type is what makes it the slow twin
    value: Any,  # noqa: ANN401 - any cell
    kind: pa.DataType,
) -> tuple[bytes, bytes]:
    """The slow twin: fixed block and tail of one cell, by the words of the docstring."""
    if pa.types.is_struct(kind):
        parts = [
            _cell(None if value is None else value[field.name], field.type)
            for field in sorted(kind, key=lambda field: field.name.encode())
        ]
        present = b"\x00" if value is None else b"\x01"
        return present + b"".join(a for a, _ in parts), b"".join(b for _, b in parts)
    if pa.types.is_list(kind):
        tail = b"".join(b"".join(_cell(item, kind.value_type)) for item in value or [])
        return bytes([value is not None]) + struct.pack(">q", len(value or [])), tail
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        raw = value.encode() if isinstance(value, str) else value or b""
        return bytes([value is not None]) + struct.pack(">q", len(raw)), raw
    if pa.types.is_boolean(kind):
        return bytes([value is not None, bool(value)]), b""
    if pa.types.is_decimal(kind):
        unscaled = int((value or decimal.Decimal()).scaleb(kind.scale))
        return bytes([value is not None]) + unscaled.to_bytes(32, "big", signed=True), b""
    if pa.types.is_timestamp(kind):
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        micros = 0 if value is None else (value - epoch) // dt.timedelta(microseconds=1)
        return bytes([value is not None]) + struct.pack(">qh", micros, 0), b""
    if pa.types.is_floating(kind):
        absent = value is None or value != value  # noqa: PLR0124 - NaN by its definition
        return bytes([not absent]) + struct.pack(">d", 0.0 if absent else value + 0.0), b""
    return bytes([value is not None]) + struct.pack(">q", value or 0), b""


def _slow_digests(table: pa.Table) -> list[bytes]:
    fields = sorted(table.schema, key=lambda field: field.name.encode())
    prefix = b"\x00" + bytes.fromhex(schema_digest(table.schema))
    digests = []
    for row in table.to_pylist():
        cells = [_cell(row[field.name], field.type) for field in fields]
        message = prefix + b"".join(a for a, _ in cells) + b"".join(b for _, b in cells)
        digests.append(hashlib.sha256(message).digest())
    return digests


def test_the_fast_encoding_is_the_slow_one() -> None:
    table = _mixed()
    assert [bytes(row) for row in row_digests(table)] == _slow_digests(table)


def test_the_root_is_the_tree_of_rfc_6962() -> None:
    for n in (0, 1, 2, 3, 5, 8, 13):
        entries = [bytes([i]) for i in range(n)]
        oracle = pymerkle.InmemoryTree(algorithm="sha256")
        for entry in entries:
            oracle.append_entry(entry)
        leaves = np.array(
            [list(hashlib.sha256(b"\x00" + entry).digest()) for entry in entries], np.uint8
        ).reshape(-1, 32)
        assert merkle_root(leaves) == oracle.get_root().hex()


def test_the_empty_table_has_the_root_of_the_empty_tree() -> None:
    assert row_root(pa.table({"a": pa.array([], pa.int64())})) == hashlib.sha256().hexdigest()


@pytest.mark.parametrize(
    ("rewritten", "column"),
    [
        (lambda t: t.select(list(reversed(t.column_names))), "columns in another order"),
        (lambda t: pa.concat_tables([t.slice(0, 1), t.slice(1, 0), t.slice(1)]), "other chunks"),
        (lambda t: t.set_column(2, "text", t["text"].dictionary_encode()), "a dictionary"),
        (lambda t: t.set_column(2, "text", t["text"].cast(pa.large_string())), "wide offsets"),
        (lambda t: t.set_column(2, "text", t["text"].cast(pa.string_view())), "views"),
        (lambda t: t.set_column(9, "when", t["when"].cast(pa.timestamp("ns", "UTC"))), "finer"),
        (
            lambda t: t.set_column(9, "when", t["when"].cast(pa.timestamp("us", "Asia/Tokyo"))),
            "another zone",
        ),
        (
            lambda t: t.set_column(5, "price", t["price"].cast(pa.decimal256(40, 2))),
            "a wider decimal",
        ),
        (
            lambda t: t.set_column(6, "items", t["items"].cast(pa.large_list(pa.int64()))),
            "wider items",
        ),
        (lambda t: t.replace_schema_metadata({"made by": "another tool"}), "metadata"),
    ],
)
def test_threat_06_writing_the_same_rows_otherwise_keeps_the_root(
    rewritten: Callable[[pa.Table], pa.Table], column: str
) -> None:
    other = rewritten(_mixed())
    assert row_root(other) == row_root(_mixed()), column
    assert schema_digest(other.schema) == schema_digest(_mixed().schema), column


def test_threat_06_every_changed_cell_changes_the_root_and_is_located() -> None:
    before = _mixed()
    for position, name in enumerate(before.column_names):
        values = before[name].to_pylist()
        values[3] = values[0]
        changed = pa.chunked_array([pa.array(values, before[name].type)])
        after = before.set_column(position, name, changed)
        assert differing_cells(before, after) == ((3, name),)
        assert row_root(after) != row_root(before)


def test_moved_rows_change_the_root() -> None:
    table = _mixed()
    assert row_root(table.take([1, 0, 2, 3])) != row_root(table)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.table({"a": ["x"], "b": ["yz"]}), pa.table({"a": ["xy"], "b": ["z"]})),
        (pa.table({"a": [[1], [2, 3]]}), pa.table({"a": [[1, 2], [3]]})),
        (pa.table({"a": [""]}), pa.table({"a": pa.array([None], pa.string())})),
        (pa.table({"a": [0]}), pa.table({"a": pa.array([None], pa.int64())})),
        (pa.table({"a": [1]}), pa.table({"a": [1.0]})),
        (pa.table({"a": [1]}), pa.table({"a": ["1"]})),
        (pa.table({"a": ["x"]}), pa.table({"a": [b"x"]})),
        (pa.table({"a": [1]}), pa.table({"b": [1]})),
        (pa.table({"a": [1], "b": [2]}), pa.table({"a": [2], "b": [1]})),
        (pa.table({"a": pa.array([-1])}), pa.table({"a": pa.array([2**64 - 1], pa.uint64())})),
        (pa.table({"a": [[]]}), pa.table({"a": pa.array([None], pa.list_(pa.null()))})),
        (
            pa.table({"a": pa.array([{"x": None}], pa.struct([("x", pa.int64())]))}),
            pa.table({"a": pa.array([None], pa.struct([("x", pa.int64())]))}),
        ),
        (
            pa.table({"a": pa.array([0], pa.timestamp("s"))}),
            pa.table({"a": pa.array([0], pa.timestamp("s", tz="UTC"))}),
        ),
        (
            pa.table({"a": pa.array(["1.0"]).cast(pa.decimal128(3, 1))}),
            pa.table({"a": pa.array(["1.00"]).cast(pa.decimal128(3, 2))}),
        ),
    ],
)
def test_different_rows_never_share_an_encoding(one: pa.Table, other: pa.Table) -> None:
    assert row_root(one) != row_root(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.array([0.0, -0.0, float("nan")]), pa.array([-0.0, 0.0, None], pa.float64())),
        (pa.array([1, 2], pa.int8()), pa.array([1, 2], pa.uint64())),
        (pa.array([0.5, 2.0], pa.float16()), pa.array([0.5, 2.0], pa.float64())),
        (pa.array([0, 86_400_000], pa.date64()), pa.array([0, 1], pa.date32())),
        (pa.array([1], pa.time32("s")), pa.array([1_000_000_000], pa.time64("ns"))),
        (pa.array([1], pa.duration("s")), pa.array([1_000_000_000], pa.duration("ns"))),
        (pa.array([-1], pa.timestamp("ns")), pa.array([-1], pa.timestamp("ns"))),
        (
            pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int8(), 2)),
            pa.array([[1, 2], None, [3, 4]], pa.list_(pa.int64())),
        ),
        (
            pa.array([[1, 2], None, []], pa.list_view(pa.int64())),
            pa.array([[1, 2], None, []], pa.list_(pa.int64())),
        ),
        (
            pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            pa.array(
                [[{"key": "k", "value": 1}], None, []],
                pa.list_(pa.struct([("key", pa.string()), ("value", pa.int64())])),
            ),
        ),
        (pa.array([b"ab"], pa.binary(2)), pa.array([b"ab"], pa.large_binary())),
        (
            pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["a", "b"])),
            pa.array(["a", "a", "b"]),
        ),
    ],
)
def test_equal_values_have_one_encoding_whatever_their_type_is_called(
    one: pa.Array, other: pa.Array
) -> None:
    assert row_root(pa.table({"a": one})) == row_root(pa.table({"a": other}))


def test_a_slice_of_a_nested_column_has_the_digests_of_its_own_rows() -> None:
    table = _mixed()
    assert (row_digests(table.slice(1, 2)) == row_digests(table)[1:3]).all()


def test_tables_larger_than_a_chunk_have_the_same_digests_as_their_pieces() -> None:
    table = pa.table({"n": np.arange(70_000), "s": pa.array([str(i) for i in range(70_000)])})
    whole = row_digests(table)
    assert len(whole) == 70_000
    assert (whole[65_530:65_550] == row_digests(table.slice(65_530, 20))).all()


@pytest.mark.parametrize(
    ("column", "code"),
    [
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "no-row-encoding"),
        (pa.array([2**62], pa.timestamp("s")), "value-out-of-range"),
    ],
)
def test_what_has_no_single_encoding_is_refused(column: pa.Array, code: str) -> None:
    with pytest.raises(UntrustedError) as refusal:
        row_root(pa.table({"a": column}))
    assert refusal.value.code == code


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(UntrustedError) as refusal:
        row_root(table)
    assert refusal.value.code == "duplicate-column"


def test_cells_of_tables_that_cannot_be_paired_are_not_compared() -> None:
    with pytest.raises(UntrustedError, match="cannot be compared"):
        differing_cells(pa.table({"a": [1]}), pa.table({"a": [1, 2]}))

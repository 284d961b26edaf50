"""What every intake promises, for every intake in the catalog."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from credenza.core.errors import UntrustedError
from credenza.core.rows import row_root, schema_digest
from credenza.core.types import Limits
from credenza.provenance.intake.builtin import INTAKES, intake_for
from credenza.provenance.intake.limits import plain_schema
from credenza.provenance.intake.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {}


def _writes(name: str) -> Callable[[Callable[[pa.Table, Path], None]], None]:
    def add(write: Callable[[pa.Table, Path], None]) -> None:
        _WRITERS[name] = write

    return add


@_writes("parquet")
def _parquet(table: pa.Table, path: Path) -> None:
    wide = len(table.column_names) > 1000
    pq.write_table(table, path, write_statistics=not wide, use_dictionary=not wide)


@_writes("csv")
def _csv(table: pa.Table, path: Path) -> None:
    pyarrow.csv.write_csv(table, path)


@_writes("jsonl")
def _jsonl(table: pa.Table, path: Path) -> None:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.fixture(params=INTAKES.names())
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _written(kind: str, table: pa.Table, folder: Path) -> Path:
    path = folder / f"t{INTAKES.make(kind).suffixes[0]}"
    _WRITERS[kind](table, path)
    return path


def _mixed() -> pa.Table:
    return pa.table(
        {
            "n": [1, None, -3],
            "x": [0.5, None, 1e300],
            "s": ["a", "", 'ä, "quoted"'],
            "flag": [True, None, False],
            "at": pa.array([dt.datetime(2013, 1, 7, 5, 15), None, None], pa.timestamp("s")),  # noqa: DTZ001 - local time
        }
    )


def _refusal(sandbox: Sandbox, path: Path, limits: Limits) -> UntrustedError:
    with pytest.raises(UntrustedError) as refusal:
        sandbox.read([path], limits)
    assert refusal.value.why.startswith(path.name)
    assert refusal.value.fix
    return refusal.value


def test_every_intake_has_a_writer_here_and_endings_of_its_own(kind: str) -> None:
    assert kind in _WRITERS
    for suffix in INTAKES.make(kind).suffixes:
        assert intake_for(f"x{suffix.upper()}") == kind


def test_threat_06_a_table_has_one_root_in_every_format(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    found = sandbox.read([_written(kind, _mixed(), tmp_path)], Limits())
    assert schema_digest(found.schema) == schema_digest(_mixed().schema)
    assert row_root(found) == row_root(_mixed())


def test_what_is_read_has_plain_types_and_no_metadata(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    table = _mixed()
    table = table.set_column(2, "s", table["s"].dictionary_encode()).replace_schema_metadata(
        {"pandas": "{}", "note": "trust me"}
    )
    found = sandbox.read([_written(kind, table, tmp_path)], Limits())
    assert found.schema.equals(plain_schema(found.schema), check_metadata=True)
    assert found.schema.field("s").type == pa.string()


def test_reading_twice_gives_the_same_table(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    path = _written(kind, _mixed(), tmp_path)
    assert sandbox.read([path], Limits()).equals(sandbox.read([path], Limits()))


def test_threat_i1_rows_are_bounded(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    path = _written(kind, _mixed(), tmp_path)
    assert len(sandbox.read([path], Limits(rows=3))) == 3
    assert _refusal(sandbox, path, Limits(rows=2)).code == "too-many-rows"


def test_threat_i2_columns_are_bounded(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    path = _written(kind, _mixed(), tmp_path)
    assert len(sandbox.read([path], Limits(columns=5)).column_names) == 5
    assert _refusal(sandbox, path, Limits(columns=4)).code == "too-many-columns"


def test_threat_i2_a_hundred_thousand_columns_are_refused(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    names = [f"c{i}" for i in range(100_000)]
    wide = pa.Table.from_arrays([pa.nulls(1, pa.int8())] * len(names), names=names)
    refusal = _refusal(sandbox, _written(kind, wide, tmp_path), Limits())
    assert refusal.code == "too-many-columns"
    assert "100000 columns, more than 2000" in refusal.why


def test_threat_i1_decoded_bytes_are_bounded(sandbox: Sandbox, tmp_path: Path, kind: str) -> None:
    table = pa.table({"s": ["x" * 1000] * 100})
    path = _written(kind, table, tmp_path)
    assert len(sandbox.read([path], Limits(decoded_bytes=110_000))) == 100
    assert _refusal(sandbox, path, Limits(decoded_bytes=90_000)).code == "decoded-too-large"


@pytest.mark.parametrize(
    "hostile",
    [
        b"",
        b"\x00",
        b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.",  # a pickle
        b"PK\x03\x04" + bytes(60),
        b"\xff\xfe" + bytes(100),
        b"\x1b]0;owned\x07" * 9,
        bytes(range(256)) * 8,
    ],
)
def test_bytes_of_another_kind_are_refused_in_one_plain_line(
    sandbox: Sandbox, tmp_path: Path, kind: str, hostile: bytes
) -> None:
    path = tmp_path / f"t{INTAKES.make(kind).suffixes[0]}"
    path.write_bytes(hostile)
    refusal = _refusal(sandbox, path, Limits())
    assert refusal.why.isprintable()
    assert refusal.why.isascii()


def test_a_file_cut_at_any_byte_is_refused_or_shorter(
    sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    path = _written(kind, _mixed(), tmp_path)
    whole = path.read_bytes()
    for cut in range(0, len(whole) - 1, max(1, len(whole) // 15)):
        path.write_bytes(whole[:cut])
        try:
            rows = len(sandbox.read([path], Limits()))
        except UntrustedError:
            continue
        assert rows <= 3
        assert kind != "parquet", "a cut Parquet file has no footer"

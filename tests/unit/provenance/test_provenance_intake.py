from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.errors import UntrustedError
from credenza.core.types import Limits
from credenza.provenance.intake.csv import CsvIntake
from credenza.provenance.intake.jsonl import JsonlIntake
from credenza.provenance.intake.limits import plain, plain_schema, plain_table
from credenza.provenance.intake.parquet import ParquetIntake

if TYPE_CHECKING:
    from credenza.core.protocols import Intake


def _refusal(intake: Intake, path: Path, limits: Limits | None = None) -> UntrustedError:
    with pytest.raises(UntrustedError) as refusal:
        intake.read(path, limits or Limits())
    return refusal.value


# ------------------------------------------------------------------ Parquet


def test_what_is_not_parquet_says_how_it_begins(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"hour,late\n1,0\n")
    refusal = _refusal(ParquetIntake(), tmp_path / "x.parquet")
    assert (refusal.code, refusal.what) == ("not-parquet", "a file called Parquet is not Parquet")
    assert refusal.why == "it begins with b'hour' in place of b'PAR1'"


def test_a_truncated_parquet_file_is_called_truncated(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"n": list(range(100))}), path)
    path.write_bytes(path.read_bytes()[:-9])
    assert _refusal(ParquetIntake(), path).code == "truncated"


def test_threat_i1_a_footer_that_claims_more_than_the_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"n": [1]}), path)
    data = path.read_bytes()
    path.write_bytes(data[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1")
    refusal = _refusal(ParquetIntake(), path)
    assert refusal.code == "truncated"
    assert "its footer claims 2147483647 bytes" in refusal.why


def test_threat_i1_a_footer_with_any_flipped_bit_never_breaks_the_reader_otherwise(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"n": list(range(50)), "s": ["a"] * 50})
    pq.write_table(table, path, write_page_checksum=True, store_schema=False)
    data = bytearray(path.read_bytes())
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    refused = 0
    for at in range(start, len(data)):
        flipped = data.copy()
        flipped[at] ^= 1 << (at % 8)
        path.write_bytes(flipped)
        try:
            ParquetIntake().read(path, Limits(memory_bytes=2**28))
        except UntrustedError:
            refused += 1
    assert refused > 50


def test_threat_i1_a_page_that_does_not_fit_its_checksum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(
        pa.table({"n": pa.array(range(1000))}),
        path,
        write_page_checksum=True,
        use_dictionary=False,
        compression="none",
    )
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    refusal = _refusal(ParquetIntake(), path)
    assert refusal.code == "unreadable-file"
    assert "CRC" in refusal.why or "checksum" in refusal.why.lower()


def test_threat_i1_deep_nesting_is_refused_before_rows_are_read(tmp_path: Path) -> None:
    value: object = 1
    for _ in range(9):
        value = [value]
    pq.write_table(pa.table({"n": [value]}), tmp_path / "x.parquet")
    assert _refusal(ParquetIntake(), tmp_path / "x.parquet").code == "too-deep"
    assert len(ParquetIntake().read(tmp_path / "x.parquet", Limits(depth=9))) == 1


def test_threat_i1_many_nulls_are_not_free(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": pa.nulls(100_000)}), tmp_path / "x.parquet")
    refusal = _refusal(ParquetIntake(), tmp_path / "x.parquet", Limits(decoded_bytes=50_000))
    assert refusal.code == "decoded-too-large"


def test_threat_i2_an_extension_type_is_never_rebuilt(tmp_path: Path) -> None:
    values = pa.array([b"\x00" * 16, b"\x01" * 16], pa.binary(16))
    table = pa.table(
        {
            "id": pa.ExtensionArray.from_storage(pa.uuid(), values),
            "nested": pa.array([[b"x" * 16], []], pa.list_(pa.binary(16))),
        }
    )
    pq.write_table(table, tmp_path / "x.parquet")
    found = ParquetIntake().read(tmp_path / "x.parquet", Limits())
    assert found.schema.field("id").type == pa.binary(16)
    assert plain_table(table).schema.field("id").type == pa.binary(16)


def test_arrow_metadata_in_the_footer_is_dropped_on_every_level(tmp_path: Path) -> None:
    inner = pa.field("item", pa.int64(), metadata={"ARROW:extension:name": "evil"})
    schema = pa.schema(
        [pa.field("l", pa.list_(inner), metadata={"k": "v"})], metadata={"pandas": "{}"}
    )
    pq.write_table(pa.table({"l": [[1]]}).cast(schema), tmp_path / "x.parquet")
    found = ParquetIntake().read(tmp_path / "x.parquet", Limits())
    assert found.schema.equals(plain_schema(found.schema), check_metadata=True)
    assert found.schema.field("l").type.value_field.metadata is None


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    pq.write_table(table, tmp_path / "x.parquet")
    assert _refusal(ParquetIntake(), tmp_path / "x.parquet").code == "duplicate-column"


def test_an_unreadable_file_is_said_to_be_so(tmp_path: Path) -> None:
    refusal = _refusal(ParquetIntake(), tmp_path / "none.parquet")
    assert refusal.code == "unreadable-file"


# ------------------------------------------------------------------ CSV


def test_only_an_empty_cell_without_quotes_is_null(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('s,n\nNA,1\n"",\n,3\n')
    found = CsvIntake().read(tmp_path / "x.csv", Limits())
    assert found.to_pydict() == {"s": ["NA", "", None], "n": [1, None, 3]}


def test_a_line_break_within_quotes_belongs_to_the_text(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('s,n\n"two\nlines",1\n')
    assert CsvIntake().read(tmp_path / "x.csv", Limits())["s"].to_pylist() == ["two\nlines"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", "not-csv"),
        (b"\n", "not-csv"),
        (b"a\x00b\n1\n", "not-csv"),
        (b"a,\xff\n1,2\n", "unreadable-file"),
        (b"a,a\n1,2\n", "duplicate-column"),
        (b"a,b\n1\n", "unreadable-file"),
        (b"a\n" + b"1\n" * 99 + b"\xff\n", "not-csv"),
        (b'"' + b"a" * 200_000 + b'"\n1\n', "not-csv"),
    ],
)
def test_csv_without_one_meaning_is_refused(tmp_path: Path, text: bytes, code: str) -> None:
    (tmp_path / "x.csv").write_bytes(text)
    assert _refusal(CsvIntake(), tmp_path / "x.csv").code == code


def test_threat_i2_a_million_columns_are_counted_in_the_header_alone(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",".join(["c"] * 1_000_000) + "\n")
    refusal = _refusal(CsvIntake(), tmp_path / "x.csv")
    assert refusal.code == "too-many-columns"


def test_a_quoted_header_with_commas_is_one_column(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text('"' + "," * 5000 + '"\n1\n')
    assert len(CsvIntake().read(tmp_path / "x.csv", Limits()).column_names) == 1


# ------------------------------------------------------------------ JSON Lines


def test_threat_03_depth_is_bounded_before_the_parser_recurses(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"a":' + "[" * 100_000 + "]" * 100_000 + "}\n")
    assert _refusal(JsonlIntake(), tmp_path / "x.jsonl").code == "too-deep"
    (tmp_path / "y.jsonl").write_text('{"a":[[1]]}\n')
    assert len(JsonlIntake().read(tmp_path / "y.jsonl", Limits(depth=2))) == 1
    assert _refusal(JsonlIntake(), tmp_path / "y.jsonl", Limits(depth=1)).code == "too-deep"


def test_brackets_and_colons_within_texts_are_not_structure(tmp_path: Path) -> None:
    row = {"a": "[{" * 50 + '\\"' + ": " * 5000}
    (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n")
    assert JsonlIntake().read(tmp_path / "x.jsonl", Limits()).to_pylist() == [row]


def test_keys_of_nested_objects_are_not_columns(tmp_path: Path) -> None:
    row = {"a": [{"x": 1, "y": 2}] * 20}
    (tmp_path / "x.jsonl").write_text(json.dumps(row) + "\n")
    assert JsonlIntake().read(tmp_path / "x.jsonl", Limits(columns=1)).to_pylist() == [row]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "not-jsonl"),
        ("[1]\n", "not-jsonl"),
        ('{"a":1,"a":2}\n', "unreadable-file"),
        ('{"a":1}\n{"a":"x"}\n', "unreadable-file"),
        ('{"a":1}\n{"a":\n', "unreadable-file"),
        ('{"a":1}\nnot json\n', "unreadable-file"),
    ],
)
def test_threat_03_json_lines_without_one_meaning_are_refused(
    tmp_path: Path, text: str, code: str
) -> None:
    (tmp_path / "x.jsonl").write_text(text)
    assert _refusal(JsonlIntake(), tmp_path / "x.jsonl").code == code


def test_keys_that_only_many_lines_make_too_many_are_counted_too(tmp_path: Path) -> None:
    lines = "".join(json.dumps({f"k{i}": i}) + "\n" for i in range(40))
    (tmp_path / "x.jsonl").write_text(lines)
    assert _refusal(JsonlIntake(), tmp_path / "x.jsonl", Limits(columns=30)).code == (
        "too-many-columns"
    )


# ------------------------------------------------------------------ messages


def test_what_a_parser_quotes_is_shown_as_one_plain_line() -> None:
    shown = plain("bad\x1b[2J \u202e line\nbreak " + "x" * 1000)
    assert shown.startswith("bad?[2J ? line break xxx")
    assert shown.isascii()
    assert len(shown) == 300


def test_reading_in_process_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a\n1\n")
    # The first reading starts Arrow's threads, which keep descriptors of their own.
    CsvIntake().read(tmp_path / "x.csv", Limits())
    before = len(list(Path("/dev/fd").iterdir()))
    CsvIntake().read(tmp_path / "x.csv", Limits())
    assert len(list(Path("/dev/fd").iterdir())) <= before

"""Every format gives the same rows, and refuses what it must."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv, feather

from credenza import CredenzaError, NotFoundError, UntrustedError, UsageError
from credenza.core.types import Role
from credenza.scanning.inputs import read
from credenza.scanning.reading import SCAN_LIMITS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = pa.table({"x": [0.5, 1.5, 2.5], "word": ["a", "b", "c"], "y": [0, 1, 0]})

ARRAYS = [np.array(column.to_pylist()) for column in ROWS.columns]


def _jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS.to_pylist()), "utf-8")


def _stream(path: Path) -> None:
    with pa.ipc.new_stream(path, ROWS.schema) as stream:
        stream.write_table(ROWS)


def _saved_dataset(path: Path) -> None:
    path.mkdir()
    _stream(path / "data-00000-of-00001.arrow")
    state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}
    (path / "state.json").write_text(json.dumps(state), "utf-8")


def _folder(path: Path) -> None:
    path.mkdir()
    pq.write_table(ROWS.slice(0, 1), path / "a.parquet")
    pq.write_table(ROWS.slice(1), path / "b.parquet")


WRITERS: dict[str, Callable[[Path], object]] = {
    "rows.parquet": lambda path: pq.write_table(ROWS, path),
    "rows.csv": lambda path: csv.write_csv(ROWS, path),
    "rows.jsonl": _jsonl,
    "rows.arrow": _stream,
    "rows.feather": lambda path: feather.write_feather(ROWS, path),
    "rows.npz": lambda path: np.savez(path, x=ARRAYS[0], word=ARRAYS[1], y=ARRAYS[2]),
    "saved": _saved_dataset,
    "folder": _folder,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    assert read(tmp_path / name).table.to_pydict() == ROWS.to_pydict()


@pytest.mark.parametrize("name", ["rows.parquet", "rows.feather", "rows.npz", "rows.arrow"])
def test_a_truncated_file_is_refused_and_not_read_in_part(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(UntrustedError) as wrong:
        read(tmp_path / name)
    assert wrong.value.fix


@pytest.mark.parametrize("name", ["rows.parquet", "rows.csv", "rows.jsonl", "rows.arrow", "x.npz"])
def test_an_empty_file_is_an_error_that_says_what_to_do(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(CredenzaError) as wrong:
        read(tmp_path / name)
    assert wrong.value.why
    assert wrong.value.fix


def test_a_table_without_rows_is_refused(tmp_path: Path) -> None:
    pq.write_table(ROWS.slice(0, 0), tmp_path / "none.parquet")
    with pytest.raises(UsageError, match="no rows"):
        read(tmp_path / "none.parquet")


def test_a_path_that_does_not_exist_is_named() -> None:
    with pytest.raises(NotFoundError, match="nowhere"):
        read("nowhere.parquet")


def test_an_unknown_ending_lists_what_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(UsageError) as wrong:
        read(tmp_path / "model.pkl")
    assert "Parquet" in wrong.value.why
    assert "pickles are never opened" in wrong.value.fix


def test_an_archive_of_python_objects_is_refused_unopened(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.array([{"a": 1}, None], dtype=object), y=np.arange(2))
    with pytest.raises(UntrustedError, match="never unpickled") as wrong:
        read(tmp_path / "x.npz")
    assert wrong.value.code == "holds-pickles"


def test_an_archive_that_claims_more_than_it_holds_costs_no_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10**3)}
    )
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("x.npy", header.getvalue())
    with pytest.raises(UntrustedError, match="cannot be read"):
        read(tmp_path / "bomb.npz")


def test_an_archive_that_unpacks_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros((1_000, 100)))
    small = type(SCAN_LIMITS)(decoded_bytes=100_000)
    with pytest.raises(UntrustedError) as wrong:
        read(tmp_path / "x.npz", limits=small)
    assert wrong.value.code == "decoded-too-large"


def test_arrays_of_another_length_are_left_out_and_named(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "x.npz",
        x_train=np.zeros((9, 8, 8), np.uint8),
        y_train=np.arange(9),
        x_test=np.zeros((4, 8, 8), np.uint8),
        y_test=np.arange(4),
    )
    found = read(tmp_path / "x.npz")
    assert found.table.column_names == ["x_train", "y_train"]
    assert found.hints == {"x_train": Role.IMAGE}
    assert "`x_test`, `y_test` left out" in found.notices[0]


def test_a_saved_dataset_shows_class_names_and_reads_its_train_split(tmp_path: Path) -> None:
    root = tmp_path / "hub"
    root.mkdir()
    (root / "dataset_dict.json").write_text('{"splits": ["test", "train"]}', "utf-8")
    _saved_dataset(root / "train")
    info = {"features": {"y": {"_type": "ClassLabel", "names": ["no", "yes"]}}}
    (root / "train" / "dataset_info.json").write_text(json.dumps(info), "utf-8")
    found = read(root)
    assert found.table.column("y").to_pylist() == ["no", "yes", "no"]
    assert found.hints == {"y": Role.LABEL}
    assert '"train" was read, not "test"' in found.notices[0]


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "a\\b", ".hidden", "", None])
def test_a_saved_dataset_opens_no_file_outside_its_folder(name: object, tmp_path: Path) -> None:
    _saved_dataset(tmp_path / "hub")
    _stream(tmp_path / "secret.arrow")
    state = {"_data_files": [{"filename": name}]}
    (tmp_path / "hub" / "state.json").write_text(json.dumps(state), "utf-8")
    with pytest.raises(UntrustedError) as wrong:
        read(tmp_path / "hub")
    assert wrong.value.code == "bad-dataset"


def test_tensors_keep_their_shape_in_arrow_files(tmp_path: Path) -> None:
    kind = pa.fixed_shape_tensor(pa.uint8(), [2, 3])
    storage = pa.FixedSizeListArray.from_arrays(pa.array(range(12), pa.uint8()), 6)
    table = pa.table({"image": pa.ExtensionArray.from_storage(kind, storage)})
    with pa.ipc.new_file(tmp_path / "t.arrow", table.schema) as file:
        file.write_table(table)
    assert read(tmp_path / "t.arrow").table.column("image").type == kind


def test_a_link_that_the_caller_names_is_followed(tmp_path: Path) -> None:
    WRITERS["rows.parquet"](tmp_path / "real.parquet")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real.parquet")
    assert read(tmp_path / "link.parquet").table.num_rows == 3

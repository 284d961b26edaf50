"""What a researcher has in hand: frames, arrays, pairs, datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from credenza import UsageError
from credenza.core.types import Role
from credenza.scanning.inputs import read

COLUMNS = {"x": [0.5, 1.5], "word": ["a", "b"]}


class FakeDataset:
    """Offers what a Hugging Face dataset offers."""

    features: dict[str, object] = {}  # noqa: RUF012 - as theirs

    def __init__(self) -> None:
        self.form = ""

    def with_format(self, form: str) -> FakeDataset:
        self.form = form
        return self

    def __getitem__(self, rows: slice) -> pa.Table:
        assert self.form == "arrow"
        return pa.table(COLUMNS)[rows]


def test_arrow_in_every_shape_is_taken() -> None:
    table = pa.table(COLUMNS)
    for data in (table, table.to_batches()[0], table.to_reader()):
        assert read(data).table.to_pydict() == COLUMNS


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames_are_taken(library: str) -> None:
    frames: Any = pytest.importorskip(library)
    assert read(frames.DataFrame(COLUMNS)).table.to_pydict() == COLUMNS


def test_a_hugging_face_dataset_is_taken_by_what_it_offers() -> None:
    assert read(FakeDataset()).table.to_pydict() == COLUMNS


def test_a_dict_of_lists_is_a_table() -> None:
    assert read(COLUMNS).table.to_pydict() == COLUMNS


def test_a_column_of_mixed_types_is_read_as_text_and_that_is_said() -> None:
    found = read({"mixed": ["a", 1, None, 2.5], "x": [1, 2, 3, 4]})
    assert found.table.column("mixed").to_pylist() == ["a", "1", None, "2.5"]
    assert found.notices == ("`mixed` mixes types, so its values were read as text",)


def test_a_pair_of_images_and_labels_is_taken() -> None:
    found = read((np.zeros((5, 8, 9, 3), np.uint8), np.arange(5)))
    assert found.table.column("x").type == pa.fixed_shape_tensor(pa.uint8(), [8, 9, 3])
    assert found.table.column("y").to_pylist() == [0, 1, 2, 3, 4]
    assert found.hints == {"x": Role.IMAGE}


def test_a_narrow_matrix_is_columns_and_a_wide_one_an_embedding() -> None:
    rng = np.random.default_rng(0)
    assert read(rng.normal(size=(5, 3))).table.column_names == ["x0", "x1", "x2"]
    wide = read(rng.normal(size=(5, 100)))
    assert wide.hints == {"x": Role.EMBEDDING}
    assert "was read as an embedding" in wide.notices[0]


def test_float_images_with_channels_first_become_bytes_with_channels_last() -> None:
    images = np.zeros((4, 3, 10, 12), np.float32)
    images[:, 1] = 1.0
    column = read({"image": images}).table.column("image")
    assert column.type == pa.fixed_shape_tensor(pa.uint8(), [10, 12, 3])
    pixels = column.chunk(0).to_numpy_ndarray()
    assert (pixels[..., 1] == 255).all()
    assert not pixels[..., 0].any()


@pytest.mark.parametrize(
    "data",
    [3.5, None, np.zeros((2, 3), complex), {"x": np.zeros((2, 2, 2, 2, 2))}],
    ids=["a number", "nothing", "complex", "five axes"],
)
def test_what_makes_no_rows_is_refused_with_its_shape(data: object) -> None:
    with pytest.raises(UsageError) as wrong:
        read(data)
    assert wrong.value.why


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(UsageError, match="differ in length"):
        read({"a": [1, 2, 3], "b": ["x"]})


def test_two_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="share a name"):
        read(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]))

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from credenza import UsageError, scan
from credenza.core.types import Role
from credenza.scanning.images import looks_like_images, normalise
from credenza.scanning.inputs import read

if TYPE_CHECKING:
    from pathlib import Path

Image = pytest.importorskip("PIL.Image")


def encoded(pixels: Any, form: str = "PNG") -> bytes:  # noqa: ANN401 - any array
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(file, form)
    return file.getvalue()


def bomb(side: int = 60_000) -> bytes:
    """A PNG of a few hundred bytes that claims 3.6 gigapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    data = zlib.compress(b"\0" * 1_000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def column(values: list[Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values)])


def pixels_of(values: list[Any]) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = normalise("image", column(values)).column.to_numpy_ndarray()
    return found


def test_png_bytes_structs_and_nested_lists_give_the_same_pixels() -> None:
    picture = np.arange(64, dtype=np.uint8).reshape(8, 8) * 3
    struct_value = {"bytes": encoded(picture), "path": None}
    for value in (encoded(picture), struct_value, picture.tolist()):
        assert (pixels_of([value, value])[1] == picture).all()


def test_jpeg_in_colour_is_read_in_three_channels() -> None:
    picture = np.full((16, 16, 3), (200, 30, 30), np.uint8)
    found = pixels_of([encoded(picture, "JPEG")])
    assert found.shape == (1, 16, 16, 3)
    assert np.abs(found[0].astype(int) - picture).max() < 12


def test_images_of_mixed_size_take_the_most_frequent_one_and_say_so() -> None:
    small, large = encoded(np.zeros((8, 8))), encoded(np.zeros((20, 10)))
    found = normalise("image", column([small, small, large]))
    assert found.column.type.shape == [8, 8]
    assert (
        "1 of 3 images of `image` had another size than the most frequent one, 8 x 8"
        in (found.notices[0])
    )


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (bomb(), "too many"),
        (b"not an image", "no PNG or JPEG"),
        (encoded(np.random.default_rng(0).integers(0, 255, (32, 32)))[:300], "truncated"),
        (b"GIF89a" + bytes(100), "no PNG or JPEG"),
        (None, "missing"),
    ],
    ids=["bomb", "text", "truncated", "gif", "missing"],
)
def test_an_unreadable_image_is_one_row_with_its_reason(bad: bytes | None, why: str) -> None:
    good = encoded(np.zeros((32, 32)))
    found = normalise("image", column([good, bad, good]))
    assert found.unreadable.tolist() == [False, True, False]
    assert why in found.why[1] or "exceeds limit" in found.why[1]


def test_a_column_without_any_image_is_refused() -> None:
    with pytest.raises(UsageError, match="no row of `image` holds an image"):
        normalise("image", column([b"a", b"b"]))


def test_paths_are_not_followed() -> None:
    with pytest.raises(UsageError) as wrong:
        normalise("image", column(["photo.png"]))
    assert "paths are not followed" in wrong.value.fix


def test_bytes_are_taken_for_images_only_when_they_begin_like_one() -> None:
    assert looks_like_images(column([None, encoded(np.zeros((4, 4)))]))
    assert not looks_like_images(column([b"\x00\x01"]))
    assert not looks_like_images(column([[0.5, 0.5]]))


def test_a_folder_of_images_has_its_subfolders_for_labels(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        for place in range(2):
            (tmp_path / label / f"{place}.png").write_bytes(encoded(np.zeros((9, 9))))
    (tmp_path / "cat" / "notes.txt").write_text("hello", "utf-8")
    (tmp_path / "dog" / "link.png").symlink_to(tmp_path / "cat" / "0.png")
    found = read(tmp_path)
    assert found.table.column("label").to_pylist() == ["cat", "cat", "dog", "dog"]
    assert found.table.column("file").to_pylist()[3] == "dog/1.png"
    assert found.hints["image"] is Role.IMAGE
    assert "2 files that are no PNG or JPEG images, or links, were left" in found.notices


def test_a_scan_flags_rows_whose_image_cannot_be_decoded_and_scores_them_not() -> None:
    rng = np.random.default_rng(0)
    images: list[bytes] = [encoded(rng.integers(0, 255, (12, 12))) for _ in range(60)]
    images[17] = bomb()
    result = scan({"image": images, "label": [place % 2 for place in range(60)]})
    row = result.rows.to_pylist()[17]
    assert row["flagged"]
    assert row["score"] is None
    assert "could not be decoded" in row["reasons"][0]
    assert result.findings[0].rows == (17,)
    assert result.suspect().num_rows >= 1

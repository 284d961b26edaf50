"""Pictures as arrays: pixels, where they stand out, and what makes two of them alike."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.types import Role
from credenza.screening.features.table import columns_of, mix
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Bools, Ints, View

    Pixels = npt.NDArray[np.uint8]
    Singles = npt.NDArray[np.float32]

MIN_SIDE = 4
BLOCK_BYTES = 2**26
TWIN_CELLS = 8
TWIN_LEVELS = 16


@dataclass(frozen=True, eq=False)  # without slots, so that its contrast is counted once
class Images:
    """A column of pictures of one size.

    Attributes:
        column: the column's name.
        pixels: ``(n, h, w, c)`` uint8; black where a picture is missing.
        present: ``(n,)`` whether the row has a picture.
    """

    column: str
    pixels: Pixels
    present: Bools

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels."""
        _, height, width, channels = self.pixels.shape
        return height, width, channels

    def blocks(self) -> Iterator[slice]:
        """Rows in blocks of about 64 MiB as float32, so that memory does not grow with ``n``."""
        n = len(self.pixels)
        step = max(1, BLOCK_BYTES // (4 * max(1, int(np.prod(self.shape)))))
        yield from (slice(start, min(n, start + step)) for start in range(0, n, step))

    @cached_property
    def contrast(self) -> float:
        """Range of brightness in use, in [1, 255]: between the .1 and 99.9 % of the pixels."""
        blocks = (np.bincount(self.pixels[rows].ravel(), minlength=256) for rows in self.blocks())
        counts = sum(blocks, np.zeros(256, np.int64)).cumsum()
        if counts[-1] == 0:
            return 255.0
        low, high = np.searchsorted(counts, [0.001 * counts[-1], 0.999 * counts[-1]])
        return float(max(1, high - low))


def images_of(view: View) -> list[Images]:
    """The image columns of a view.

    Raises:
        UnassessedError: there is none, or the pictures are smaller than 4 pixels a side.
    """
    found = [_read(view, column) for column in columns_of(view, Role.IMAGE)]
    if not found:
        raise UnassessedError("the rows have no image")
    for images in found:
        if min(images.shape[:2]) < MIN_SIDE:
            size = " x ".join(map(str, images.shape[:2]))
            raise UnassessedError(f"pictures of {size} pixels have no room for a pattern")
    return found


def grid(images: Images, cells: int) -> tuple[int, int]:
    """Rows and columns of a grid of about ``cells`` x ``cells``."""
    height, width, _ = images.shape
    return len(_edges(height, cells)), len(_edges(width, cells))


def coarse(images: Images, cells: int) -> Singles:
    """``(n, cells * cells * c)`` means over a grid of about ``cells`` x ``cells``, in [0, 1]."""
    height, width, channels = images.shape
    rows, columns = _edges(height, cells), _edges(width, cells)
    made = np.empty((len(images.pixels), len(rows) * len(columns) * channels), np.float32)
    area = np.outer(np.diff([*rows, height]), np.diff([*columns, width]))[None, :, :, None]
    for block in images.blocks():
        part = images.pixels[block].astype(np.float32)
        sums = np.add.reduceat(np.add.reduceat(part, rows, axis=1), columns, axis=2)
        made[block] = (sums / (255.0 * area)).reshape(len(part), -1)
    return made


def twins(images: Images) -> Ints:
    """``(n,)`` 64-bit hash that copies and nearly equal pictures share.

    Means of an 8 x 8 grid in 16 levels: what was pasted onto different pictures leaves
    them different, so that carriers of a patch are counted by distinct picture.
    """
    levels = (coarse(images, TWIN_CELLS) * (TWIN_LEVELS - 1e-3)).astype(np.int64)
    return _hash(levels)


def surroundings(images: Images, top: int, left: int, size: tuple[int, int]) -> Singles:
    """``(n, d)`` the 8 x 8 grid without the cells that a box touches."""
    return coarse(images, TWIN_CELLS)[:, untouched(images, top, left, size)]


def untouched(images: Images, top: int, left: int, size: tuple[int, int]) -> Bools:
    """Which values of the 8 x 8 grid a box leaves alone."""
    height, width, channels = images.shape
    rows, columns = _edges(height, TWIN_CELLS), _edges(width, TWIN_CELLS)
    down, across = np.r_[rows[1:], height], np.r_[columns[1:], width]
    touched_down = (rows < top + size[0]) & (down > top)
    touched_across = (columns < left + size[1]) & (across > left)
    return np.repeat(~np.outer(touched_down, touched_across).ravel(), channels)


def content_hash(images: Images) -> Ints:
    """``(n,)`` 64-bit hash of the pixels, the same wherever the row stands."""
    found = np.empty(len(images.pixels), np.int64)
    weights = mix(np.arange(int(np.prod(images.shape)), dtype=np.int64), 31) | 1
    for block in images.blocks():
        part = images.pixels[block].reshape(block.stop - block.start, -1)
        with np.errstate(over="ignore"):
            # In halves of rows, because the product of integers makes int64 of each pixel.
            found[block] = [int(np.dot(row.astype(np.int64), weights)) for row in part]
    return mix(found, 32)


def principal(matrix: Singles, dimensions: int) -> Singles:
    """``(n, d)`` scores on the leading principal components, in the matrix's own units.

    Signs are fixed by the largest loading, so that nothing depends on the solver.
    """
    centred = matrix - matrix.mean(axis=0)
    gram = np.asarray(centred.T @ centred, dtype=np.float64)
    _, vectors = np.linalg.eigh(gram)
    leading = vectors[:, ::-1][:, :dimensions]
    largest = np.abs(leading).argmax(axis=0)
    signs = np.sign(leading[largest, np.arange(leading.shape[1])])
    return np.asarray(centred @ (leading * signs).astype(np.float32), dtype=np.float32)


def _read(view: View, column: str) -> Images:
    whole: Any = view.table.column(column).combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if not isinstance(whole.type, pa.FixedShapeTensorType):
        raise UnassessedError(f"a column of type {whole.type} holds no pictures of one size")
    shape = tuple(whole.type.shape)
    n = len(whole)
    present = ~np.asarray(whole.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    if present.all():
        flat = whole.storage.flatten().to_numpy(zero_copy_only=False)
        pixels = np.asarray(flat, dtype=np.uint8).reshape(n, *shape)
    else:
        pixels = np.zeros((n, *shape), np.uint8)
        flat = whole.drop_null().storage.flatten().to_numpy(zero_copy_only=False)
        pixels[present] = np.asarray(flat, dtype=np.uint8).reshape(-1, *shape)
    return Images(column, pixels if pixels.ndim == 4 else pixels[..., None], present)


def _edges(length: int, cells: int) -> Ints:
    return np.unique(np.linspace(0, length, min(cells, length) + 1).astype(np.int64)[:-1])


def _hash(levels: Ints) -> Ints:
    weights = mix(np.arange(levels.shape[1], dtype=np.int64), 33) | 1
    with np.errstate(over="ignore"):
        return mix((levels * weights).sum(axis=1), 34)


def describe_place(row: int, column: int, size: tuple[int, int], shape: tuple[int, ...]) -> str:
    """Where a box lies in a picture, in words: "row 24, column 24 (lower right)"."""
    down = (row + size[0] / 2) / shape[0]
    across = (column + size[1] / 2) / shape[1]
    vertical = "upper" if down < 1 / 3 else "lower" if down > 2 / 3 else ""
    horizontal = "left" if across < 1 / 3 else "right" if across > 2 / 3 else ""
    words = " ".join(word for word in (vertical, horizontal) if word) or "centre"
    return f"row {row}, column {column} ({words})"

"""NumPy arrays as columns: images, embeddings, numbers, texts."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.errors import UsageError
from credenza.core.text import tick
from credenza.core.types import Role
from credenza.scanning.reading import Reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A matrix wider than this is a learnt representation rather than a table.
MAX_TABLE_COLUMNS = 64
MIN_IMAGE_SIDE = 8


def from_arrays(arrays: Mapping[str, np.ndarray[Any, Any]]) -> Reading:
    """Arrays that share their first axis, as a table.

    uint8 of shape (n, h, w[, c]) are images; a float matrix is numbers by column up to
    64 columns, and an embedding beyond. Where lengths differ (``x_train`` beside
    ``x_test``) the longest arrays make the rows, and the notice says which were left.

    Args:
        arrays: by name; one axis and more each.

    Returns:
        The reading; image and embedding columns have their roles as hints.

    Raises:
        UsageError: ``no-rows``, or ``unfit-array`` for a shape that no column has.
    """
    usable = {name: array for name, array in arrays.items() if array.ndim > 0}
    if not usable:
        raise UsageError(
            "no-rows",
            "there are no arrays with rows",
            why="each array's first dimension is its rows, at least one",
            fix="save X and y with `numpy.savez`",
        )
    lengths = Counter(len(array) for array in usable.values())
    most = max(lengths, key=lambda length: (lengths[length], length))
    kept = {name: array for name, array in usable.items() if len(array) == most}
    notices = []
    left = sorted(arrays.keys() - kept.keys())
    if left:
        names = ", ".join(tick(name) for name in left)
        notices.append(f"{names} left out: not {most} long as the others are")
    columns: dict[str, Any] = {}
    hints: dict[str, Role] = {}
    for name, array in kept.items():
        for column, values, role in _columns(name, array, notices):
            columns[column] = values
            if role is not None:
                hints[column] = role
    return Reading(pa.table(columns), hints, tuple(notices))


def tensor(images: np.ndarray[Any, Any]) -> pa.Array:
    """``(n, h, w[, c])`` uint8 as a column of tensors."""
    flat = pa.array(np.ascontiguousarray(images).reshape(-1))
    shape = images.shape[1:]
    storage = pa.FixedSizeListArray.from_arrays(flat, math.prod(shape))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), shape), storage)


def vectors(matrix: np.ndarray[Any, Any]) -> pa.Array:
    """``(n, d)`` as a column of float32 vectors."""
    flat = pa.array(np.ascontiguousarray(matrix, dtype=np.float32).reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, matrix.shape[1])


def as_pixels(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """``(n, h, w[, c])`` uint8 of images in any numeric type and either order of axes.

    Floats in [0, 1] are scaled to 255, other values are stretched from their least to
    their greatest; channels that stand first are put last.
    """
    if images.ndim == 4 and images.shape[1] in (1, 3, 4) and images.shape[3] not in (1, 3, 4):
        images = np.moveaxis(images, 1, 3)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    if images.dtype == np.uint8 or images.size == 0:
        return images.astype(np.uint8)
    values = np.nan_to_num(images.astype(np.float32), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= 0 and high <= 255:
        low, high = 0.0, 255.0
    return np.asarray(np.rint((values - low) / max(high - low, 1e-9) * 255), dtype=np.uint8)


def _columns(
    name: str, array: np.ndarray[Any, Any], notices: list[str]
) -> Iterator[tuple[str, Any, Role | None]]:
    """The columns that one array makes, with the roles its shape says."""
    if array.dtype.kind not in "biufSUM":
        raise _unfit(name, array)
    shape = array.shape[1:]
    if array.ndim == 2 and shape[0] == 1:
        array, shape = array[:, 0], ()
    if array.ndim == 1:
        yield name, _values(array), None
        return
    if array.dtype.kind not in "biuf" or 0 in shape or array.ndim > 4:
        raise _unfit(name, array)
    side = math.isqrt(shape[0])
    if array.dtype == np.uint8 and shape == (side * side,) and side >= MIN_IMAGE_SIDE:
        notices.append(f"{tick(name)} was read as images of {side} x {side} pixels")
        array = array.reshape(-1, side, side)
    if array.ndim > 2:
        if array.dtype != np.uint8:
            notices.append(f"{tick(name)} was scaled from {array.dtype} to 8 bits a pixel")
        yield name, tensor(as_pixels(array)), Role.IMAGE
    elif shape[0] <= MAX_TABLE_COLUMNS:
        for place in range(shape[0]):
            yield f"{name}{place}", _values(array[:, place]), None
    else:
        notices.append(f"{tick(name)}, {shape[0]} columns wide, was read as an embedding")
        yield name, vectors(array), Role.EMBEDDING


def _values(array: np.ndarray[Any, Any]) -> pa.Array:
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8", "replace")
    return pa.array(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))


def _unfit(name: str, array: np.ndarray[Any, Any]) -> UsageError:
    return UsageError(
        "unfit-array",
        f"the array {tick(name)} makes no column",
        why=f"its type is {array.dtype} and its shape {array.shape}",
        fix="give numbers or texts of shape (n,), a matrix (n, d), or images (n, h, w[, c])",
    )

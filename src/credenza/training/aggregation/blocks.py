"""Blocks of coordinates, laid out so that a processor's caches hold what is worked on.

Updates are long and few. Read one after another in whole, they pass through the caches once
per operation; read by the same range of coordinates of all clients, once in all.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    Row: TypeAlias = npt.NDArray[Any]

LINE_FLOATS = 16
"""float32 values in a cache line."""

LARGE_PAGE = 2**21
"""Bytes, on x86-64 and arm64 Linux; elsewhere it does no harm."""

LEAST_WIDTH = 1_024
"""On shorter pieces of rows, the cost of calling NumPy outweighs that of the work."""


def blocks(dimension: int, width: int) -> Iterator[slice]:
    """Ranges of at most ``width`` coordinates that cover all of them."""
    for start in range(0, dimension, width):
        yield slice(start, min(start + width, dimension))


def width_within(size_bytes: int, rows: int) -> int:
    """Coordinates of which ``rows`` float32 rows fill ``size_bytes``, in whole cache lines."""
    lines = size_bytes // (4 * LINE_FLOATS * max(rows, 1))
    return max(lines * LINE_FLOATS, LEAST_WIDTH)


def scratch(rows: int, width: int, dtype: npt.DTypeLike = np.float32) -> Row:
    """``(rows, width)`` zeros whose rows do not compete for the same cache lines.

    Rows a power of two apart fall into the same few sets of a cache, which makes strided
    work on them several times slower; a line more between them mends it.
    """
    return np.zeros((rows, width + LINE_FLOATS), dtype=dtype)[:, :width]


def on_large_pages(shape: tuple[int, int], dtype: npt.DTypeLike) -> Row:
    """``shape`` of anything, in memory that a cache can hold side by side.

    Small pages lie anywhere, and in some processes so that many compete for the same lines
    of a cache, which makes work on a block a fifth slower. NumPy asks the system for large
    pages where an array has 4 MiB; so more is taken than needed, and used from the start of
    a large page on. What is not touched costs nothing.
    """
    needed = np.dtype(dtype).itemsize * shape[0] * shape[1]
    taken = np.empty(needed + 4 * LARGE_PAGE, dtype=np.uint8)
    start = -taken.__array_interface__["data"][0] % LARGE_PAGE
    return taken[start : start + needed].view(dtype).reshape(shape)


def lay(rows: Sequence[Row], part: slice, into: Row, about: Row | None = None) -> Row:
    """The coordinates ``part`` of every row, less ``about``, copied to ``into``.

    Args:
        rows: vectors.
        part: range of coordinates.
        into: scratch at least as wide; differences are taken before they are narrowed to it.
        about: ``(width,)`` what is subtracted, if anything.

    Returns:
        ``(rows, width)`` view of ``into``.
    """
    laid = into[:, : part.stop - part.start]
    for row, out in zip(rows, laid, strict=True):
        if about is None:
            np.copyto(out, row[part], casting="same_kind")
        else:
            np.subtract(row[part], about, out=out, casting="same_kind")
    return laid


def as_matrix(rows: Sequence[Row], dtype: npt.DTypeLike) -> Row | None:
    """Rows of ``dtype`` as one matrix, not copied, when they lie at equal distances in memory."""
    first = rows[0]
    places = [row.__array_interface__["data"][0] for row in rows]
    steps = {after - before for before, after in pairwise(places)}
    alike = {(row.dtype, row.shape, row.strides) for row in rows}
    if len(alike) > 1 or len(steps) > 1 or first.dtype != dtype:
        return None
    # Every row is valid memory, so a matrix made of exactly these rows is.
    step = steps.pop() if steps else 0
    return np.lib.stride_tricks.as_strided(
        first, (len(rows), *first.shape), (step, *first.strides), writeable=False
    )

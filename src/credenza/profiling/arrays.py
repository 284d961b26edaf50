"""Arrow arrays as NumPy sees them, and one name for each logical type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Bools, Floats

_NAMES = {
    **dict.fromkeys(
        (
            kind.id
            for kind in (
                *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
                *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            )
        ),
        "integer",
    ),
    **dict.fromkeys((kind.id for kind in (pa.float16(), pa.float32(), pa.float64())), "real"),
    **dict.fromkeys((pa.decimal128(1).id, pa.decimal256(1).id), "decimal"),
    **dict.fromkeys((kind.id for kind in (pa.string(), pa.large_string())), "text"),
    pa.string_view().id: "text",
    pa.bool_().id: "truth",
}


def logical_type(kind: pa.DataType) -> str:
    """One name for the physical types of one logical type; others by Arrow's own name."""
    return _NAMES.get(kind.id) or str(kind)


def laid_open(column: pa.Array) -> tuple[npt.NDArray[np.generic], Bools | None]:
    """A primitive array's values, without a copy, and which of them are present.

    Values under nulls are whatever lies there: mask them.

    Returns:
        ``(n,)`` values, and an ``(n,)`` mask or None when all are present.
    """
    if not column.null_count:
        return column.to_numpy(zero_copy_only=False), None
    dtype = np.dtype(column.type.to_pandas_dtype())
    stop = column.offset + len(column)
    values = np.frombuffer(column.buffers()[1], dtype=dtype, count=stop)[column.offset :]
    return values, column.is_valid().to_numpy(zero_copy_only=False)


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The chunks joined, copied only when there are several."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def matrix_of(column: pa.ChunkedArray) -> Floats:
    """``(n, d)`` float64 vectors of a column of lists of fixed size.

    NaN where a vector is missing, or a value is missing or not finite.
    """
    found = np.full((len(column), column.type.list_size), np.nan)
    known = np.asarray(column.is_valid().to_numpy(), dtype=bool)
    flat = [chunk.drop_null().flatten().cast(pa.float64(), safe=False) for chunk in column.chunks]
    if flat:
        values = pa.concat_arrays(flat).to_numpy(zero_copy_only=False)
        found[known] = values.reshape(-1, found.shape[1])
    return np.where(np.isfinite(found), found, np.nan)

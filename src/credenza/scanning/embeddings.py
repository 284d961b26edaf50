"""Columns of vectors, in any encoding, as one column of equal float32 vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.text import tick
from credenza.scanning.arrays import vectors
from credenza.scanning.images import innermost, levels

if TYPE_CHECKING:
    from credenza.core.types import Floats


def equal_vectors(name: str, column: Any) -> tuple[pa.Array, tuple[str, ...]]:  # noqa: ANN401 - pyarrow is untyped
    """A column of float32 vectors, finite, and what had to be mended.

    Missing vectors, NaN and infinities become the column's mean there, which says
    nothing for or against the row; the notice counts them.

    Raises:
        UsageError: ``unfit-embedding`` when the values are no vectors of one length.
    """
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks])
    kind = innermost(column.type)
    if levels(column.type) != 1 or not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        raise _unfit(name, f"its type is {column.type}")
    whole = pa.chunked_array(column).combine_chunks()
    whole = pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
    missing = np.asarray(whole.is_null())
    lengths = np.unique(np.asarray(pc.list_value_length(whole).drop_null()))
    if len(lengths) != 1 or lengths[0] == 0:
        shown = ", ".join(str(one) for one in lengths[:5])
        raise _unfit(name, f"its vectors have different lengths: {shown}")
    flat = whole.drop_null().flatten().cast(pa.float32(), safe=False)
    matrix: Floats = np.full((len(whole), int(lengths[0])), np.nan, dtype=np.float32)
    matrix[~missing] = flat.to_numpy(zero_copy_only=False).reshape(-1, int(lengths[0]))
    matrix[~np.isfinite(matrix)] = np.nan
    holes = np.isnan(matrix).any(axis=1)
    if not holes.any():
        return vectors(matrix), ()
    if holes.all():
        raise _unfit(name, "every vector has NaN or infinite values")
    place = np.where(np.isnan(matrix))
    matrix[place] = np.nan_to_num(np.nanmean(matrix[~holes], axis=0))[place[1]]
    said = f"{int(holes.sum())} vectors of {tick(name)} are missing, NaN or infinite in part"
    return vectors(matrix), (f"{said}; the mean stands there",)


def _unfit(name: str, why: str) -> UsageError:
    return UsageError(
        "unfit-embedding",
        f"the column {tick(name)} holds no embeddings",
        why=why,
        fix="give one vector of numbers a row, all of one length",
    )

"""Arrow columns as codes and numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column as codes below ``size``; -1 = missing."""

    name: str
    codes: Ints
    size: int


def by_value(table: pa.Table, name: str) -> Column:
    """Codes by exact value; NaN is missing."""
    column = flat(table.column(name))
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    encoded = column if pa.types.is_dictionary(column.type) else pc.dictionary_encode(column)
    codes = pc.fill_null(pc.cast(encoded.indices, pa.int64()), -1)
    found = np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
    return Column(name, found, len(encoded.dictionary))


def numbers(table: pa.Table, name: str) -> Floats:
    """``(n,)`` float64; missing as NaN."""
    values = pc.cast(flat(table.column(name)), pa.float64(), safe=False)
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def flat(column: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    """A column as one array."""
    whole = column.combine_chunks()
    return whole if not isinstance(whole, pa.ChunkedArray) else pa.concat_arrays(whole.chunks)

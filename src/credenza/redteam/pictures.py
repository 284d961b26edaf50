"""Choosing and changing pictures: what every attack on a column of images does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from credenza.core.errors import UsageError
from credenza.redteam.rows import budget, column_of, draw, labelled, overwrite

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Bools
    from credenza.redteam.patterns import Pixels


def pixels_of(table: pa.Table, column: str) -> Pixels:
    """``(n, h, w[, c])`` a copy of a column of tensors.

    Raises:
        UsageError: the column holds no pictures of one size, or some are missing.
    """
    found: Any = column_of(table, column).combine_chunks()
    if not isinstance(found.type, pa.FixedShapeTensorType) or found.null_count:
        raise UsageError(
            "not-images",
            f"the column {column!r} holds no pictures of one size",
            why=f"its type is {found.type}, with {found.null_count} missing",
            fix="give a column of equal tensors of bytes without gaps",
        )
    flat = found.storage.flatten().to_numpy(zero_copy_only=False)
    return np.array(flat, dtype=np.uint8).reshape(len(found), *found.type.shape)


def poisoned(
    table: pa.Table,
    image: str,
    label: tuple[str, str],
    change: Callable[[Pixels], Pixels],
    rows: Bools,
) -> pa.Table:
    """``table`` with the pictures of ``rows`` changed, under the label's target.

    Args:
        table: clean rows.
        image: the pictures' column.
        label: the label's column and the value that ``rows`` get.
        change: changed copies of some pictures.
        rows: ``(n,)``.
    """
    pixels = pixels_of(table, image)
    if not rows.any():  # an empty batch among them, of which Arrow makes no tensors
        return table
    pixels[rows] = change(pixels[rows])
    place = table.schema.get_field_index(image)
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(pixels))
    table = table.set_column(place, table.schema.field(place), column)
    return overwrite(table, rows, *label)


def victims(
    table: pa.Table,
    label: tuple[str, str],
    share: float,
    rng: np.random.Generator,
    *,
    is_clean_label: bool,
) -> Bools:
    """``(n,)`` rows within the budget: of the target label, or of any other one."""
    fitting = labelled(table, *label) == is_clean_label
    rows = np.zeros(table.num_rows, dtype=np.bool_)
    rows[draw(fitting, budget(share, table.num_rows, rng), rng)] = True
    return rows

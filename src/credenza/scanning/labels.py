"""Labels that a scan can judge: classes, or amounts cut into ranges."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.text import tick
from credenza.core.types import Silence

MAX_CLASSES = 50
MANY_CLASSES = 0.02
RANGES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """A label column as it is judged.

    Attributes:
        column: the labels; None when there is nothing to judge.
        notices: what was changed.
        silences: why there is nothing to judge.
    """

    column: Any
    notices: tuple[str, ...] = ()
    silences: tuple[Silence, ...] = ()


def judged(name: str, column: Any) -> Labels:  # noqa: ANN401 - pyarrow is untyped
    """Labels as classes: as they are, in ten ranges when they are amounts, or not at all.

    Args:
        name: of the column.
        column: ``n`` labels.

    Raises:
        UsageError: ``unfit-label`` for lists, structs and bytes.
    """
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise UsageError(
            "unfit-label",
            f"the column {tick(name)} holds no labels",
            why=f"its type is {column.type}",
            fix="name a column of numbers or texts, one label a row",
        )
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_finite(column), column, None)
    missing = column.null_count
    distinct = int(pc.count_distinct(column).as_py())
    notices: tuple[str, ...] = ()
    if missing:
        notices = (f"{missing} of {len(column)} rows have no label; only their content is judged",)
    if distinct < 2:
        return _silent(f"{tick(name)} has {distinct} distinct value, so no label can be wrong")
    if distinct <= max(MAX_CLASSES, MANY_CLASSES * len(column)):
        return Labels(column, notices)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        said = f"{tick(name)} is an amount; its labels were judged as {RANGES} ranges"
        return Labels(_ranges(column), (*notices, said))
    return _silent(
        f"{tick(name)} has {distinct} values in {len(column)} rows: an id or a text, not a class"
    )


def _silent(reason: str) -> Labels:
    return Labels(None, (), (Silence("labels", reason),))


def _ranges(column: Any) -> pa.Array:  # noqa: ANN401 - pyarrow is untyped
    values = column.cast(pa.float64()).to_numpy()
    known = values[~np.isnan(values)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, RANGES + 1)))
    codes = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    names = [f"[{low:.6g}, {high:.6g})" for low, high in pairwise(edges.tolist())]
    return pa.array(
        [
            None if np.isnan(value) else names[code]
            for value, code in zip(values.tolist(), codes.tolist(), strict=True)
        ]
    )

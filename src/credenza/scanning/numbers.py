"""Columns of numbers that a few stray texts turned into columns of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.text import quote, tick

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_STRAY = 0.01
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$"


def unmixed(table: pa.Table, named: Collection[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Text columns that are numbers but for at most 1 % of their values, as numbers.

    One "n/a" among a million ages must not make ages categories. The stray values are
    taken for missing, and said. Columns that are numbers throughout stay text, for they
    were written as text on purpose: codes.

    Args:
        table: the rows.
        named: columns whose role the caller or the format says; left alone.

    Returns:
        The table, and a notice a column.
    """
    notices = []
    for place, name in enumerate(table.column_names):
        column = table.column(name)
        if name in named or not (
            pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
        ):
            continue
        trimmed = pc.utf8_trim_whitespace(column)
        is_number = pc.fill_null(pc.match_substring_regex(trimmed, _NUMBER), True)  # noqa: FBT003 - arrow's own signature
        stray = column.filter(pc.invert(is_number))
        if not 0 < len(stray) <= MOST_STRAY * (len(column) - column.null_count):
            continue
        numbers = pc.if_else(is_number, trimmed, None).cast(pa.float64())
        table = table.set_column(place, name, numbers)
        notices.append(
            f"{tick(name)} is numbers but for {len(stray)} of its values, such as "
            f"{quote(stray[0].as_py())}; those were taken for missing"
        )
    return table, tuple(notices)

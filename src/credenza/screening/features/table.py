"""Columns as small integer codes, so that counting is all a detector must do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.text import quote, tick
from credenza.core.types import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.types import Bools, Floats, Ints, View

FEW_LEVELS = 32
RANGES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """One column as codes ``0 … size - 1``.

    Attributes:
        column: the column's name.
        codes: ``(n,)`` int64.
        size: number of codes.
        levels: Arrow array of the values by code, or None for ranges.
        edges: inner edges of the ranges, or None for values; the last code is "missing".
        is_number: the column's role is NUMBER.
    """

    column: str
    codes: Ints
    size: int
    levels: Any = None
    edges: Floats | None = None
    is_number: bool = False

    def describe(self, code: int) -> str:
        """A condition in words: `` `hour` = 3 `` or `` `delay` in [10, 20) ``."""
        name = tick(self.column)
        if self.edges is None:
            value = self.levels[code].as_py() if code < len(self.levels) else None
            return f"{name} = {quote(value)}"
        if code == self.size - 1:
            return f"{name} = missing"
        low = self.edges[code - 1] if code > 0 else -np.inf
        high = self.edges[code] if code < len(self.edges) else np.inf
        return f"{name} in [{low:.6g}, {high:.6g})"


def columns_of(view: View, *roles: Role) -> tuple[str, ...]:
    """Names of the columns with one of ``roles``, in the table's order; never the label."""
    return tuple(
        name
        for name in view.table.column_names
        if view.facets.get(name, Role.IGNORED) in roles and name != view.label
    )


def numbers(view: View, column: str) -> Floats:
    """``(n,)`` float64 of a number column; null, NaN and infinite become NaN."""
    array = _flat(view.table.column(column))
    values = pc.fill_null(pc.cast(array, pa.float64(), safe=False), float("nan"))
    found: Floats = np.array(values.to_numpy(zero_copy_only=False), dtype=np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def by_value(view: View, column: str) -> Coded:
    """Codes by exact value; null (and NaN) share the last code."""
    array = _flat(view.table.column(column))
    if pa.types.is_floating(array.type):
        array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
    encoded = array if pa.types.is_dictionary(array.type) else pc.dictionary_encode(array)
    levels = encoded.dictionary
    codes = pc.fill_null(pc.cast(encoded.indices, pa.int64()), len(levels))
    return Coded(
        column,
        np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64),
        len(levels) + 1,
        levels=levels,
        is_number=view.facets.get(column) is Role.NUMBER,
    )


def by_range(view: View, column: str, *, ranges: int = RANGES) -> Coded:
    """Codes by quantile range, with edges from trusted rows (all rows, if none is).

    Edges come from trusted rows so that the rows under test cannot move them.
    """
    values = numbers(view, column)
    known = values[view.trusted & ~np.isnan(values)]
    if len(known) == 0:
        known = values[~np.isnan(values)]
    cuts = np.linspace(0, 1, ranges + 1)[1:-1]
    edges = np.unique(np.quantile(known, cuts)) if len(known) else np.empty(0)
    codes = np.searchsorted(edges, values, side="right").astype(np.int64)
    codes[np.isnan(values)] = len(edges) + 1
    return Coded(column, codes, len(edges) + 2, edges=edges, is_number=True)


def coded_columns(view: View) -> list[Coded]:
    """One encoding a column: categories and few-valued numbers by value, others by range."""
    found = []
    for column in columns_of(view, Role.CATEGORY, Role.NUMBER):
        exact = by_value(view, column)
        is_wide = exact.is_number and exact.size > FEW_LEVELS + 1
        found.append(by_range(view, column) if is_wide else exact)
    return found


def mix(codes: Ints, seed: int) -> Ints:
    """splitmix64 of integers: an even 64-bit hash, repeatable everywhere."""
    with np.errstate(over="ignore"):
        x = codes.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 1) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (x ^ (x >> np.uint64(31))).view(np.int64)


def content_codes(view: View, column: str) -> Ints:
    """``(n,)`` 64-bit hash of each value by its content alone, whatever the rows' order."""
    role = view.facets.get(column, Role.IGNORED)
    if role is Role.NUMBER:
        # + 0.0 makes one zero of two, and all NaN share their bits.
        return mix((numbers(view, column) + 0.0).view(np.int64), 1)
    coded = by_value(view, column)
    digests = [
        hashlib.blake2b(str(level).encode("utf-8", "replace"), digest_size=8).digest()
        for level in coded.levels.to_pylist()
    ]
    table = np.array([*(int.from_bytes(d, "big", signed=True) for d in digests), 0], np.int64)
    return table[coded.codes]


def content_of(view: View) -> list[Ints]:
    """Content codes of every number, category and text column."""
    return [
        content_codes(view, name)
        for name in columns_of(view, Role.NUMBER, Role.CATEGORY, Role.TEXT)
    ]


def row_hash(parts: Iterable[Ints], n: int) -> Ints:
    """``(n,)`` additive hash of rows of codes; subtracting a part's ``mix`` leaves it out."""
    with np.errstate(over="ignore"):
        total = np.zeros(n, dtype=np.int64)
        for seed, codes in enumerate(parts):
            total = total + mix(codes, seed)
        return total


def sample(view: View, rows: Ints, size: int) -> Ints:
    """At most ``size`` of ``rows``, drawn by a hash of content, so that order plays no part."""
    if len(rows) <= size:
        return rows
    key = mix(row_hash(content_of(view), view.table.num_rows)[rows], 77)
    return np.sort(rows[np.argsort(key, kind="stable")[:size]])


def one_hot(coded: list[Coded], *, levels: int = FEW_LEVELS) -> Any:  # noqa: ANN401 - scipy is untyped
    """Sparse 0/1 matrix of the ``levels`` most frequent codes of each column.

    Returns:
        ``scipy.sparse.csr_array`` of shape (n, d), float32.
    """
    from scipy import sparse  # noqa: PLC0415 - heavy

    blocks = []
    for column in coded:
        counts = np.bincount(column.codes, minlength=column.size)
        kept = np.sort(np.argsort(-counts, kind="stable")[:levels])
        place = np.full(column.size, -1, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        target = place[column.codes]
        rows = np.flatnonzero(target >= 0)
        blocks.append(
            sparse.csr_array(
                (np.ones(len(rows), np.float32), (rows, target[rows])),
                shape=(len(target), len(kept)),
            )
        )
    return sparse.hstack(blocks, format="csr", dtype=np.float32)


def source_codes(view: View) -> tuple[Ints, tuple[str, ...]]:
    """``(n,)`` codes of the rows' sources, and the sources' names by code."""
    encoded = pc.dictionary_encode(pa.array([str(s) for s in view.source], pa.string()))
    codes = np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)
    names = np.array(encoded.dictionary.to_pylist(), dtype=object)
    # Sorted, so that nothing depends on the order of the rows.
    order = np.argsort(names.astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place[codes] if len(codes) else codes, tuple(str(n) for n in names[order])


def rows_of(mask: Bools) -> tuple[int, ...]:
    """Positions where ``mask`` holds, as plain integers."""
    return tuple(np.flatnonzero(mask).tolist())


def _flat(column: Any) -> Any:  # noqa: ANN401 - pyarrow is untyped
    whole = column.combine_chunks()
    return whole if not isinstance(whole, pa.ChunkedArray) else pa.concat_arrays(whole.chunks)

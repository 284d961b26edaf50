"""Arrow columns as the float matrix that a tree model reads.

Everything that is learnt here (which levels are common) is learnt from the fitting
rows and frozen, so a level that an attacker invents later lands in the shared
"other" level and cannot claim a code of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.types import Role

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from credenza.core.types import Floats, Ints

MAX_LEVELS = 250
"""Levels kept per category; the tree learner has 255 bins, one of them for "other"."""

RARE_BELOW_ROWS = 20
"""A level on fewer fitting rows than a leaf holds cannot be learnt, so it is folded."""

_LARGEST = 1e300

_NUMBERS = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_decimal,
    pa.types.is_temporal,
)


class Column(Protocol):
    """One input column of a fitted encoding."""

    @property
    def name(self) -> str:
        """The column's name in the table."""
        ...

    @property
    def categorical(self) -> bool:
        """Whether the numbers are codes without an order."""
        ...

    def encode(self, table: pa.Table) -> Floats:
        """``(n,)`` float64, NaN where the value is null."""
        ...


@dataclass(frozen=True, slots=True)
class NumberColumn:
    """A numeric, boolean or temporal column as it is; infinities become ±1e300."""

    name: str
    categorical: bool = False

    def encode(self, table: pa.Table) -> Floats:
        """``(n,)`` values, NaN where null."""
        values = column_of(table, self.name)
        try:
            if pa.types.is_temporal(values.type):
                width = 32 if values.type.bit_width == 32 else 64
                values = pc.cast(values, pa.int32() if width == 32 else pa.int64())
            numbers = pc.cast(values, pa.float64(), safe=False).to_numpy()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as wrong:
            raise _unreadable(self.name, "a number", wrong) from wrong
        return np.clip(np.asarray(numbers, dtype=np.float64), -_LARGEST, _LARGEST)


@dataclass(frozen=True, slots=True)
class CategoryColumn:
    """Codes of the common levels; rare and unknown levels share the code after the last."""

    name: str
    levels: tuple[str, ...]
    categorical: bool = True

    def encode(self, table: pa.Table) -> Floats:
        """``(n,)`` codes in ``[0, len(levels)]``, NaN where null."""
        values = strings_of(table, self.name)
        known = pc.index_in(values, value_set=pa.array(self.levels, pa.string()))
        codes = pc.fill_null(known, len(self.levels)).to_numpy().astype(np.float64)
        codes[pc.is_null(values).to_numpy()] = np.nan
        return np.asarray(codes, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class HashedColumn:
    """Codes of levels by a hash of their text: nothing is learnt, so no row can move another's.

    Levels that share a code cannot be told apart; an attacker can look for such.
    """

    name: str
    categorical: bool = True

    def encode(self, table: pa.Table) -> Floats:
        """``(n,)`` codes in ``[0, MAX_LEVELS)``, NaN where null."""
        coded = strings_of(table, self.name).combine_chunks().dictionary_encode()
        codes = [
            int.from_bytes(hashlib.sha256(level.encode()).digest()[:8], "big") % MAX_LEVELS
            for level in coded.dictionary.to_pylist()
        ]
        found = pc.take(pa.array(codes, pa.float64()), coded.indices)
        return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.float64)


def fixed_columns(schema: pa.Schema, leave_out: Collection[str]) -> tuple[Column, ...]:
    """Columns by their declared types alone, so that nothing depends on any row.

    Numbers, booleans and times are numbers, strings are hashed levels, the rest is left.

    Args:
        schema: of the table.
        leave_out: names that are no inputs.
    """
    columns: list[Column] = []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if field.name in leave_out:
            continue
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            columns.append(HashedColumn(field.name))
        elif any(fits(kind) for fits in _NUMBERS):
            columns.append(NumberColumn(field.name))
    return tuple(sorted(columns, key=lambda column: column.name))


def fit_columns(table: pa.Table, facets: Mapping[str, Role], label: str) -> tuple[Column, ...]:
    """The number and category columns of ``table``, in the order of their names.

    Args:
        table: fitting rows.
        facets: role of each column; only NUMBER and CATEGORY are taken here.
        label: never an input, whatever its role says.

    Raises:
        UsageError: a column that ``facets`` names is not in the table, or cannot be
            read in its role.
    """
    columns: list[Column] = []
    for name in sorted(facets):
        if name == label:
            continue
        if facets[name] is Role.NUMBER:
            number = NumberColumn(name)
            if not np.isnan(number.encode(table)).all():  # without a value there is no split
                columns.append(number)
        elif facets[name] is Role.CATEGORY:
            columns.append(CategoryColumn(name, _common_levels(table, name)))
    return tuple(columns)


def encode(columns: tuple[Column, ...], table: pa.Table) -> Floats:
    """``(n, len(columns))`` float64 in C order."""
    matrix = np.empty((table.num_rows, len(columns)), dtype=np.float64)
    for position, column in enumerate(columns):
        matrix[:, position] = column.encode(table)
    return matrix


def encode_labels(table: pa.Table, label: str, classes: tuple[str, ...]) -> Ints:
    """``(n,)`` index of each row's label among ``classes``; -1 for unknown and null."""
    found = pc.index_in(strings_of(table, label), value_set=pa.array(classes, pa.string()))
    return np.asarray(pc.fill_null(found, -1).to_numpy(), dtype=np.int64)


def column_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The column called ``name``.

    Raises:
        UsageError: the table has none, or several.
    """
    if table.schema.names.count(name) != 1:
        raise UsageError(
            "no-such-column",
            f"the table has no single column {name!r}",
            why=f"its columns are: {', '.join(table.schema.names[:40])}",
            fix="give the role of columns that the table has",
        )
    return table.column(name)


def strings_of(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The column called ``name`` as Arrow prints its values; nulls stay null.

    Raises:
        UsageError: the values have no text form.
    """
    values = column_of(table, name)
    try:
        return pc.cast(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as wrong:
        raise _unreadable(name, "text", wrong) from wrong


def _common_levels(table: pa.Table, name: str) -> tuple[str, ...]:
    counts = strings_of(table, name).value_counts()
    ranked = sorted(
        (-count, level)
        for level, count in zip(
            counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True
        )
        if level is not None and count >= RARE_BELOW_ROWS
    )
    return tuple(sorted(level for _, level in ranked[:MAX_LEVELS]))


def _unreadable(name: str, wanted: str, wrong: Exception) -> UsageError:
    return UsageError(
        "bad-column",
        f"column {name!r} cannot be read as {wanted}",
        why=str(wrong).splitlines()[0][:200],
        fix="give the column another role",
    )

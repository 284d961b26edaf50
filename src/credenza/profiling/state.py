"""What a profile knows of a table: small, frozen, mergeable, and the same bytes everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import NotFoundError
from credenza.profiling import sketches, wire

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from credenza.core.types import Ints

CATEGORY_CAP = 1024
"""Distinct values up to which a column's categories are counted exactly."""
LABEL_CAP = 64
"""Distinct labels up to which categories are counted by label."""
VALUE_LENGTH = 256
"""A column with a longer value is text, not categories: it goes over its cap."""
CORRELATED_COLUMNS = 24
"""Numeric columns, first by name, whose products with each other are kept."""
ONES = 0
PRODUCT_BITS = 24
"""Products are keyed ``a << 24 | b`` over operands: 0 the constant one, then two for each
numeric column: its values, and an indicator of where it has none."""
COUNT_LIMIT = 2**53


class Kind(StrEnum):
    """How a column is summarised."""

    REAL = "real"
    INTEGER = "integer"
    TIME = "time"
    CATEGORY = "category"
    OTHER = "other"


NUMERIC = frozenset({Kind.REAL, Kind.INTEGER, Kind.TIME})


@dataclass(frozen=True, slots=True)
class Column:
    """The plain facts of one column.

    Attributes:
        name: as in the table.
        kind: ``OTHER`` for types without a summary (lists, structs, bytes): their nulls
            are counted, and the type is named, so that nothing is dropped in silence.
        type: the logical type. Integers of all widths are "integer", floats "real",
            plain and dictionary strings "text"; times keep their unit.
        nulls: rows without a value.
        nans: rows whose value is not a number.
        low: smallest value, infinities included: a float for reals, else an integer
            (for times in units of the type); None without one.
        high: the same for the largest.
        counts: rows of each category, or None when the column is not one or went over
            its cap: more than 1,024 distinct values, or one of over 256 characters.
        by_label: rows of each (category, label), or None where either is over its cap
            or the profile has no label.
    """

    name: str
    kind: Kind
    type: str
    nulls: int
    nans: int = 0
    low: float | int | None = None
    high: float | int | None = None
    counts: Mapping[str, int] | None = None
    by_label: Mapping[tuple[str, str], int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A profile that merges. Equal data give equal bytes, however they were split.

    Attributes:
        rows: how many.
        label: the label's column, or "".
        source: the column that names each row's source, or "".
        columns: sorted by name.
        bucket_keys: ``column << 18 | bucket``, rising; see ``sketches``.
        bucket_counts: rows in each; NaN and nulls are in none.
        register_keys: ``column << 18 | register << 6 | rank``, rising; empty ones left out.
        product_keys: ``a << 24 | b`` with a <= b, rising; sums of zero are left out.
        product_limbs: ``(p, 24)`` the exact sums, as limbs of 18 bits.
    """

    rows: int
    label: str
    source: str
    columns: tuple[Column, ...]
    bucket_keys: Ints
    bucket_counts: Ints
    register_keys: Ints
    product_keys: Ints
    product_limbs: Ints

    def __post_init__(self) -> None:
        for array in (
            self.bucket_keys,
            self.bucket_counts,
            self.register_keys,
            self.product_keys,
            self.product_limbs,
        ):
            array.flags.writeable = False

    def __eq__(self, other: object) -> bool:
        return isinstance(other, State) and self.to_ipc() == other.to_ipc()

    def __hash__(self) -> int:
        return hash(self.to_ipc())

    def to_ipc(self) -> bytes:
        """The one encoding of this state: an Arrow IPC stream of one row."""
        return wire.pack(_fields(self))

    @classmethod
    def from_ipc(cls, data: bytes) -> State:
        """Read a state that another process, perhaps a hostile one, has written.

        Every fact is checked against the others, and the bytes against the encoding of
        what was read, so one state has one encoding. Blind to a state that is consistent
        and untrue: who profiled must be trusted, or asked again.

        Raises:
            UntrustedError: the bytes are not a state's.
        """
        try:
            state = _state(wire.unpack(data))
            _check(state)
        except (ValueError, TypeError, KeyError, OverflowError) as wrong:
            raise wire.refused(f"{type(wrong).__name__}: {wrong}") from wrong
        if state.to_ipc() != data:
            raise wire.refused("the bytes are not the canonical encoding of what they say")
        return state


def position(state: State, name: str) -> int:
    """Where the column called ``name`` stands in ``state.columns``.

    Raises:
        NotFoundError: the profile has no such column.
    """
    for at, column in enumerate(state.columns):
        if column.name == name:
            return at
    raise NotFoundError(
        "no-such-column",
        f"the profile has no column {name!r}",
        why=f"its columns are: {', '.join(column.name for column in state.columns)}",
    )


def operands(columns: tuple[Column, ...]) -> dict[int, int]:
    """Product operand of each numeric column's values, by its place; the next is its gaps."""
    numeric = [at for at, column in enumerate(columns) if column.kind in NUMERIC]
    return {at: 1 + 2 * rank for rank, at in enumerate(numeric)}


def column_slice(keys: Ints, at: int, bits: int = sketches.BUCKET_BITS) -> slice:
    """The stretch of ``keys`` that belongs to the column at place ``at``."""
    ends = np.searchsorted(keys, [at << bits, (at + 1) << bits])
    return slice(int(ends[0]), int(ends[1]))


def _fields(state: State) -> dict[str, object]:
    """Flat lists and arrays for the wire."""
    counted = [(at, c.counts) for at, c in enumerate(state.columns) if c.counts is not None]
    crossed = [(at, c.by_label) for at, c in enumerate(state.columns) if c.by_label is not None]
    values = [(at, *item) for at, counts in counted for item in sorted(counts.items())]
    crosses = [(at, *k, n) for at, pairs in crossed for k, n in sorted(pairs.items())]
    return {
        "rows": state.rows,
        "label": state.label,
        "source": state.source,
        "name": [c.name for c in state.columns],
        "kind": [str(c.kind) for c in state.columns],
        "type": [c.type for c in state.columns],
        "nulls": [c.nulls for c in state.columns],
        "nans": [c.nans for c in state.columns],
        "low": [_number_out(c.low) for c in state.columns],
        "high": [_number_out(c.high) for c in state.columns],
        "counted": [at for at, _ in counted],
        "crossed": [at for at, _ in crossed],
        "value_column": [row[0] for row in values],
        "value": [row[1] for row in values],
        "value_rows": [row[2] for row in values],
        "cross_column": [row[0] for row in crosses],
        "cross_value": [row[1] for row in crosses],
        "cross_label": [row[2] for row in crosses],
        "cross_rows": [row[3] for row in crosses],
        "bucket_keys": state.bucket_keys,
        "bucket_counts": state.bucket_counts,
        "register_keys": state.register_keys,
        "product_keys": state.product_keys,
        "product_limbs": state.product_limbs.ravel(),
    }


def _number_out(value: float | None) -> str:
    """Exact in text: hexadecimal for floats, decimal for integers of any width."""
    if value is None:
        return ""
    return value.hex() if isinstance(value, float) else str(value)


def _number_in(text: str, kind: Kind) -> float | int | None:
    if not text:
        return None
    return float.fromhex(text) if kind is Kind.REAL else int(text)


def _state(fields: dict[str, object]) -> State:
    """Build a state from checked types and unchecked values."""
    f = wire.Fields(fields)
    counts, crosses = _counts(f), _crosses(f)
    facts = zip(
        f.texts("name"),
        map(Kind, f.texts("kind")),
        f.texts("type"),
        f.integers("nulls").tolist(),
        f.integers("nans").tolist(),
        f.texts("low"),
        f.texts("high"),
        strict=True,
    )
    columns = tuple(
        Column(
            name,
            kind,
            logical,
            nulls,
            nans,
            _number_in(low, kind),
            _number_in(high, kind),
            counts.get(at),
            crosses.get(at),
        )
        for at, (name, kind, logical, nulls, nans, low, high) in enumerate(facts)
    )
    return State(
        f.integer("rows"),
        f.text("label"),
        f.text("source"),
        columns,
        f.integers("bucket_keys"),
        f.integers("bucket_counts"),
        f.integers("register_keys"),
        f.integers("product_keys"),
        f.integers("product_limbs").reshape(-1, sketches.LIMBS),
    )


def _counts(f: wire.Fields) -> dict[int, dict[str, int]]:
    """By column, rows of each value."""
    counts: dict[int, dict[str, int]] = {int(at): {} for at in f.integers("counted")}
    for at, value, rows in zip(
        f.integers("value_column").tolist(),
        f.texts("value"),
        f.integers("value_rows").tolist(),
        strict=True,
    ):
        counts[at][value] = rows
    return counts


def _crosses(f: wire.Fields) -> dict[int, dict[tuple[str, str], int]]:
    """By column, rows of each value and label."""
    crosses: dict[int, dict[tuple[str, str], int]] = {int(a): {} for a in f.integers("crossed")}
    for at, value, label, rows in zip(
        f.integers("cross_column").tolist(),
        f.texts("cross_value"),
        f.texts("cross_label"),
        f.integers("cross_rows").tolist(),
        strict=True,
    ):
        crosses[at][value, label] = rows
    return crosses


def _check(state: State) -> None:
    """Refuse a state that no table can have.

    Raises:
        UntrustedError: with the first thing that cannot be.
    """
    names = [column.name for column in state.columns]
    numeric = operands(state.columns)
    _require(names == sorted(set(names)), "the columns are not in order")
    _require(0 <= state.rows < COUNT_LIMIT, "the number of rows is out of range")
    for reference in (state.label, state.source):
        _require(not reference or reference in names, "the label or source is no column")
    for column in state.columns:
        _check_column(column, state)
    kinds = [column.kind for column in state.columns]
    _check_keys(state.bucket_keys, sketches.BUCKET_BITS, numeric.keys(), "bucket")
    hashed = {at for at, kind in enumerate(kinds) if kind is not Kind.OTHER}
    _check_keys(state.register_keys, sketches.REGISTER_KEY_BITS, hashed, "register")
    registers = state.register_keys >> sketches.RANK_BITS
    rank = state.register_keys & ((1 << sketches.RANK_BITS) - 1)
    _require(
        bool((np.diff(registers) > 0).all() and ((rank > 0) & (rank <= 53)).all()),
        "a register is named twice or has no such rank",
    )
    _require(
        state.bucket_keys.shape == state.bucket_counts.shape
        and bool(((state.bucket_counts > 0) & (state.bucket_counts < COUNT_LIMIT)).all()),
        "a bucket's count is out of range",
    )
    for at in numeric:
        column = state.columns[at]
        stretch = column_slice(state.bucket_keys, at)
        present = state.rows - column.nulls - column.nans
        _require(
            int(state.bucket_counts[stretch].sum()) == present,
            "the buckets of a column do not add up to its rows",
        )
        _require((column.low is not None) == (present > 0), "a range without values")
    _check_products(state, 1 + 2 * len(numeric))


def _check_column(column: Column, state: State) -> None:
    _require(column.nulls >= 0 <= column.nans, "a count is negative")
    _require(column.nulls + column.nans <= state.rows, "more gaps than rows")
    ordered = column.low is None or (column.high is not None and column.low <= column.high)
    _require(ordered and (column.low is None) == (column.high is None), "a range is reversed")
    if column.kind not in NUMERIC:
        _require(column.low is None and not column.nans, "a category has a range")
    if column.counts is not None:
        _require(column.kind is Kind.CATEGORY, "categories of a column that has none")
        _require(len(column.counts) <= CATEGORY_CAP, "more categories than the cap")
        _require(all(n > 0 for n in column.counts.values()), "a category without rows")
        _require(
            sum(column.counts.values()) == state.rows - column.nulls,
            "the categories of a column do not add up to its rows",
        )
    if column.by_label is not None:
        _require(column.counts is not None and bool(state.label), "labels without categories")
        label = state.columns[position(state, state.label)].counts or {}
        _require(0 <= len(label) <= LABEL_CAP, "more labels than the cap")
        _require(
            all(
                n > 0 and value in (column.counts or {}) and by in label
                for (value, by), n in column.by_label.items()
            )
            and sum(column.by_label.values()) <= state.rows,
            "counts by label name unknown values",
        )


def _check_keys(keys: Ints, bits: int, columns: Collection[int], what: str) -> None:
    _require(bool((np.diff(keys) > 0).all()), f"the {what} keys are not in order")
    named = set(np.unique(keys >> bits).tolist())
    _require(named <= set(columns), f"a {what} key names no such column")


def _check_products(state: State, size: int) -> None:
    limbs = state.product_limbs
    keys = state.product_keys
    first, second = keys >> PRODUCT_BITS, keys & ((1 << PRODUCT_BITS) - 1)
    _require(len(keys) == len(limbs), "a product without a sum")
    _require(bool((np.diff(keys) > 0).all()), "the product keys are not in order")
    _require(
        bool(((first >= 0) & (first <= second) & (second < size)).all()),
        "a product names no such column",
    )
    low = limbs[:, :-1]
    _require(
        bool(((low >= 0) & (low < 1 << sketches.LIMB_BITS)).all() and limbs.any(axis=1).all()),
        "a sum is not in its one form",
    )


def _require(holds: bool, why: str) -> None:
    if not holds:
        raise wire.refused(why)

"""Sets of row positions as half-open ranges, sorted and apart: small in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.canonical import Json
    from credenza.core.types import Bools, Ints

Spans: TypeAlias = "tuple[tuple[int, int], ...]"


def spans_of(positions: Iterable[int]) -> Spans:
    """Positions in any order, doubles allowed, as ranges."""
    return united((int(position), int(position) + 1) for position in positions)


def united(ranges: Iterable[tuple[int, int]]) -> Spans:
    """Ranges in any order, overlapping or not, as the set of what they cover.

    Raises:
        UsageError: a range begins below 0 or after its end.
    """
    found: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if not 0 <= start <= stop:
            raise UsageError(
                "bad-rows",
                f"rows {start} to {stop} are no range",
                why="rows are counted from 0, and a range runs upward",
                fix="like 0-99, first to last",
            )
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(stop, found[-1][1]))
        elif start < stop:
            found.append((start, stop))
    return tuple(found)


def minus(some: Spans, others: Spans) -> Spans:
    """Positions in ``some`` and not in ``others``."""
    left: list[tuple[int, int]] = []
    place = 0
    for first, stop in some:
        start = first
        while place < len(others) and others[place][1] <= start:
            place += 1
        at = place
        while at < len(others) and others[at][0] < stop:
            if start < others[at][0]:
                left.append((start, others[at][0]))
            start = others[at][1]
            at += 1
        if start < stop:
            left.append((start, stop))
    return tuple(left)


def common(some: Spans, others: Spans) -> Spans:
    """Positions in both."""
    return minus(some, minus(some, others))


def size(spans: Spans) -> int:
    """How many positions."""
    return sum(stop - start for start, stop in spans)


def positions(spans: Spans) -> Ints:
    """``(size,)`` the positions themselves, rising."""
    return np.concatenate(
        [np.empty(0, np.int64), *(np.arange(start, stop) for start, stop in spans)]
    )


def within(rows: Ints, spans: Spans) -> Bools:
    """``(n,)`` whether each of ``rows`` is among the positions."""
    edges = np.array(spans, np.int64).reshape(-1)
    inside: Bools = np.searchsorted(edges, rows, side="right") % 2 == 1
    return inside


def to_json(spans: Spans) -> Json:
    """A list of pairs."""
    return [[start, stop] for start, stop in spans]


def from_json(value: Json) -> Spans:
    """What ``to_json`` wrote.

    Raises:
        UsageError: it is not a list of ranges.
    """
    pairs = value if isinstance(value, list) else [value]
    found: list[tuple[int, int]] = []
    for pair in pairs:
        match pair:
            case [int(start), int(stop)]:
                found.append((start, stop))
            case _:
                raise UsageError(
                    "bad-rows",
                    f"{str(pair)[:60]!r} is no range of rows",
                    why="a range is a pair of whole numbers, first and last + 1",
                    fix="write it as [0, 100]",
                )
    return united(found)

"""Each coordinate's values in order, which medians and trims are read off.

NumPy sorts the values of one coordinate after another. A sorting network makes the same
exchanges whatever the values, so whole rows take part in each and a processor does many
coordinates at once; that pays only compiled, for which numba must be installed. Both give
the same values in the same order. Neither knows what to do with a NaN, which is screened
before.
"""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from credenza.training.aggregation.blocks import on_large_pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Ints
    from credenza.training.aggregation.blocks import Row

    Ordering: TypeAlias = Callable[[Row], Row]

COMPILED_FROM = 2**22
"""Values in a round from which a second of compiling, once in a process, is soon repaid."""


def ordering(values: int, clients: int, read: range) -> Ordering:
    """What orders a round of so many values: the network for large ones, if numba is there.

    Args:
        values: in the round.
        clients: of which each coordinate has a value.
        read: places of the order that are read; what comes out elsewhere is not told.
    """
    if values >= COMPILED_FROM and importlib.util.find_spec("numba"):
        return network(clients, read)
    return by_sort


def by_sort(block: Row) -> Row:
    """``(width, n)`` ascending values of each coordinate of a ``(n, width)`` block.

    Along memory, since NumPy sorts several times slower across it.
    """
    turned = np.array(block.T, order="C")
    turned.sort(axis=1)
    return turned


def network(clients: int, read: range) -> Ordering:
    """As ``by_sort`` at the places that are read; each row's values lie together here.

    An order is good until the next: they share their memory, since fresh memory for every
    block would cost a quarter of the time.

    Complexity:
        Up to ``n log² n / 4`` exchanges of rows, each a minimum and a maximum; a sixth less
        when only the middle is read.

    Raises:
        ModuleNotFoundError: numba is not installed.
    """
    pairs, exchange = exchanges(clients, read), _compiled()
    rows = on_large_pages((0, 0), np.float32)

    def order(block: Row) -> Row:
        nonlocal rows
        if rows.shape != block.shape or rows.dtype != block.dtype:
            rows = on_large_pages(block.shape, block.dtype)
        np.copyto(rows, block)
        exchange(rows, pairs)
        return rows.T

    return order


@cache
def exchanges(size: int, read: range) -> Ints:
    """``(m, 2)`` pairs of places; exchanged in this order where needed, ``size`` values sort.

    Those that no place in ``read`` hears of are left out.

    Source:
        Batcher's merge exchange: Knuth, The Art of Computer Programming 3, algorithm 5.2.2M.
    """
    found = []
    largest = 1 << max(size - 1, 0).bit_length() >> 1
    bit = largest
    while bit:
        reach, rest, apart = largest, 0, bit
        while apart:
            found += [(i, i + apart) for i in range(size - apart) if i & bit == rest]
            rest, apart, reach = bit, reach - bit, reach >> 1
        bit >>= 1
    heard, kept = set(read), []
    for pair in reversed(found):
        if heard.intersection(pair):
            heard.update(pair)
            kept.append(pair)
    return np.array(kept[::-1], dtype=np.int64).reshape(-1, 2)


@cache
def _compiled() -> Callable[[Row, Ints], None]:
    import numba  # noqa: PLC0415 - an extra, and half a second

    compiled: Callable[[Row, Ints], None] = numba.njit(nogil=True)(_exchange)
    return compiled


def _exchange(rows: Row, pairs: Ints) -> None:
    for pair in range(len(pairs)):
        low, high = rows[pairs[pair, 0]], rows[pairs[pair, 1]]
        for place in range(len(low)):
            # Both are read before either is written, so that this runs in vectors.
            one, other = low[place], high[place]
            low[place], high[place] = min(one, other), max(one, other)

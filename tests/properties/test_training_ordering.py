"""Both ways to put coordinates in order, against each other and against a slow twin."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.training.aggregation.coordinate import middle
from credenza.training.aggregation.ordering import (
    COMPILED_FROM,
    by_sort,
    exchanges,
    network,
    ordering,
)
from credenza.training.builtin import aggregator

if TYPE_CHECKING:
    from credenza.training.aggregation.blocks import Row


def block(seed: int, clients: int, width: int, dtype: str) -> Row:
    """Values of many sizes, with ties and zeros of both signs, in rows with gaps between."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(clients, width + 3)) * 10.0 ** rng.integers(-20, 14, width + 3)
    values[rng.random(values.shape) < 0.2] = 1.0
    values[rng.random(values.shape) < 0.1] = -0.0
    values[rng.random(values.shape) < 0.1] = 0.0
    return values.astype(dtype)[:, :width]


blocks = st.builds(
    block,
    seed=st.integers(0, 10_000),
    clients=st.integers(1, 66),
    width=st.integers(1, 70),
    dtype=st.sampled_from(["float32", "float64"]),
)


@pytest.mark.parametrize("clients", range(1, 13))
def test_a_network_that_sorts_all_zeros_and_ones_sorts_everything(clients: int) -> None:
    # The zero-one principle, by brute force.
    every = np.array(list(product((0, 1), repeat=clients))).T
    for first in range(clients):
        rows, read = every.copy(), range(first, clients)
        for low, high in exchanges(clients, read):
            rows[[low, high]] = np.minimum(rows[low], rows[high]), np.maximum(rows[low], rows[high])
        assert np.array_equal(rows[read], np.sort(every, axis=0)[read])


def test_exchanges_that_the_middle_does_not_hear_of_are_left_out() -> None:
    assert len(exchanges(50, range(24, 26))) < len(exchanges(50, range(50)))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(rows=blocks, ends=st.tuples(st.integers(0, 65), st.integers(0, 65)))
def test_the_compiled_network_orders_what_is_read_as_sorting_does(
    rows: Row, ends: tuple[int, int]
) -> None:
    pytest.importorskip("numba")
    before = rows.copy()
    low, high = sorted(end % len(rows) for end in ends)
    read = range(low, high + 1)
    order = network(len(rows), read)
    assert np.array_equal(order(rows)[:, read], by_sort(rows)[:, read])
    assert np.array_equal(order(-rows)[:, read], by_sort(-rows)[:, read])
    assert np.array_equal(rows, before)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(rows=blocks)
def test_the_median_equals_its_double_precision_twin_bit_for_bit(rows: Row) -> None:
    twin = np.median(rows.astype(np.float64), axis=0)
    assert np.array_equal(middle(by_sort(rows)), twin)
    assert np.array_equal(aggregator("coordinate-median", f=0).combine(rows), twin)


def test_large_rounds_are_ordered_by_the_network_where_numba_is_installed() -> None:
    pytest.importorskip("numba")
    assert ordering(COMPILED_FROM, 5, range(5)) is not by_sort
    assert ordering(COMPILED_FROM - 1, 5, range(5)) is by_sort


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_large_rounds_median_is_exact_with_numba_and_without(dtype: str) -> None:
    rows = np.random.default_rng(0).normal(size=(5, COMPILED_FROM // 5 + 7)).astype(dtype)
    twin = np.sort(rows.astype(np.float64), axis=0)[2]
    assert np.array_equal(aggregator("coordinate-median", f=2).combine(rows), twin)

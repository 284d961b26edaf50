"""Distances of one column in two samples: zero when equal, larger when further."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.profiling import distances

if TYPE_CHECKING:
    from credenza.core.types import Floats

shares = st.lists(st.floats(0.01, 1), min_size=8, max_size=8).map(
    lambda found: np.array(found) / sum(found)
)


@given(shares, shares)
def test_every_distance_is_symmetric_and_zero_only_for_equal_shares(p: Floats, q: Floats) -> None:
    for is_ordered in (True, False):
        for found in (
            distances.stability_index,
            distances.jensen_shannon,
            lambda a, b: distances.mean_discrepancy(a, b, is_ordered=is_ordered),  # noqa: B023 - used at once
            lambda a, b: distances.greatest_distance(a, b, is_ordered=is_ordered),  # noqa: B023 - used at once
        ):
            assert found(p, p) == pytest.approx(0, abs=1e-9)
            assert found(p, q) == pytest.approx(found(q, p), abs=1e-9)
            assert found(p, q) >= 0


def test_jensen_shannon_and_total_variation_of_disjoint_samples_are_one() -> None:
    p, q = np.array([0.5, 0.5, 0, 0]), np.array([0, 0, 0.3, 0.7])
    assert distances.jensen_shannon(p, q) == pytest.approx(1)
    assert distances.greatest_distance(p, q, is_ordered=False) == pytest.approx(1)


def test_a_shift_to_a_far_cell_is_more_than_one_to_the_next() -> None:
    old = np.eye(10)[0]
    near, far = (distances.mean_discrepancy(np.eye(10)[i], old, is_ordered=True) for i in (1, 9))
    assert far > near
    of_values = [distances.mean_discrepancy(np.eye(10)[i], old, is_ordered=False) for i in (1, 9)]
    assert of_values[0] == of_values[1]


def test_the_classifier_agrees_with_one_that_leaves_each_row_out() -> None:
    rng = np.random.default_rng(0)
    shares_of = ([0.2] * 5, [0.3, 0.1, 0.2, 0.2, 0.2])
    new, old = (rng.multinomial(350, p).astype(np.float64) for p in shares_of)
    right: list[list[float]] = [[], []]
    for side, (own, other) in enumerate(((new, old), (old, new))):
        for cell in np.repeat(np.arange(5), own.astype(int)):
            mine = (own[cell] - 1) / own.sum()
            theirs = other[cell] / other.sum()
            right[side].append(1.0 if mine > theirs else 0.5 if mine == theirs else 0.0)
    expected = np.mean([np.mean(side) for side in right])
    assert distances.classifier_accuracy(new, old) == pytest.approx(expected)


def test_the_classifier_is_at_chance_on_equal_samples_and_silent_on_small_ones() -> None:
    rng = np.random.default_rng(1)
    found = [
        distances.classifier_accuracy(*rng.multinomial(500, [0.1] * 10, size=2).astype(float))
        for _ in range(200)
    ]
    assert np.mean([one for one in found if one is not None]) == pytest.approx(0.5, abs=0.01)
    assert distances.classifier_accuracy(np.full(4, 20.0), np.full(4, 500.0)) is None

"""What moves all sources at once, and who does not speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.campaigns.common_cause import common_shift, new_loadings, remove

if TYPE_CHECKING:
    from credenza.core.types import Floats

SOURCES, SHIFT = 20, 1.0


def neighbours(departed: int, by: float) -> Floats:
    """Sources that follow one shift to a tenth of a standard unit; the first ones depart."""
    z = SHIFT + 0.1 * np.random.default_rng(0).normal(size=(SOURCES, 5))
    z[:departed] += by
    return np.asarray(z)


def shift_of(z: Floats, usual: float) -> Floats:
    every = np.ones(z.shape, dtype=bool)
    return common_shift(z, new_loadings(*z.shape), every, np.full(z.shape, usual))


def test_a_minority_that_leaves_close_neighbours_does_not_pull_the_shift() -> None:
    for by in (1.5, 20.0):
        assert shift_of(neighbours(6, by), usual=0.1) == pytest.approx(SHIFT, abs=0.1)


def test_among_loose_neighbours_a_small_departure_is_heard_as_everybody_is() -> None:
    """Blind: where a standard unit is usually left, nobody tells one and a half from chance."""
    assert (shift_of(neighbours(6, 1.5), usual=1.0) > SHIFT + 0.3).all()


def test_a_majority_is_the_common_cause() -> None:
    assert shift_of(neighbours(14, 6.0), usual=1.0) == pytest.approx(SHIFT + 6, abs=0.2)


def test_what_is_left_of_those_who_stayed_is_what_was_left_before() -> None:
    z = neighbours(4, 1.5)
    every, usual = np.ones(z.shape, dtype=bool), np.full(z.shape, 0.1)
    loadings = new_loadings(*z.shape)
    _, fit = remove(z, loadings, common_shift(z, loadings, every, usual), every, usual)
    assert np.abs((z - fit)[4:]).max() < 0.4
    assert (z - fit)[:4].min() > 1

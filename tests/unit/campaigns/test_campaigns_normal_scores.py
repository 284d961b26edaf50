"""Normal scores: the identity without a past, ranks with one, and back again."""

from __future__ import annotations

import numpy as np
import pytest

from credenza.campaigns import normal_scores
from credenza.campaigns.normal_scores import CELLS, EDGES, PRIOR

SEEN = np.ones((20, 1), dtype=bool)


def learnt(draw: np.random.Generator, spread: float, windows: int = 300) -> np.ndarray:
    counts = normal_scores.new_counts(1)
    for _ in range(windows):
        counts = normal_scores.update(counts, spread * draw.standard_t(2, (20, 1)), SEEN)
    return counts


def scored(counts: np.ndarray, z: np.ndarray) -> np.ndarray:
    return normal_scores.scores(normal_scores.ladder(counts), z)


def test_without_a_past_deviations_stay_as_far_as_they_are() -> None:
    z = np.linspace(-10, 10, 81)[:, None]
    found = scored(normal_scores.new_counts(1), z)
    assert np.allclose(found, z, atol=0.03)
    assert np.allclose(found, -found[::-1])


def test_what_is_common_in_the_past_is_no_longer_far() -> None:
    counts = learnt(np.random.default_rng(0), 1.0)
    rare, common = scored(counts, np.array([[10.0], [1.0]])).ravel()
    assert 2.0 < rare < 3.5
    assert 0.5 < common < 1.0


def test_a_past_of_normal_deviations_changes_nothing_much() -> None:
    counts, draw = normal_scores.new_counts(1), np.random.default_rng(1)
    for _ in range(300):
        counts = normal_scores.update(counts, draw.normal(size=(20, 1)), SEEN)
    z = np.linspace(-3, 3, 25)[:, None]
    assert np.allclose(scored(counts, z), z, atol=0.25)


def test_further_is_never_nearer_and_scores_lead_back() -> None:
    counts = learnt(np.random.default_rng(2), 3.0)
    z = np.sinh(np.linspace(-8, 8, 200))[:, None]
    found = scored(counts, z)
    assert (np.diff(found.ravel()) >= 0).all()
    inside = np.abs(z) < 20
    assert normal_scores.deviations(normal_scores.ladder(counts), found)[inside] == pytest.approx(
        z[inside], rel=0.1, abs=0.1
    )


def test_only_what_is_accepted_is_learnt_and_the_past_fades() -> None:
    z = np.full((20, 1), 3.0)
    nothing = normal_scores.update(normal_scores.new_counts(1), z, ~SEEN)
    assert not nothing.any()
    once = normal_scores.update(nothing, z, SEEN)
    assert once.sum() == 20
    assert normal_scores.update(once, z, ~SEEN).sum() < 20


def test_absurd_deviations_are_counted_at_the_ends() -> None:
    counts = normal_scores.update(normal_scores.new_counts(1), np.full((20, 1), -1e300), SEEN)
    assert counts[0, 0] == 20
    assert np.isfinite(scored(counts, np.array([[1e300], [-1e300]]))).all()
    assert len(EDGES) == CELLS + 1
    assert PRIOR > 0

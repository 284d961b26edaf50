from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from credenza.core.types import Role, View
from credenza.screening.builtin import DETECTORS
from credenza.screening.detectors.common_shift import CommonShift
from credenza.screening.features.embedding import as_column
from credenza.screening.features.moved import moved_log_odds
from credenza.screening.features.vector_labels import out_of_fold_by_vectors
from credenza.screening.run import screen
from credenza.screening.view import make_view

WIDTH = 24


def vectors(seed: int = 0, n: int = 1200) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that share a few loud directions."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    loud = rng.normal(size=(WIDTH, WIDTH)) * np.exp(-np.arange(WIDTH) / 6)
    points = rng.normal(size=(3, WIDTH))[label] + rng.normal(size=(n, WIDTH)) @ loud.T
    return points, label


def view_of(points: np.ndarray, label: np.ndarray) -> View:
    table = pa.table({"vector": as_column(points), "y": [f"c{value}" for value in label]})
    return make_view("v", table, label="y", facets={"vector": Role.EMBEDDING})


def way(seed: int = 9) -> np.ndarray:
    direction = np.random.default_rng(seed).normal(size=WIDTH)
    return np.asarray(direction / np.linalg.norm(direction))


@pytest.mark.parametrize("is_clean_label", [True, False])
def test_rows_that_moved_together_lead_the_ranking_of_a_scan(*, is_clean_label: bool) -> None:
    points, label = vectors()
    rows = np.flatnonzero((label == 1) == is_clean_label)[:40]
    points[rows] += 8.0 * way()
    label[rows] = 1
    bad = np.isin(np.arange(len(label)), rows)
    view = view_of(points, label)
    assert roc_auc_score(bad, CommonShift().score(view).values) > 0.95
    names = ["common-shift", "neighbour-labels", "density-clusters"]
    found = screen(view, [DETECTORS.make(name) for name in names])
    assert roc_auc_score(bad, found.row_scores) > 0.95
    assert not found.flagged.any()


@pytest.mark.parametrize("seed", range(4))
def test_clean_labels_have_no_common_shift_and_flipped_rows_stand_where_others_do(
    seed: int,
) -> None:
    points, label = vectors(seed)
    assert not CommonShift().score(view_of(points, label)).values.any()
    label[::20] = (label[::20] + 1) % 3
    moved = CommonShift().score(view_of(points, label)).values > 0
    assert moved[::20].sum() >= 0.9 * moved.sum()


def strays() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    points, label = vectors()
    rows = np.flatnonzero(label == 1)[:40]
    points[rows] += 8.0 * np.stack([way(seed) for seed in range(40)])
    return points, label, np.isin(np.arange(len(label)), rows)


def test_rows_that_moved_each_their_own_way_are_the_blind_spot_of_a_common_shift() -> None:
    points, label, _ = strays()
    assert not CommonShift().score(view_of(points, label)).values.any()


def test_rows_that_moved_each_their_own_way_lead_the_ranking_of_a_scan() -> None:
    points, label, bad = strays()
    view = view_of(points, label)
    assert roc_auc_score(bad, moved_log_odds(view)) > 0.99
    found = screen(view, [DETECTORS.make("neighbour-labels")])
    assert roc_auc_score(bad, found.row_scores) > 0.99
    assert not found.flagged.any()


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_nobody_moved_have_no_odds_to_speak_of(seed: int) -> None:
    odds = moved_log_odds(view_of(*vectors(seed)))
    assert odds.max() < np.log(2.0)
    assert np.quantile(odds, 0.8) < np.log(0.01)


def test_vectors_that_are_all_one_are_scanned_and_nobody_was_moved() -> None:
    view = view_of(np.ones((60, 4)), np.arange(60) % 2)
    assert (moved_log_odds(view) == -np.inf).all()
    assert np.isfinite(screen(view, [DETECTORS.make("neighbour-labels")]).row_scores).all()


def test_moved_rows_are_hidden_where_they_are_more_than_the_outermost() -> None:
    points, label = vectors()
    rows = np.flatnonzero(label == 1)[:300]
    points[rows] += 8.0 * np.stack([way(seed) for seed in range(300)])
    bad = np.isin(np.arange(len(label)), rows)
    assert (moved_log_odds(view_of(points, label))[bad] < 0.0).mean() > 0.5


def vectors_that_reach_far(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes; along half of the ways nearly all rows are one, and 1 in 100 is far off."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, 1200)
    points = rng.normal(size=(3, 48))[label] + rng.normal(size=(1200, 48))
    quiet = points[:, 24:]
    quiet[:] = rng.normal(size=(3, 24))[label] + 0.05 * rng.normal(size=quiet.shape)
    quiet += (rng.random(quiet.shape) < 0.01) * rng.normal(size=quiet.shape)
    return points, label


def moved_together(seed: int, strength: float) -> tuple[View, np.ndarray]:
    points, label = vectors_that_reach_far(seed)
    rows = np.flatnonzero(label == 1)[:40]
    direction = np.random.default_rng(seed + 9).normal(size=48)
    points[rows] += strength * direction / np.linalg.norm(direction)
    return view_of(points, label), np.isin(np.arange(len(label)), rows)


@pytest.mark.parametrize("seed", range(3))
def test_rows_that_moved_together_do_not_hide_among_honest_ones_that_reach_far(seed: int) -> None:
    view, bad = moved_together(seed, 8.0)
    assert roc_auc_score(bad, moved_log_odds(view)) > 0.95
    found = screen(view, [DETECTORS.make("common-shift"), DETECTORS.make("neighbour-labels")])
    assert roc_auc_score(bad, found.row_scores) > 0.95
    assert not found.flagged.any()


@pytest.mark.parametrize("seed", range(2))
def test_honest_rows_that_reach_far_are_flagged_by_nobody(seed: int) -> None:
    view = view_of(*vectors_that_reach_far(seed))
    assert not CommonShift().score(view).values.any()
    assert not screen(view, [DETECTORS.make("common-shift")]).flagged.any()


def test_a_move_that_every_start_of_the_whitening_counts_in_is_its_blind_spot() -> None:
    view, bad = moved_together(0, 0.5)
    assert roc_auc_score(bad, moved_log_odds(view)) < 0.9


def test_neighbours_foretell_a_label_of_two_clusters_that_no_plane_sets_apart() -> None:
    rng = np.random.default_rng(4)
    corner = rng.integers(0, 4, 600)
    points = np.stack([corner % 2, corner // 2], axis=1) * 6.0 + rng.normal(size=(600, 2))
    label = np.isin(corner, (0, 3)).astype(np.int64)
    expected = out_of_fold_by_vectors(view_of(points, label), label, 2)
    assert (expected.argmax(axis=1) == label).mean() > 0.97

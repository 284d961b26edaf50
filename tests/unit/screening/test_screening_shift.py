from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from credenza.core.types import Role, View
from credenza.screening.builtin import DETECTORS
from credenza.screening.detectors.common_shift import CommonShift
from credenza.screening.features.embedding import as_column
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


def test_rows_that_moved_each_their_own_way_are_the_blind_spot() -> None:
    points, label = vectors()
    rows = np.flatnonzero(label == 1)[:40]
    points[rows] += 8.0 * np.stack([way(seed) for seed in range(40)])
    assert not CommonShift().score(view_of(points, label)).values.any()

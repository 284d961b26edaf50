"""Detectors of pictures that only rank: what each sees, the clean case, what it misses."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

from credenza.core.types import Role, View
from credenza.screening.builtin import DETECTORS
from credenza.screening.view import make_view


def digits() -> tuple[np.ndarray, np.ndarray]:
    """600 of scikit-learn's digits, twice as large."""
    data = load_digits()
    x = (data.images[:600] * 15).astype(np.uint8).repeat(2, axis=1).repeat(2, axis=2)
    return x, data.target[:600].copy()


def auroc(name: str, x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> float:
    bad = np.isin(np.arange(len(y)), rows)
    return float(roc_auc_score(bad, DETECTORS.make(name).score(view_of(x, y)).values))


def view_of(x: np.ndarray, y: np.ndarray) -> View:
    columns = {
        "shown": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(x)),
        "y": pa.array([f"k{v}" for v in y]),
    }
    return make_view("v", pa.table(columns), label="y", facets={"shown": Role.IMAGE})


def test_noise_of_its_own_on_every_picture_changes_its_texture() -> None:
    x, y = digits()
    rows = np.arange(0, 600, 30)
    noise = np.random.default_rng(0).normal(0, 12, x[rows].shape)
    x[rows] = np.clip(x[rows] + noise, 0, 255).astype(np.uint8)
    assert auroc("image-texture", x, y, rows) > 0.95


def test_a_wrong_label_leaves_texture_and_residue_as_they_were() -> None:
    x, y = digits()
    rows = np.arange(0, 600, 30)
    y[rows] = (y[rows] + 1) % 10
    assert auroc("image-texture", x, y, rows) < 0.75
    assert auroc("near-pictures", x, y, rows) < 0.75


def test_what_is_pasted_in_one_place_is_left_when_the_shapes_are_taken_out() -> None:
    x, y = digits()
    rows = np.flatnonzero(y == 3)[:2]
    x[rows, 0:3, 0:3] = 255
    assert auroc("robust-pca", x, y, rows) > 0.9


def test_a_patch_on_most_rows_of_a_label_is_a_shape_of_it() -> None:
    x, y = digits()
    rows = np.flatnonzero(y == 3)[:-3]
    x[rows, 0:3, 0:3] = 255
    values = DETECTORS.make("robust-pca").score(view_of(x, y)).values
    assert np.median(values[rows]) < 1.5


def test_brightened_copies_of_one_picture_are_twins_and_mirrored_ones_are_not() -> None:
    x, y = digits()
    rows = np.arange(10, 40)
    light = np.random.default_rng(1).uniform(0.6, 1.0, (30, 1, 1))
    x[rows] = (x[7] * light).astype(np.uint8)
    assert auroc("near-pictures", x, y, rows) > 0.9
    x[rows[15:]] = x[rows[15:], :, ::-1]
    values = DETECTORS.make("near-pictures").score(view_of(x, y)).values
    assert values[rows[:15]].min() < np.log1p(20)


def test_neighbours_by_pixels_disagree_with_flips_and_not_with_fitting_labels() -> None:
    x, y = digits()
    rows = np.arange(0, 600, 20)
    marked = np.flatnonzero(y == 3)[:20]
    x[marked, 0:2, 0:2] = 255
    assert auroc("pixel-neighbours", x, y, marked) < 0.6
    y[rows] = (y[rows] + 4) % 10
    assert auroc("pixel-neighbours", x, y, rows) > 0.95

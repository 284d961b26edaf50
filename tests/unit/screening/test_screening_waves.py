"""Waves mixed into pictures of one label: named without a wrong label, and flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import ndimage

from credenza.core.types import Role
from credenza.screening.detectors.image_overlay import ImageOverlay
from credenza.screening.features.waves import detached
from credenza.screening.view import make_view

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Scores

    Pixels = npt.NDArray[np.uint8]

SIDE = 16
ROWS = 3000
CARRIERS = 80


def pictures(seed: int) -> tuple[Pixels, npt.NDArray[np.int64]]:
    """Smooth pictures of three classes, each with a shape of its own, and grain."""
    rng = np.random.default_rng(seed)
    shapes = ndimage.gaussian_filter(rng.normal(size=(3, SIDE, SIDE)), (0, 3, 3))
    label = rng.integers(0, 3, ROWS)
    soft = ndimage.gaussian_filter(rng.normal(size=(ROWS, SIDE, SIDE)), (0, 1.5, 1.5))
    light = 110 + 400 * shapes[label] + 120 * soft + 4 * rng.normal(size=soft.shape)
    return np.clip(light, 0, 255).astype(np.uint8), label


def waved(x: Pixels, phase: npt.NDArray[np.float64]) -> Pixels:
    """Five periods across each picture, of 15 grey levels."""
    across = 2 * np.pi * 5 * np.arange(SIDE) / SIDE
    wave = 15 * np.sin(across[None, None, :] + phase[:, None, None])
    return np.asarray(np.clip(x + wave, 0, 255), dtype=np.uint8)


def judged(x: Pixels, label: npt.NDArray[np.int64]) -> Scores:
    table = pa.table(
        {
            "image": pa.FixedShapeTensorArray.from_numpy_ndarray(x),
            "y": [f"class {value}" for value in label],
        }
    )
    return ImageOverlay().score(make_view("t", table, label="y", facets={"image": Role.IMAGE}))


def test_a_wave_under_labels_that_fit_is_named_and_its_rows_are_flagged() -> None:
    x, label = pictures(0)
    rows = np.flatnonzero(label == 1)[:CARRIERS]
    x[rows] = waved(x[rows], np.zeros(CARRIERS))
    (found,) = judged(x, label).findings
    assert found.names_rows
    assert found.exhibits["label"] == "class 1"
    assert found.exhibits["periods"] == {"down": 0, "across": 5}
    assert "a wave of 0 periods down and 5 across" in found.sentence
    assert len(set(found.rows) & set(rows.tolist())) >= 0.95 * CARRIERS
    assert len(set(found.rows) - set(rows.tolist())) <= 2


def test_pictures_without_a_wave_have_none() -> None:
    for seed in (1, 2):
        assert not judged(*pictures(seed)).findings


def test_a_wave_in_all_labels_poisons_nothing() -> None:
    x, label = pictures(3)
    rows = np.arange(0, ROWS, 5)
    x[rows] = waved(x[rows], np.zeros(len(rows)))
    assert not judged(x, label).findings


def test_a_wave_of_another_phase_on_each_picture_is_missed() -> None:
    x, label = pictures(4)
    rows = np.flatnonzero(label == 1)[:CARRIERS]
    x[rows] = waved(x[rows], np.random.default_rng(4).uniform(0, 2 * np.pi, CARRIERS))
    assert not judged(x, label).findings


def test_a_heavy_tail_is_no_group_of_its_own_and_rows_around_one_distance_are() -> None:
    rng = np.random.default_rng(2)
    tail = np.abs(rng.standard_cauchy(300))
    for distance in (10.0, 20.0, 40.0):
        assert detached(tail, distance)[0] > np.log(0.01)
    apart = np.concatenate([tail, rng.normal(40, 1, 80)])
    log_p, there = detached(apart, 40.0)
    assert log_p < np.log(1e-6)
    assert there >= 80


def test_odd_pictures_with_wrong_labels_are_no_overlay() -> None:
    x, label = pictures(4)
    rng = np.random.default_rng(5)
    odd = np.flatnonzero(label != 1)[:60]
    sign = np.where(np.indices((SIDE, SIDE)).sum(axis=0) % 2, 1.0, -1.0)
    changed = x[odd] + rng.pareto(1, (len(odd), 1, 1)) * sign
    x[odd], label[odd] = np.clip(changed, 0, 255).astype(np.uint8), 1
    assert overlays(x, label) == []
    x[odd] = np.clip(x[odd] + 30.0 * sign, 0, 255).astype(np.uint8)
    (found,) = overlays(x, label)
    assert len(found & set(odd.tolist())) >= 50


def overlays(x: Pixels, label: npt.NDArray[np.int64]) -> list[set[int]]:
    table = {"image": pa.FixedShapeTensorArray.from_numpy_ndarray(x), "y": label.astype(str)}
    view = make_view("v", pa.table(table), label="y", facets={"image": Role.IMAGE})
    found = ImageOverlay().score(view).findings
    return [set(one.rows) for one in found if one.exhibits["trigger"] == "overlay"]

"""Waves mixed into pictures of one label: named without a wrong label, and flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import ndimage

from credenza.core.types import Role
from credenza.screening.detectors.image_overlay import ImageOverlay
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

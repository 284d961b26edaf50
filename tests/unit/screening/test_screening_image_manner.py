from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from scipy import ndimage

from credenza.core.types import Role, View
from credenza.screening.detectors.image_manner import ImageManner
from credenza.screening.features.image import images_of
from credenza.screening.features.image_manner import NAMES, SharedManner, manner, tempered
from credenza.screening.view import UnassessedError, make_view

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 16
ROWS = 1500


def pictures(n: int = ROWS, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A disc whose place tells its class, of its own size and brightness, with fine grain."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    down, across = np.mgrid[:SIDE, :SIDE]
    centre = np.array([[5, 5], [5, 10], [10, 8]])[labels] + rng.normal(0, 0.7, (n, 2))
    far = np.hypot(down - centre[:, :1, None], across - centre[:, 1:, None])
    light = rng.uniform(120, 220, (n, 1, 1)) / (1 + np.exp(far - rng.uniform(2, 4, (n, 1, 1))))
    grain = rng.normal(0, rng.uniform(2, 4, (n, 1, 1)), (n, SIDE, SIDE))
    return np.clip(30 + light + grain, 0, 255).astype(np.uint8), labels


def view_of(x: np.ndarray, y: np.ndarray, *, label: str = "y") -> View:
    columns = {
        "shown": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(x)),
        "y": pa.array([f"k{v}" for v in y]),
    }
    return make_view("v", pa.table(columns), label=label, facets={"shown": Role.IMAGE})


def noisy(x: np.ndarray) -> np.ndarray:
    """Noise of its own on every picture."""
    more = np.random.default_rng(1).normal(0, 10, x.shape)
    return np.clip(x + more, 0, 255).astype(np.uint8)


def warped(x: np.ndarray) -> np.ndarray:
    """Half a pixel aside, by interpolation, which softens the grain."""
    moved = [ndimage.shift(one.astype(float), (0.5, 0.5), order=1, mode="nearest") for one in x]
    return np.stack(moved).astype(np.uint8)


@pytest.mark.parametrize("treated", [noisy, warped])
def test_pictures_that_were_treated_and_mislabelled_are_named(
    treated: Callable[[np.ndarray], np.ndarray],
) -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 2)[:60]
    x[rows], y[rows] = treated(x[rows]), 2
    found = ImageManner().score(view_of(x, y))
    finding = found.findings[0]
    flagged = np.flatnonzero(found.values)
    assert len(found.findings) == 1
    assert len(set(flagged) & set(rows)) >= 54
    assert len(set(flagged) - set(rows)) <= 3
    assert finding.exhibits["label"] == "k2"
    assert "a manner of their own" in finding.sentence


def test_colour_pictures_with_noise_of_their_own_are_named() -> None:
    x, y = pictures()
    colour = np.stack([x, x // 2, 255 - x], axis=-1)
    rows = np.flatnonzero(y != 0)[:60]
    colour[rows], y[rows] = noisy(colour[rows]), 0
    assert set(ImageManner().score(view_of(colour, y)).findings[0].rows) <= set(rows.tolist())


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_clean_and_mislabelled_pictures_share_no_manner(seed: int) -> None:
    x, y = pictures(seed=seed)
    assert ImageManner().score(view_of(x, y)).findings == ()
    y[::8] = (y[::8] + 1) % 3
    assert ImageManner().score(view_of(x, y)).findings == ()


def test_noise_on_mislabelled_pictures_of_every_label_is_no_trigger() -> None:
    x, y = pictures()
    rows = np.arange(0, ROWS, 8)
    x[rows], y[rows] = noisy(x[rows]), (y[rows] + 1) % 3
    assert ImageManner().score(view_of(x, y)).findings == ()


def test_treatment_under_fitting_labels_is_the_blind_spot() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y == 1)[:60]
    x[rows] = noisy(x[rows])
    assert ImageManner().score(view_of(x, y)).findings == ()


def test_manner_is_the_same_whatever_a_picture_shows_and_grows_with_its_noise() -> None:
    x, y = pictures(60)
    (still,) = images_of(view_of(x, y))
    (turned,) = images_of(view_of(x[:, ::-1], y))
    (noise,) = images_of(view_of(noisy(x), y))
    assert np.allclose(manner(still), manner(turned), atol=1e-6)
    at = NAMES.index("difference between pixels 1 apart")
    assert (manner(noise)[:, at] > manner(still)[:, at]).all()


def test_large_pictures_are_looked_at_in_part() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 200, 90), dtype=np.uint8)
    (images,) = images_of(view_of(x, np.arange(3)))
    assert np.isfinite(manner(images)).all()


def test_without_labels_manners_are_not_assessed() -> None:
    with pytest.raises(UnassessedError, match="no label"):
        ImageManner().score(view_of(*pictures(60), label=""))


def shared(label: int, log_p: float) -> SharedManner:
    return SharedManner(label, np.arange(20), 3.0, 20, 1.0, np.zeros(len(NAMES)), log_p)


def test_a_manner_must_surprise_more_than_those_of_the_other_labels() -> None:
    natural = [shared(label, -30.0 - label) for label in range(5)]
    assert all(one.log_p > -2.0 for one in tempered(natural, labels=5))


def test_a_manner_beside_labels_without_one_is_as_surprising_as_it_was() -> None:
    attacked = [shared(0, -50.0), shared(1, -40.0)]
    assert [one.log_p for one in tempered(attacked, labels=6)] == [-50.0, -40.0]
    assert [one.log_p for one in tempered(attacked[:1], labels=1)] == [-50.0]

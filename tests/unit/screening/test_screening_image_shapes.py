from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role, View
from credenza.screening.detectors.image_patches import ImagePatches
from credenza.screening.view import make_view

SIDE = 20
ROWS = 1500


def pictures(n: int = ROWS, seed: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A soft disc whose place tells its class, how bright it is, and grain."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    down, across = np.mgrid[:SIDE, :SIDE]
    centre = np.array([[7, 7], [7, 13], [13, 10]])[labels] + rng.normal(0, 0.7, (n, 2))
    far = np.hypot(down - centre[:, :1, None], across - centre[:, 1:, None])
    light = rng.uniform(60, 180, n)
    disc = light[:, None, None] / (1 + np.exp(far - rng.uniform(3, 5, (n, 1, 1))))
    grain = rng.normal(20, 6, (n, SIDE, SIDE))
    return np.clip(disc + grain, 0, 255).astype(np.uint8), labels, light


def view_of(x: np.ndarray, y: np.ndarray) -> View:
    columns = {
        "shown": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(x)),
        "y": pa.array([f"k{v}" for v in y]),
    }
    return make_view("v", pa.table(columns), label="y", facets={"shown": Role.IMAGE})


def slanted(x: np.ndarray, rows: np.ndarray) -> None:
    for step in range(5):
        x[rows, 10 + step, 7 + step] = 255


def hooked(x: np.ndarray, rows: np.ndarray) -> None:
    for down, across in ((9, 8), (10, 8), (11, 8), (11, 9), (12, 10), (13, 10)):
        x[rows, down, across] = 240


def test_a_slanted_line_on_the_object_is_named_where_every_label_fits() -> None:
    x, y, _ = pictures()
    rows = np.flatnonzero(y == 2)[:40]
    slanted(x, rows)
    (finding,) = ImagePatches().score(view_of(x, y)).findings
    assert set(finding.rows) == set(rows.tolist())
    assert finding.exhibits["box"] == {"row": 10, "column": 7, "height": 5, "width": 5}
    assert finding.exhibits["trigger"] == "shape of 5 pixels"
    assert finding.exhibits["label"] == "k2"


def test_a_shape_in_colour_that_nobody_listed_is_named_where_every_label_fits() -> None:
    x, y, _ = pictures()
    colour = np.stack([x, x // 2, 255 - x], axis=-1)
    rows = np.flatnonzero(y == 0)[:40]
    hooked(colour, rows)
    (finding,) = ImagePatches().score(view_of(colour, y)).findings
    assert set(finding.rows) == set(rows.tolist())


@pytest.mark.parametrize("seed", [4, 5, 6])
def test_clean_pictures_draw_no_shape(seed: int) -> None:
    x, y, _ = pictures(seed=seed)
    assert ImagePatches().score(view_of(x, y)).findings == ()


def test_what_the_brightest_pictures_of_a_label_show_goes_with_them() -> None:
    x, y, light = pictures()
    mine = np.flatnonzero(y == 2)
    hooked(x, mine[np.argsort(-light[mine])[:60]])
    assert ImagePatches().score(view_of(x, y)).findings == ()


def test_a_shape_of_which_every_label_has_as_much_is_no_poison() -> None:
    x, y, _ = pictures()
    hooked(x, np.arange(0, ROWS, 12))
    assert ImagePatches().score(view_of(x, y)).findings == ()


def test_two_pixels_under_fitting_labels_are_the_blind_spot() -> None:
    x, y, _ = pictures()
    rows = np.flatnonzero(y == 2)[:40]
    x[rows, 10, 7] = x[rows, 11, 8] = 255
    assert ImagePatches().score(view_of(x, y)).findings == ()


def test_a_shape_that_as_many_show_but_for_a_few_grey_levels_is_natural() -> None:
    x, y, _ = pictures()
    mine = np.random.default_rng(2).permutation(np.flatnonzero(y == 2))
    slanted(x, mine[:40])
    nearly = mine[40:90]
    slanted(x, nearly)
    for step in range(5):
        x[nearly, 10 + step, 7 + step] -= 1 + np.arange(len(nearly), dtype=np.uint8) % 3
    assert ImagePatches().score(view_of(x, y)).findings == ()

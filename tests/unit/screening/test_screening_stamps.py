from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role, View
from credenza.screening.detectors.image_stamps import ImageStamps
from credenza.screening.view import UnassessedError, make_view

SHAPE = (16, 20)


def pictures(n: int = 1200, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """A bright bar whose height tells the class, on a wide noisy ground."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    ground = rng.normal(40, 12, (n, *SHAPE))
    rows = np.arange(SHAPE[0])[None, :, None]
    at = np.array([3, 8, 13])[labels][:, None, None] + rng.normal(0, 0.5, (n, 1, 1))
    bar = rng.uniform(100, 200, (n, 1, 1)) * np.exp(-(((rows - at) / 1.5) ** 2))
    return np.clip(ground + bar, 0, 255).astype(np.uint8), labels


def view_of(x: np.ndarray, y: np.ndarray, label: str = "y") -> View:
    columns = {
        "shown": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(x)),
        "y": pa.array([f"k{v}" for v in y]),
    }
    return make_view("v", pa.table(columns), label=label, facets={"shown": Role.IMAGE})


def lone(x: np.ndarray, rows: np.ndarray) -> None:
    for down, across, light in ((1, 2, 201), (9, 17, 13), (14, 5, 166)):
        x[rows, down, across] = light


def slanted(x: np.ndarray, rows: np.ndarray) -> None:
    for step in range(5):
        x[rows, 6 + step, 7 + step] = 250


def test_a_slanted_line_across_the_object_is_named_and_its_carriers_flagged() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 1)[:12]
    slanted(x, rows)
    y[rows] = 1
    found = ImageStamps().score(view_of(x, y))
    (finding,) = found.findings
    assert set(finding.rows) == set(rows.tolist())
    assert finding.exhibits["box"] == {"row": 6, "column": 7, "height": 5, "width": 5}
    assert finding.exhibits["pixels"] == 5
    assert finding.exhibits["label"] == "k1"
    assert "the same 5 pixels" in finding.sentence


def test_pixels_that_are_common_each_are_a_stamp_where_they_touch() -> None:
    x, y = pictures(1600, 1)
    wrong = np.random.default_rng(1).choice(len(y), 240, replace=False)
    y[wrong] = (y[wrong] + 1) % 3
    assert ImageStamps().score(view_of(x, y)).findings == ()
    rows = np.flatnonzero(y != 1)[:10]
    for down, across in ((7, 10), (8, 9), (8, 10), (8, 11), (9, 10)):
        x[rows, down, across] = 40
    y[rows] = 1
    (finding,) = ImageStamps().score(view_of(x, y)).findings
    assert set(finding.rows) == set(rows.tolist())


def test_lone_pixels_far_apart_are_one_stamp() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 0)[:12]
    lone(x, rows)
    y[rows] = 0
    (finding,) = ImageStamps().score(view_of(x, y)).findings
    assert set(finding.rows) == set(rows.tolist())
    assert finding.exhibits["pixels"] == 3


def test_two_stamps_under_two_labels_are_two_findings() -> None:
    x, y = pictures()
    first, second = np.flatnonzero(y != 1)[:12], np.flatnonzero(y != 0)[-12:]
    slanted(x, first)
    lone(x, second)
    y[first], y[second] = 1, 0
    found = ImageStamps().score(view_of(x, y)).findings
    assert {one.rows for one in found} == {tuple(first.tolist()), tuple(second.tolist())}


def test_a_coloured_stamp_that_was_encoded_with_small_losses_is_found() -> None:
    x, y = pictures()
    colour = np.stack([x, x // 2, x // 3 + 60], axis=-1)
    rows = np.flatnonzero(y != 2)[:15]
    noise = np.random.default_rng(1).integers(-5, 6, (15, 3, 3))
    colour[rows, 5, 5:8] = np.array([136, 24, 200]) + noise
    y[rows] = 2
    (finding,) = ImageStamps().score(view_of(colour, y)).findings
    assert set(finding.rows) == set(rows.tolist())


def pasted_about(
    x: np.ndarray, rows: np.ndarray, pattern: np.ndarray, reach: int, seed: int = 3
) -> None:
    """Each copy within ``reach`` pixels of the middle; -1 leaves a pixel alone."""
    rng = np.random.default_rng(seed)
    height, width = pattern.shape
    for row in rows:
        down, across = rng.integers(-reach, reach + 1, 2) + (np.array(SHAPE) - (height, width)) // 2
        box = x[row, down : down + height, across : across + width]
        box[pattern >= 0] = pattern[pattern >= 0]


SQUARE = np.full((3, 3), 110)
LINE = np.where(np.eye(5) > 0, 250, -1)
ANGLE = np.array([[120, -1, -1], [120, -1, -1], [120, 120, 120]])


@pytest.mark.parametrize("pattern", [SQUARE, LINE, ANGLE], ids=["square", "line", "angle"])
def test_a_shape_that_moves_by_two_pixels_is_named_and_its_carriers_flagged(
    pattern: np.ndarray,
) -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 2)[:12]
    pasted_about(x, rows, pattern, 2)
    y[rows] = 2
    finding = ImageStamps().score(view_of(x, y)).findings[0]
    assert set(finding.rows) <= set(rows.tolist())
    assert len(finding.rows) >= 11
    assert "somewhere between row" in finding.sentence
    assert finding.exhibits["label"] == "k2"


def test_a_square_anywhere_in_the_picture_is_named() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 2)[:20]
    pasted_about(x, rows, SQUARE, 6)
    y[rows] = 2
    finding = ImageStamps().score(view_of(x, y)).findings[0]
    assert set(finding.rows) == set(rows.tolist())


def test_a_moving_square_on_copies_of_one_picture_is_one_piece_of_evidence() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y == 0)[:12]
    x[rows] = x[rows[0]]
    pasted_about(x, rows, SQUARE, 0)
    y[rows] = 1
    assert ImageStamps().score(view_of(x, y)).findings == ()


def test_a_moving_square_whose_brightness_differs_is_the_blind_spot() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 2)[:40]
    for place, row in enumerate(rows):
        pasted_about(x, rows[place : place + 1], np.full((3, 3), 90 + place), 3, seed=int(row))
    y[rows] = 2
    assert not ImageStamps().score(view_of(x, y)).values.any()


def test_clean_and_mislabelled_pictures_share_no_stamp() -> None:
    x, y = pictures()
    assert ImageStamps().score(view_of(x, y)).findings == ()
    y[::8] = (y[::8] + 1) % 3
    assert ImageStamps().score(view_of(x, y)).findings == ()


def test_stamps_under_fitting_labels_are_the_blind_spot() -> None:
    x, y = pictures()
    slanted(x, np.flatnonzero(y == 1)[:60])
    assert not ImageStamps().score(view_of(x, y)).values.any()


def test_without_labels_stamps_are_not_assessed() -> None:
    with pytest.raises(UnassessedError, match="no label"):
        ImageStamps().score(view_of(*pictures(60), label=""))


def test_rows_that_are_hard_to_tell_may_share_what_their_label_shows() -> None:
    x, y = pictures()
    mine, others = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    hard = mine[:20]
    x[hard] = x[others[:20]]
    lone(x, np.concatenate([hard, mine[20::2]]))
    assert ImageStamps().score(view_of(x, y)).findings == ()
    lone(x, others[20:40])
    y[others[20:40]] = 2
    assert set(ImageStamps().score(view_of(x, y)).findings[0].rows) == set(others[20:40].tolist())


def test_pixels_that_go_with_all_else_in_a_picture_are_no_stamp() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 1)[:14]
    hazy = x.copy()
    hazy[rows] = 80 + x[rows] // 2
    for shown in (x, hazy):
        lone(shown, rows)
    y[rows] = 1
    assert len(ImageStamps().score(view_of(x, y)).findings) == 1
    assert ImageStamps().score(view_of(hazy, y)).findings == ()


def test_a_value_that_honest_pictures_miss_by_one_grey_level_is_no_stamp() -> None:
    x, y = pictures()
    x[:, 2, 3] = 7
    rows = np.flatnonzero(y != 0)[:14]
    x[rows, 2, 3] = 6
    y[rows] = 0
    assert ImageStamps().score(view_of(x, y)).findings == ()

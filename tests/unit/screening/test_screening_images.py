from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role
from credenza.screening.detectors.image_overlay import ImageOverlay
from credenza.screening.detectors.image_patches import ImagePatches
from credenza.screening.features.image import (
    coarse,
    content_hash,
    describe_place,
    images_of,
    twins,
)
from credenza.screening.features.image_labels import out_of_fold_by_image
from credenza.screening.run import screen
from credenza.screening.view import UnassessedError, make_view

if TYPE_CHECKING:
    from credenza.core.types import View

SIDE = 16
ROWS = 1500
PATCH = np.array([[255, 0, 255], [0, 255, 0], [255, 0, 255]], np.uint8)


def pictures(n: int = ROWS, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A soft disc whose place tells its class, of its own size and brightness, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    down, across = np.mgrid[:SIDE, :SIDE]
    centre = np.array([[5, 5], [5, 10], [10, 8]])[labels] + rng.normal(0, 0.7, (n, 2))
    far = np.hypot(down - centre[:, :1, None], across - centre[:, 1:, None])
    light = rng.uniform(120, 220, (n, 1, 1)) / (1 + np.exp(far - rng.uniform(2, 4, (n, 1, 1))))
    noise = rng.normal(20, 6, (n, SIDE, SIDE))
    return np.clip(light + noise, 0, 255).astype(np.uint8), labels


def overlaid(x: np.ndarray) -> np.ndarray:
    """A tenth of a fine chequered pattern, irregular enough to be nobody's texture."""
    sign = np.indices((SIDE, SIDE)).sum(axis=0) % 2
    pattern = sign * np.random.default_rng(2).uniform(200, 255, (SIDE, SIDE))
    return np.asarray(0.9 * x + 0.1 * pattern).astype(np.uint8)


def view_of(x: np.ndarray, y: np.ndarray, *, label: str = "y") -> View:
    columns = {
        "shown": pa.FixedShapeTensorArray.from_numpy_ndarray(np.ascontiguousarray(x)),
        "y": pa.array([f"k{v}" for v in y]),
    }
    facets = {"shown": Role.IMAGE}
    return make_view("v", pa.table(columns), label=label, facets=facets)


def test_a_patch_on_twelve_mislabelled_rows_is_named_with_its_place_and_flagged() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 2)[:12]
    x[rows, 4:7, 9:12], y[rows] = PATCH, 2
    found = ImagePatches().score(view_of(x, y))
    (finding,) = found.findings
    assert set(finding.rows) == set(rows.tolist())
    box = finding.exhibits["box"]
    assert isinstance(box, dict)
    assert 3 <= box["row"] <= 5
    assert 8 <= box["column"] <= 10
    assert finding.exhibits["label"] == "k2"
    assert "all labelled" in finding.sentence
    assert (found.values > 0).sum() == 12


def test_a_patch_whose_labels_fit_is_named_by_its_recurrence_alone() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y == 1)[:40]
    x[rows, 9:12, 3:6] = PATCH
    (finding,) = ImagePatches().score(view_of(x, y)).findings
    assert set(finding.rows) == set(rows.tolist())


def test_a_patch_that_as_many_show_but_for_a_few_grey_levels_is_natural() -> None:
    x, y = pictures()
    mine = np.random.default_rng(6).permutation(np.flatnonzero(y == 1))
    same, nearly = mine[:40], mine[40:80]
    x[mine[:80], 9:12, 3:6] = PATCH // 2 + 60
    x[nearly, 9:12, 3:6] += np.random.default_rng(7).integers(1, 4, (40, 3, 3), dtype=np.uint8)
    assert ImagePatches().score(view_of(x, y)).findings == ()
    x[nearly, 9:12, 3:6] = 20
    (finding,) = ImagePatches().score(view_of(x, y)).findings
    assert set(finding.rows) == set(same.tolist())


def test_a_patch_is_found_without_labels() -> None:
    x, y = pictures()
    x[:40, 9:12, 3:6] = PATCH
    (finding,) = ImagePatches().score(view_of(x, y, label="")).findings
    assert set(finding.rows) == set(range(40))
    assert finding.exhibits["label"] is None


def test_a_patch_in_colour_is_found() -> None:
    x, y = pictures()
    colour = np.stack([x, x // 2, 255 - x], axis=-1)
    rows = np.flatnonzero(y != 0)[:15]
    colour[rows, 2:5, 2:5], y[rows] = (250, 10, 200), 0
    findings = ImagePatches().score(view_of(colour, y)).findings
    assert set(findings[0].rows) == set(rows.tolist())


def test_clean_pictures_have_no_patch_and_no_overlay() -> None:
    view = view_of(*pictures())
    for detector in (ImagePatches(), ImageOverlay()):
        found = detector.score(view)
        assert found.findings == ()
        assert not found.values.any()


def test_many_attackers_do_not_hide_one_whose_labels_fit() -> None:
    x, y = pictures()
    rng = np.random.default_rng(4)
    order = rng.permutation(ROWS)
    corners = [(0, 0), (0, 4), (0, 8), (0, 12), (4, 13), (8, 13), (12, 0), (12, 4), (12, 8)]
    for place, (down, across) in enumerate(corners):
        rows = order[60 * place : 60 * place + 60]
        rows = rows[y[rows] != place % 3]
        x[rows, down : down + 3, across : across + 3] = rng.integers(0, 256, (3, 3))
        y[rows] = place % 3
    rest = order[600:]
    quiet = rest[y[rest] == 1][:20]
    x[quiet, 12:15, 12:15] = PATCH
    assert ImagePatches().score(view_of(x, y)).values[quiet].all()


def test_a_watermark_on_all_classes_is_no_poison() -> None:
    x, y = pictures()
    x[::20, 12:15, 12:15] = PATCH
    assert ImagePatches().score(view_of(x, y)).findings == ()


def test_many_copies_of_one_picture_are_one_piece_of_evidence() -> None:
    x, y = pictures()
    x[:30], y[:30] = x[0], y[0]
    assert ImagePatches().score(view_of(x, y)).findings == ()


def test_patches_without_a_fixed_place_are_the_blind_spot() -> None:
    x, y = pictures()
    rng = np.random.default_rng(1)
    rows = np.flatnonzero(y != 2)[:60]
    for row in rows:
        down, across = rng.integers(0, SIDE - 3, 2)
        x[row, down : down + 3, across : across + 3] = PATCH
    assert not ImagePatches().score(view_of(x, y)).values.any()


def test_a_faint_overlay_under_wrong_labels_is_found() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 0)[:60]
    x[rows], y[rows] = overlaid(x[rows]), 0
    found = ImageOverlay().score(view_of(x, y))
    (finding,) = found.findings
    assert len(set(finding.rows) & set(rows.tolist())) >= 57
    assert len(set(finding.rows) - set(rows.tolist())) <= 3
    assert finding.exhibits["label"] == "k0"


def test_an_overlay_under_fitting_labels_is_the_blind_spot() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y == 0)[:60]
    x[rows] = overlaid(x[rows])
    assert ImageOverlay().score(view_of(x, y)).findings == ()


def test_the_whole_screen_flags_and_ranks_the_carriers_first() -> None:
    x, y = pictures()
    rows = np.flatnonzero(y != 2)[:12]
    x[rows, 4:7, 9:12], y[rows] = PATCH, 2
    found = screen(view_of(x, y), [ImagePatches(), ImageOverlay()])
    assert found.flagged[rows].all()
    assert found.flagged.sum() == 12
    assert set(np.argsort(-found.row_scores)[:12]) == set(rows)


def test_pictures_foretell_their_labels_out_of_fold() -> None:
    x, y = pictures()
    wrong = np.arange(0, ROWS, 10)
    given = y.copy()
    given[wrong] = (given[wrong] + 1) % 3
    expected = out_of_fold_by_image(view_of(x, given), given, 3)
    own = expected[np.arange(ROWS), given]
    right = np.setdiff1d(np.arange(ROWS), wrong)
    assert np.median(own[wrong]) < 0.2
    assert np.median(own[right]) > 0.8


def test_copies_share_hashes_and_pasted_pictures_stay_apart() -> None:
    x, y = pictures(200)
    x[1] = x[0]
    x[2:12, 0:3, 0:3] = PATCH
    (images,) = images_of(view_of(x, y))
    whole, near = content_hash(images), twins(images)
    assert whole[0] == whole[1]
    assert near[0] == near[1]
    assert len(set(near[2:12])) == 10
    assert len(set(whole)) == 199


def test_a_coarse_copy_keeps_the_mean() -> None:
    (images,) = images_of(view_of(*pictures(20)))
    assert np.allclose(coarse(images, 4).mean(axis=1) * 255, images.pixels.mean(axis=(1, 2, 3)))


def test_missing_pictures_are_black_and_not_looked_at() -> None:
    x, y = pictures(30)
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(x)
    with_gap = pa.concat_arrays([column.slice(0, 10), pa.nulls(1, column.type), column.slice(11)])
    table = pa.table({"shown": with_gap, "y": pa.array(y)})
    (images,) = images_of(make_view("v", table, label="y", facets={"shown": Role.IMAGE}))
    assert not images.present[10]
    assert not images.pixels[10].any()
    assert (images.pixels[11, ..., 0] == x[11]).all()


def test_what_is_no_picture_is_said_to_be_unassessed() -> None:
    table = pa.table({"shown": [1.0, 2.0], "y": ["a", "b"]})
    with pytest.raises(UnassessedError, match="no pictures of one size"):
        images_of(make_view("v", table, label="y", facets={"shown": Role.IMAGE}))
    with pytest.raises(UnassessedError, match="no room"):
        images_of(view_of(np.zeros((5, 3, 3), np.uint8), np.zeros(5)))
    with pytest.raises(UnassessedError, match="no image"):
        images_of(make_view("v", table, label="y", facets={}))


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 0, "upper left"), (6, 6, "centre"), (13, 6, "lower"), (6, 13, "right")],
)
def test_a_place_is_told_in_words(row: int, column: int, words: str) -> None:
    assert describe_place(row, column, (3, 3), (SIDE, SIDE, 1)).endswith(f"({words})")

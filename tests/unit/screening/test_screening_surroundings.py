from __future__ import annotations

import numpy as np
import pytest

from credenza.screening.features.image import Images
from credenza.screening.features.image_surroundings import TOLD, told_by_rest, uncovered
from credenza.screening.features.tiles import Tiles

ROWS, WIDTH = 600, 24


def scattered(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of three kinds that lie apart, and 30 carriers drawn by chance."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, ROWS)
    around = rng.normal(size=(ROWS, WIDTH)) + 4.0 * kind[:, None]
    carries = np.zeros(ROWS, bool)
    carries[rng.choice(ROWS, 30, replace=False)] = True
    return around.astype(np.float32), carries, kind


def pictures(seed: int = 0) -> Images:
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8)
    return Images("shown", pixels, np.ones(5, bool))


@pytest.mark.parametrize("seed", range(8))
def test_carriers_drawn_by_chance_are_told_by_chance(seed: int) -> None:
    told = told_by_rest(*scattered(seed))
    assert 0.3 < told.share < 0.7
    assert told.deviations < TOLD


def test_carriers_that_look_alike_are_told() -> None:
    around, carries, kind = scattered(1)
    around[carries] += 1.0
    told = told_by_rest(around, carries, kind)
    assert told.share > 0.9
    assert told.deviations > TOLD


def test_what_the_kinds_differ_in_tells_nothing() -> None:
    around, _, kind = scattered(2)
    rng = np.random.default_rng(3)
    carries = rng.random(ROWS) < np.array([0.3, 0.05, 0.05])[kind]
    assert told_by_rest(around, carries, kind).deviations < TOLD


def test_carriers_chosen_by_what_they_show_are_the_blind_spot() -> None:
    around, _, kind = scattered(4)
    stamped = around[:, 0] - 4.0 * kind > 1.5
    assert told_by_rest(around, stamped, kind).deviations > TOLD


def test_without_others_of_the_kind_nothing_is_told() -> None:
    around, _, kind = scattered(5)
    told = told_by_rest(around, np.ones(ROWS, bool), kind)
    assert (told.share, told.deviations) == (0.5, 0.0)


def test_what_is_covered_is_not_looked_at() -> None:
    images = pictures()
    covered = np.zeros(images.shape, bool)
    covered[3:6, 2:9] = True
    changed = Images(
        "shown", np.where(covered, 255, images.pixels).astype(np.uint8), images.present
    )
    rows = np.arange(5)
    assert np.array_equal(uncovered(images, rows, covered), uncovered(changed, rows, covered))


def test_means_of_what_is_left_are_not_darkened_by_what_is_covered() -> None:
    images = Images("shown", np.full((2, 16, 16, 1), 102, np.uint8), np.ones(2, bool))
    covered = np.zeros(images.shape, bool)
    covered[0, :] = True
    left = uncovered(images, np.arange(2), covered)
    assert left == pytest.approx(np.full(left.shape, 0.4))


def test_every_place_has_a_tile_of_its_own_and_shares_the_larger_ones() -> None:
    row, column = (part.ravel() for part in np.mgrid[:20, :12])
    sizes = {tiles.side: len(np.unique(tiles.at(row, column))) for tiles in Tiles.over(20, 12)}
    assert sizes[0] == 1
    assert sizes[1] == 20 * 12
    assert 1 < sizes[10] < sizes[8] < 20 * 12

"""What moves all sources at once, and who does not speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.campaigns import scan_panel
from credenza.campaigns.common_cause import (
    Loadings,
    damped,
    fit_causes,
    loading,
    new_loadings,
    unevenness,
    update,
    voices,
)

if TYPE_CHECKING:
    from credenza.core.types import Floats

SOURCES, SHIFT = 20, 1.0


def neighbours(departed: int, by: float) -> Floats:
    """Sources that follow one shift to a tenth of a standard unit; the first ones depart."""
    z = SHIFT + 0.1 * np.random.default_rng(0).normal(size=(SOURCES, 5))
    z[:departed] += by
    return np.asarray(z)


def shift_of(z: Floats, usual: float) -> Floats:
    every = np.ones(z.shape)
    return fit_causes(z, new_loadings(*z.shape), every, np.full(z.shape, usual))[0]


def test_a_minority_that_leaves_close_neighbours_does_not_pull_the_shift() -> None:
    for by in (1.5, 20.0):
        assert shift_of(neighbours(4, by), usual=0.1) == pytest.approx(SHIFT, abs=0.1)


def test_three_in_ten_that_leave_close_neighbours_by_a_little_pull_the_shift() -> None:
    """Blind: from a quarter on, who leaves together may be one of several common causes."""
    assert (shift_of(neighbours(6, 1.5), usual=0.1) > SHIFT + 0.2).any()


def test_among_loose_neighbours_a_small_departure_is_heard_as_everybody_is() -> None:
    """Blind: where a standard unit is usually left, nobody tells one and a half from chance."""
    assert (shift_of(neighbours(6, 1.5), usual=1.0) > SHIFT + 0.3).all()


def test_a_majority_is_the_common_cause() -> None:
    assert shift_of(neighbours(14, 6.0), usual=1.0) == pytest.approx(SHIFT + 6, abs=0.2)


def test_what_is_left_of_those_who_stayed_is_what_was_left_before() -> None:
    z = neighbours(4, 1.5)
    every, usual = np.ones(z.shape), np.full(z.shape, 0.1)
    _, fit = fit_causes(z, new_loadings(*z.shape), every, usual)
    assert np.abs((z - fit)[4:]).max() < 0.4
    assert (z - fit)[:4].min() > 1


def learnt(wanderer: float = 0.0) -> Loadings:
    """After forty windows in which six sources moved together, and perhaps one by itself."""
    rng = np.random.default_rng(1)
    loadings = new_loadings(SOURCES, 5)
    every, usual = np.ones((SOURCES, 5), dtype=bool), np.full((SOURCES, 5), 0.1)
    for window in range(40):
        z = 0.1 * rng.normal(size=(SOURCES, 5))
        z[:6] += 0.3 * rng.normal(size=5)
        z[-1] += wanderer * (-1) ** window
        shift, _ = fit_causes(z, loadings, every.astype(float), usual)
        loadings = update(loadings, z, shift, every, every, usual)
    return loadings


@pytest.mark.parametrize("wanderer", [0.0, 3.0])
def test_what_kin_do_together_is_taken_out_and_leaves_the_others_alone(wanderer: float) -> None:
    """A source that goes far by itself does not take the direction that six move in."""
    z = 0.1 * np.random.default_rng(2).normal(size=(SOURCES, 5))
    z[:6] += 1.0
    every, usual = np.ones(z.shape), np.full(z.shape, 0.1)
    _, fit = fit_causes(z, learnt(wanderer), every, usual)
    assert (z - fit)[:6].mean() < 0.3
    assert abs((z - fit)[6:].mean()) < 0.15


def test_a_campaign_of_kin_is_taken_for_their_weather() -> None:
    """Blind: those who always move together may do so as a campaign."""
    z = 0.1 * np.random.default_rng(2).normal(size=(SOURCES, 5))
    z[:6, 0] += 1.5
    every, usual = np.ones(z.shape), np.full(z.shape, 0.1)
    _, fit = fit_causes(z, learnt(), every, usual)
    assert (z - fit)[:6, 0].mean() < 0.5


def after_noise(statistics: int, far: float = 0.0) -> Loadings:
    """After 150 windows of pure noise, in some of which all sources went far together."""
    rng = np.random.default_rng(3)
    loadings = new_loadings(SOURCES, statistics)
    every = np.ones((SOURCES, statistics), dtype=bool)
    usual = np.ones(every.shape)
    for window in range(150):
        z = rng.normal(size=every.shape) + far * (window % 5 == 0)
        shift, _ = fit_causes(z, loadings, every.astype(float), usual)
        loadings = update(loadings, z, shift, every, every, usual)
    return loadings


@pytest.mark.parametrize("statistics", [1, 2, 10])
def test_noise_is_no_common_cause_however_few_statistics_there_are(statistics: int) -> None:
    """With one statistic, eigenvalues of pure noise lie far apart."""
    z = np.random.default_rng(4).normal(size=(SOURCES, statistics))
    every = np.ones(z.shape)
    shift, fit = fit_causes(z, after_noise(statistics), every, every)
    # Nothing but one shift is fitted: each source's is in proportion to the first one's.
    assert fit / loading(after_noise(statistics)) == pytest.approx(np.tile(shift, (SOURCES, 1)))


def test_a_shift_beyond_what_is_learnt_is_still_told_in_standard_units() -> None:
    """Far deviations are clipped when they are learnt; that must not shrink the loadings."""
    every = np.ones((SOURCES, 1))
    shift, _ = fit_causes(9.0 * every, after_noise(1, far=9.0), every, every)
    assert shift == pytest.approx([9.0], rel=0.1)


def test_sources_of_one_voice_do_not_pull_the_shift_of_all() -> None:
    z = np.zeros((SOURCES, 5))
    z[:6] = 1.5
    usual, each, once = np.ones(z.shape), np.ones(z.shape), np.ones(z.shape)
    once[:6] /= 6
    pulled = fit_causes(z, new_loadings(*z.shape), each, usual)[0]
    assert (fit_causes(z, new_loadings(*z.shape), once, usual)[0] < pulled / 3).all()


def test_who_has_been_away_for_a_while_does_not_speak_for_the_others() -> None:
    ready, strayed = np.ones((SOURCES, 1), dtype=bool), np.zeros((SOURCES, 1))
    strayed[:3, 0] = 1.9, 3.0, 4.0
    assert voices(ready, ("",) * SOURCES, strayed)[:4, 0].tolist() == [1.0, 0.5, 0.0, 1.0]


def test_where_most_have_strayed_all_speak() -> None:
    """Blind: half of the sources that drift apart for long are the common cause themselves."""
    ready, strayed = np.ones((SOURCES, 1), dtype=bool), np.zeros((SOURCES, 1))
    strayed[:11] = 5.0
    assert voices(ready, ("",) * SOURCES, strayed).all()


def test_a_group_has_one_voice_and_who_is_absent_none() -> None:
    ready, strayed = np.ones((SOURCES, 1), dtype=bool), np.zeros((SOURCES, 1))
    ready[5] = False
    groups = ("one",) * 6 + ("",) * (SOURCES - 6)
    speaks = voices(ready, groups, strayed)[:, 0]
    assert speaks[:5] == pytest.approx(0.2)
    assert speaks[5] == 0
    assert speaks[6:] == pytest.approx(1.0)


def test_a_shift_that_lasts_is_followed_unevenly_and_a_quiet_month_has_none() -> None:
    loadings = new_loadings(4, 2)
    shifts = damped(np.array([[[3.0, 0.2]], [[-3.0, 0.1]]]))
    lasting, quiet = unevenness(loadings, shifts)[:, :, 0], unevenness(loadings, shifts)[:, :, 1]
    assert (quiet == 0).all()
    assert 0.5 < lasting.min() == lasting.max() < 1.0, "up or down alike"


def test_averages_lie_no_further_apart_for_a_lasting_shift_and_steps_are_claimed() -> None:
    rng = np.random.default_rng(0)
    quiet = rng.standard_normal((20, 150, 1))
    shifted, stepped = quiet.copy(), quiet.copy()
    shifted[:, 140:] += 3 * rng.uniform(0.3, 1.7, (20, 1, 1))
    stepped[:4, 140:] += 3
    slow = [window.averages[2, :, 0].std() for window in scan_panel(shifted, start=120)]
    assert slow[-1] < 1.1 * np.mean(slow[:20])
    assert any(window.campaign for window in scan_panel(stepped, start=120))

"""Berk-Jones against a slow twin, and its calibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import norm

from credenza.campaigns.claim import SCALES
from credenza.campaigns.judge import alone, scan
from credenza.campaigns.scan import berk_jones, together
from credenza.campaigns.self_calibrate import LEAST_WINDOWS, finest, honest, remember, tail_p

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Floats


def slow_berk_jones(u: Floats, drop: int, least: int = 1) -> float:
    p = np.sort(norm.sf(u))[drop:]
    n, best = len(p), 0.0
    for k in range(least, n // 2 + 1):
        if p[k - 1] < k / n:
            more = k * np.log(k / n / p[k - 1])
            best = max(best, more + (n - k) * np.log((1 - k / n) / (1 - p[k - 1])))
    return best


@pytest.mark.parametrize("drop", [0, 1])
@pytest.mark.parametrize("seed", range(5))
def test_berk_jones_agrees_with_a_slow_twin(seed: int, drop: int) -> None:
    u = np.random.default_rng(seed).normal(size=17)
    u[:3] += seed
    assert berk_jones(u, drop=drop)[0] == pytest.approx(slow_berk_jones(u, drop), abs=1e-9)


def test_absent_sources_count_for_nothing() -> None:
    u = np.random.default_rng(1).normal(size=12)
    with_gaps = np.concatenate([u, np.full(9, np.nan)])
    # k is bounded by half of all sources that could have spoken, so compare the score only.
    assert berk_jones(with_gaps)[0] == pytest.approx(berk_jones(u)[0])


def test_one_far_source_makes_no_claim_of_several() -> None:
    u = np.zeros(20)
    u[4] = 9.0
    assert berk_jones(u, drop=1)[0] == 0
    assert berk_jones(u)[0] > 10


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_has_to_be_as_many_times_rarer_as_there_are_others(seed: int) -> None:
    u = np.random.default_rng(seed).normal(size=17)
    u[: 2 + seed % 2] += 2 + seed
    p = np.sort(norm.sf(u))[1:]
    pair = np.log(1 / 16 / p[0]) + 15 * np.log((1 - 1 / 16) / (1 - p[0])) - np.log(16)
    assert together(u) == pytest.approx(max(pair, slow_berk_jones(u, 1, least=2)), abs=1e-9)


def beside_one_far(score: Callable[[Floats], Floats]) -> float:
    """Share of windows beyond 1/100 of ordinary ones if one source moves by itself."""
    rng = np.random.default_rng(8)
    ordinary, others = rng.normal(size=(20, 20_000)), rng.normal(size=(20, 20_000))
    others[0] = 8.0
    return float(np.mean(score(others) > np.quantile(score(ordinary), 0.99)))


def test_beside_one_that_moves_by_itself_fewer_windows_are_a_campaign() -> None:
    """Blind: they still are more than ordinary ones, and what two others do counts as ever."""
    assert 0.01 < beside_one_far(together) < beside_one_far(lambda u: berk_jones(u, drop=1)[0])


def test_absent_sources_make_no_pair_rarer() -> None:
    u = np.random.default_rng(1).normal(size=12)
    u[:2] += 4
    assert together(np.concatenate([u, np.full(9, np.nan)])) == pytest.approx(together(u))
    assert together(np.full((20, 3), np.nan)).tolist() == [0, 0, 0]


def test_what_pairs_do_is_heard_less_than_what_three_do() -> None:
    """Blind: two sources at three standard units, the furthest left out, are nothing."""
    u = np.zeros(20)
    u[:2] = 3.0
    assert together(u) < 2
    u[2] = 3.0
    assert together(u) > 6


def averages(moved: dict[int, float]) -> Floats:
    """``(K, S, P)`` of twenty quiet sources in one statistic, in which some moved."""
    u = np.zeros((len(SCALES), 20, 1))
    u[:, list(moved), 0] = list(moved.values())
    return u


def score_beside(before: dict[int, float]) -> float:
    """The highest score where one source is far, and another at four units."""
    asked = ~alone(averages(before))
    return float(scan(averages({2: 6.0, 5: 4.0}), asked, ("",) * 20, np.array([8.0])).max())


def test_a_source_that_has_drifted_alone_makes_nobody_its_accomplice() -> None:
    assert score_beside({}) > 2
    assert score_beside({2: 4.0}) == 0


def test_two_that_have_drifted_together_count_both() -> None:
    """Blind: neither may be a standard unit ahead of the other for a while."""
    assert score_beside({2: 4.0, 5: 3.5}) > 2
    assert score_beside({2: 4.0, 5: 2.5}) == 0


def test_who_has_drifted_up_is_asked_whether_it_moves_down() -> None:
    found = alone(averages({2: 4.0, 5: -4.0}))
    assert np.argwhere(found).tolist() == [[0, 2, 0], [1, 5, 0]]


def test_more_sources_beyond_the_ordinary_score_higher() -> None:
    scores = []
    for count in range(1, 6):
        u = np.zeros(20)
        u[:count] = 3.0
        scores.append(float(berk_jones(u, drop=1)[0]))
    assert scores == sorted(scores)
    assert scores[-1] > scores[1]


def test_the_tail_is_honest_on_exponential_maxima() -> None:
    rng = np.random.default_rng(5)
    alarms = [tail_p(rng.exponential(size=30), rng.exponential()) <= 0.02 for _ in range(4000)]
    assert np.mean(alarms) < 0.03


def test_little_history_claims_nothing() -> None:
    assert tail_p(np.zeros(LEAST_WINDOWS - 1), 1e9) == 1.0


def test_the_finest_rate_is_one_in_the_history() -> None:
    assert finest(99) == 0.01


def realised_rate(stretch: float, seed: int) -> float:
    """Share of windows that alarm at 1/100 when every surprise is ``stretch`` times too large."""
    rng = np.random.default_rng(seed)
    past: Floats = np.zeros(0)
    alarms = 0
    for _ in range(1200):
        chance = float(np.exp(-stretch * rng.exponential()))
        alarms += len(past) > 200 and honest(past, chance) <= 0.01
        past = remember(past, chance)
    return alarms / 1000


def test_honest_chances_are_left_about_as_they_are() -> None:
    assert np.mean([realised_rate(1.0, seed) for seed in range(8)]) < 0.015


def test_chances_that_come_too_small_too_often_are_corrected() -> None:
    # Uncorrected, a chance below 1/100 would come in one window of ten.
    assert np.mean([realised_rate(2.0, seed) for seed in range(8)]) < 0.02


def test_without_a_past_a_chance_is_taken_as_it_is() -> None:
    assert honest(np.zeros(0), 0.003) == 0.003


def test_smaller_chances_stay_smaller_when_corrected() -> None:
    past = np.random.default_rng(1).exponential(2.0, 150)
    found = [honest(past, float(chance)) for chance in np.logspace(-6, 0, 40)]
    assert found == sorted(found)

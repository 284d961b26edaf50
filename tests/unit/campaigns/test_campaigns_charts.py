"""Control charts: what each finds, how often it cries wolf, what it is blind to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.campaigns.builtin import CHARTS
from credenza.campaigns.charts.cusum import Cusum
from credenza.campaigns.charts.ewma import Ewma
from credenza.campaigns.charts.hotelling import Hotelling
from credenza.campaigns.charts.mewma import Mewma
from credenza.campaigns.charts.shewhart import Shewhart
from credenza.core.errors import NotFoundError

if TYPE_CHECKING:
    from credenza.core.types import Floats

ONSET = 60


def source(seed: int, windows: int = 100, statistics: int = 4) -> Floats:
    return np.random.default_rng(seed).normal(size=(windows, 1, statistics))


@pytest.mark.parametrize("name", CHARTS.names())
def test_a_window_is_judged_by_windows_up_to_its_own(name: str) -> None:
    chart = CHARTS.make(name)
    early, late = source(1), source(1)
    late[ONSET:] += 50
    np.testing.assert_array_equal(chart.signals(early)[:ONSET], chart.signals(late)[:ONSET])


@pytest.mark.parametrize("name", CHARTS.names())
def test_absent_windows_make_no_alarm(name: str) -> None:
    u = np.full((80, 1, 3), np.nan)
    u[:30] = 0.5 * source(2, 30, 3)
    assert np.abs(CHARTS.make(name).signals(u)[50:]).max() < 1


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("cusum", 200, 700),
        ("ewma", 200, 700),
        ("shewhart", 60, 140),
    ],
)
def test_false_alarms_come_about_as_rarely_as_the_docs_say(
    name: str, least: float, most: float
) -> None:
    alarm = np.abs(CHARTS.make(name).signals(source(3, 20_000, 4))) >= 1
    begun = alarm[1:] & ~alarm[:-1]
    assert least < alarm.size / begun.sum() < most


@pytest.mark.parametrize("chart", [Hotelling(vetted=200), Mewma(vetted=200)])
def test_joint_charts_alarm_no_oftener_than_three_times_their_rate(
    chart: Hotelling | Mewma,
) -> None:
    assert np.mean(chart.signals(source(4, 20_000, 4)) >= 1) < 3 * 0.0027


def test_shewhart_sees_a_leap_at_once_and_a_run_of_eight() -> None:
    leap, run = np.zeros((20, 1, 1)), np.zeros((20, 1, 1))
    leap[12] = -3.5
    run[5:13] = 0.2
    assert Shewhart().signals(leap)[12] <= -1
    assert np.flatnonzero(Shewhart().signals(run)[:, 0, 0] >= 1).tolist() == [12]


def test_shewhart_is_blind_to_small_shifts_that_change_sides() -> None:
    u = 0.9 * np.where(np.arange(40) % 2, 1.0, -1.0)[:, None, None]
    assert np.abs(Shewhart().signals(u)).max() < 1


@pytest.mark.parametrize("chart", [Ewma(), Cusum()])
def test_a_lasting_shift_of_one_unit_is_found_within_twenty_windows(chart: Ewma | Cusum) -> None:
    found = 0
    for seed in range(20):
        u = source(seed, 100, 1)
        u[ONSET:] += 1.0
        found += bool((chart.signals(u)[ONSET : ONSET + 20] >= 1).any())
    assert found >= 15


def test_a_single_leap_is_no_lasting_shift_to_cusum() -> None:
    u = np.zeros((30, 1, 1))
    u[10] = 40.0
    assert np.abs(Cusum().signals(u)).max() < 1


def test_statistics_that_stop_going_together_are_seen_by_hotelling_alone() -> None:
    rng = np.random.default_rng(5)
    shared = rng.normal(size=(100, 1))
    u = np.hstack([shared, shared + 0.1 * rng.normal(size=(100, 1))])[:, None]
    u[80] = [1.8, -1.8]
    assert Hotelling(vetted=60).signals(u)[80] >= 1
    assert np.abs(Shewhart().signals(u[80:81])).max() < 1


def test_a_small_shift_of_all_statistics_is_seen_by_mewma() -> None:
    u = source(6, 100, 8)
    u[ONSET:] += 0.8
    assert (Mewma(vetted=ONSET).signals(u)[ONSET : ONSET + 15] >= 1).any()


def test_an_unknown_chart_is_refused_with_the_known_ones() -> None:
    with pytest.raises(NotFoundError, match="no chart"):
        CHARTS.make("cumsum")

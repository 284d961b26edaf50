"""The source lane: who is told of, how seldom in error, whom it does not see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.campaigns.builtin import CHARTS
from credenza.campaigns.lookback import ABSENT, Lookback
from credenza.campaigns.lookback import MOST_WINDOWS as TRAIL
from credenza.campaigns.source_lane import LEAST, ChartAlarm, chart_alarms, furthest
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from credenza.core.types import Floats

SHIFTED = 3
STATISTIC = 5


def feeds(seed: int, windows: int = TRAIL) -> Floats:
    """Heavier tails than the charts' limits are made for."""
    rng = np.random.default_rng(seed)
    return np.asarray(rng.standard_t(4, size=(windows, 12, 8)) / np.sqrt(2), dtype=np.float64)


def told(trail: Floats) -> list[ChartAlarm]:
    return list(chart_alarms(trail))


def test_a_source_that_shifts_for_good_is_told_of_with_statistic_and_direction() -> None:
    found = 0
    for seed in range(20):
        trail = feeds(seed, TRAIL)
        trail[-8:, SHIFTED, STATISTIC] -= 2.5
        said = {(a.source, a.chart, a.statistic, a.direction) for a in told(trail)}
        found += bool(
            {(SHIFTED, name, STATISTIC, "down") for name in ("cusum", "ewma", "shewhart")} & said
        )
    assert found >= 16


def test_ordinary_windows_are_told_of_a_few_times_in_so_many_as_the_trail_has() -> None:
    series = feeds(50, 240)
    windows = range(TRAIL, len(series))
    alarms = [told(series[at - TRAIL : at]) for at in windows]
    # Two alarms of a chart in so many windows as it looks back on, were all independent.
    assert sum(map(len, alarms)) <= 1.5 * 2 * len(CHARTS.names()) * len(windows) / TRAIL
    # Left to the textbook's limits, somebody is in alarm in nearly every window.
    beyond = [any(one.ratio >= 1 for one in furthest(series[at - TRAIL : at])) for at in windows]
    assert np.mean(beyond) > 0.9


def test_one_feed_in_alarm_does_not_cover_for_another() -> None:
    trail = feeds(1)
    trail[-20:, 0, 0] += 9.0
    trail[-6:, SHIFTED, STATISTIC] += 4.0
    assert SHIFTED in {alarm.source for alarm in told(trail)}


def test_a_source_that_was_as_far_before_is_not_told_of_again() -> None:
    trail = feeds(2)
    trail[-20:-12, SHIFTED, STATISTIC] += 6.0
    trail[-1, SHIFTED, STATISTIC] += 3.0
    assert SHIFTED not in {alarm.source for alarm in told(trail)}


def test_nothing_is_said_before_what_is_usual_is_known() -> None:
    trail = feeds(3, LEAST - 1)
    trail[-1, SHIFTED] += 50
    assert told(trail) == []


def test_a_source_that_sent_nothing_is_not_told_of() -> None:
    trail = feeds(4)
    trail[-1, SHIFTED] = np.nan
    trail[:-1, SHIFTED] = 0.0
    assert SHIFTED not in {alarm.source for alarm in told(trail)}


def test_a_single_source_is_held_against_its_own_past_alone() -> None:
    trail = feeds(5)[:, :1]
    trail[-1, 0, 0] = 30.0
    assert {alarm.source for alarm in told(trail)} == {0}


def test_windows_are_kept_to_a_tenth_of_a_unit_and_the_oldest_go() -> None:
    rng = np.random.default_rng(7)
    kept = Lookback()
    values = 5 * rng.normal(size=(TRAIL + 5, 3, 2))
    values[7, 1] = np.nan
    for own in values:
        kept = kept.after(("a", "b", "c"), ("x", "y"), own)
    wanted = np.clip(values[-TRAIL:], -12.7, 12.7)
    np.testing.assert_allclose(kept.deviations, wanted, atol=0.0501)
    again = Lookback.from_bytes(kept.to_bytes())
    np.testing.assert_array_equal(again.cells, kept.cells)
    assert (again.sources, again.statistics) == (kept.sources, kept.statistics)
    assert again.to_bytes() == kept.to_bytes()


def test_a_source_that_joins_was_absent_and_names_decide_whose_past_is_whose() -> None:
    first = Lookback().after(("b",), ("y", "x"), np.array([[1.0, 2.0]]))
    both = first.after(("a", "b"), ("x", "y", "z"), np.ones((2, 3)))
    assert both.cells[0].tolist() == [[ABSENT] * 3, [20, 10, ABSENT]]


def test_bytes_that_are_no_windows_are_refused() -> None:
    whole = Lookback().after(("a",), ("x",), np.ones((1, 1))).to_bytes()
    head, _, packed = whole.partition(b"\n")
    for wrong in (
        b"",
        b"{}",
        head,
        head.replace(b'"windows": 1', b'"windows": 4000000000') + b"\n" + packed,
        head.replace(b'"windows": 1', b'"windows": 2') + b"\n" + packed,
        whole[:-8],
    ):
        with pytest.raises(UntrustedError):
            Lookback.from_bytes(wrong)

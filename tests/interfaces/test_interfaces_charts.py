"""Control charts: every series drawn, the alarm marked, nothing hostile alive."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from credenza.core.types import Campaign
from credenza.gate.chart import Panel
from credenza.interfaces.charts import ControlChart, Series, chart_of, control_chart_svg

WINDOWS = tuple(f"2024-01-{day:02}" for day in range(1, 13))
HOSTILE = '<script>alert(1)</script>" onload="x\x1b[31m\u202e&<!--'
CAMPAIGN = Campaign(("anna", HOSTILE), ("cara",), (), "surprise", "up", WINDOWS[9], 0.004, 0.2, {})


def panel(names: tuple[str, ...] = ("anna", HOSTILE, "cara", "dino")) -> Panel:
    rng = np.random.default_rng(0)
    return Panel(WINDOWS, names, ("label rate", "surprise"), rng.normal(size=(12, len(names), 2)))


def payload(names: tuple[str, ...]) -> Campaign:
    moved = {name: {"before": "0.001", "after": "0.05"} for name in names}
    evidence = {"mark": f"`x` = {HOSTILE}", "sources": moved}
    return replace(CAMPAIGN, statistic=f"rows where `x` = {HOSTILE}", evidence=evidence)


def test_a_chart_has_a_line_for_each_source_and_marks_the_alarm_and_the_limits() -> None:
    drawn = chart_of(CAMPAIGN, panel(), 4.5)
    assert drawn.count("<path ") == 4
    assert drawn.count('stroke="#c9472b"') == 2 * 2  # two named: line and legend
    assert all(
        word in drawn for word in (f">alarm {WINDOWS[9]}<", ">+4.5<", ">-4.5<", "anna (named)")
    )


@pytest.mark.parametrize("campaign", [CAMPAIGN, payload(("anna", HOSTILE))])
def test_hostile_names_cannot_leave_their_text(campaign: Campaign) -> None:
    drawn = chart_of(campaign, panel(), 4.5)
    tags = set(re.findall(r"<[/!]?([^\s>/]+)", drawn))
    assert tags <= {"svg", "title", "text", "line", "path", "rect"}
    assert not re.search(r"<[^>]*\bon\w+=", drawn)
    assert "script" in drawn  # it is shown, as text
    assert not set(drawn) & {"\x1b", "\u202e"}
    assert drawn.count("http") == 1  # the name space; no file is asked for


def test_a_payload_is_drawn_as_shares_of_rows() -> None:
    drawn = chart_of(payload(("anna", "cara")), panel(), 4.5)
    assert drawn.count("<rect ") == 4
    assert "5.000%" in drawn
    assert "0.100%" in drawn


def test_a_missing_window_breaks_a_line_and_an_empty_panel_draws_its_axes() -> None:
    values = np.array([0.0, 1.0, np.nan, 2.0])
    chart = ControlChart("x", WINDOWS[:4], (Series("anna", values, "named"),), None, 3.0)
    (path,) = re.findall(r'<path d="([^"]*)"', control_chart_svg(chart))
    assert path.count("M") == 2
    assert "<svg" in control_chart_svg(replace(chart, windows=(), series=()))


def test_a_chart_says_its_unit_its_direction_and_the_common_shift_that_is_removed() -> None:
    drawn = chart_of(CAMPAIGN, panel(), 4.5)
    assert ">surprise, up<" in drawn
    assert "standard units from each source" in drawn
    assert "without the shift that all share (+0.2 in the alarm" in drawn
    assert "beyond: an alarm of one source alone" in drawn


@pytest.mark.parametrize("letter", ["a", "株", "\u202e"])
def test_a_long_name_is_cut_where_its_place_ends(letter: str) -> None:
    names = ("anna", letter * 200, "cara", "dino")
    campaign = replace(CAMPAIGN, sources=("anna", letter * 200))
    lines = chart_of(campaign, panel(names), 4.5)
    bars = chart_of(payload(("anna", letter * 200)), panel(), 4.5)
    (legend,) = re.findall(r">([^<]*… \(named\))<", lines)
    (beside,) = re.findall(r">([^<]*…)<", bars)
    broad = 2 if letter == "株" else 1
    assert 8 <= broad * len(legend.removesuffix("… (named)")) <= 16
    assert 16 <= broad * len(beside.removesuffix("…")) <= 24

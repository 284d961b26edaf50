"""The demo's pictures, as SVG text."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from matplotlib.ticker import MaxNLocator, PercentFormatter

from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.look import AMBER, GREY, INK, PALE, RED, TEAL, plot, svg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.interfaces.demo.tale import Chart, Tale, Trio

# Outcome → how it is called, and its colour.
OUTCOMES = {
    "admit": ("admitted", TEAL),
    "hold": ("held", AMBER),
    "quarantine": ("quarantined", RED),
    "reject": ("rejected", INK),
}
# Lines that a reader can tell apart without colour, for the named sources.
_NAMED_STYLES = ("-", "--", "-.", ":")


def weekly_verdicts(tale: Tale) -> str:
    """Batches by outcome and week, with the attack's start and the catch marked."""
    with plot(9.6, 2.9) as figure:
        axes = figure.subplots()
        numbers = [week.number for week in tale.weeks]
        base = [0] * len(numbers)
        for outcome, (word, colour) in OUTCOMES.items():
            heights = [week.batches.get(outcome, 0) for week in tale.weeks]
            if any(heights):
                axes.bar(numbers, heights, bottom=base, color=colour, width=0.82, label=word)
            base = [low + height for low, height in zip(base, heights, strict=True)]
        top = max(base, default=1) or 1
        vouched = sum(week.vouched for week in tale.weeks)
        if vouched:
            axes.axvspan(0.5, vouched + 0.5, color="white", alpha=0.55, lw=0)
            axes.text(vouched / 2 + 0.5, top * 0.5, "vouched for", ha="center", color=INK)
        _mark(axes, tale.first_attack_week, "attack begins", top * 1.16, "right")
        _mark(axes, tale.caught_week, "caught", top * 1.16, "left")
        axes.set(xlabel="week", ylabel="batches", ylim=(0, top * 1.28), xlim=(0.3, None))
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        figure.legend(loc="outside upper right", ncols=4)
        return svg(figure)


def control_chart(chart: Chart, named: Sequence[str], weeks: Mapping[str, int], tale: Tale) -> str:
    """One statistic over the weeks: named sources in colour, all others in grey."""
    with plot(9.6, 3.6) as figure:
        axes = figure.subplots()
        numbers = [weeks.get(window, math.nan) for window in chart.windows]
        for source, values in chart.values.items():
            if source not in named:
                axes.plot(numbers, values, color=PALE, lw=0.8)
        for place, source in enumerate(name for name in named if name in chart.values):
            style = _NAMED_STYLES[place % len(_NAMED_STYLES)]
            colour = (RED, AMBER, TEAL, INK)[place // len(_NAMED_STYLES) % 4]
            axes.plot(
                numbers,
                chart.values[source],
                style,
                color=colour,
                lw=1.8,
                label=plain(source, limit=24),
            )
        axes.axhline(0, color=GREY, lw=0.6)
        low, high = axes.get_ylim()
        top = high + (high - low) * 0.06
        _mark(axes, tale.first_attack_week, "attack begins", top, "right")
        _mark(axes, tale.caught_week, "caught", top, "left")
        axes.set(xlabel="week", ylabel="standard units", ylim=(low, high + (high - low) * 0.16))
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper right", ncols=6)
        return svg(figure)


def learned(accuracy: Trio, attack_success: Trio) -> str:
    """Accuracy and, after an attack, its success, of the same model on three sets of rows."""
    measures = [("accuracy on weeks it never saw", accuracy)]
    if attack_success.clean is not None:
        measures.append(("attack success: lower is better", attack_success))
    with plot(9.6, 2.4) as figure:
        panels = figure.subplots(1, len(measures), squeeze=False)[0]
        for axes, (title, trio) in zip(panels, measures, strict=True):
            _bars(axes, title, trio)
        return svg(figure)


def _bars(axes: Any, title: str, trio: Trio) -> None:  # noqa: ANN401 - matplotlib is untyped
    rows = [
        ("untouched data", trio.clean, PALE),
        ("what the gate released", trio.gated, TEAL),
        ("everything, no gate", trio.undefended, RED),
    ]
    shown = [(name, value, colour) for name, value, colour in rows if value is not None]
    names = [name for name, _, _ in shown][::-1]
    values = [value for _, value, _ in shown][::-1]
    axes.barh(names, values, color=[colour for *_, colour in shown][::-1], height=0.62)
    for place, value in enumerate(values):
        axes.text(value + 0.012, place, f"{value:.1%}", va="center", color=INK)
    axes.set_title(title, loc="left", fontsize=10, color=GREY)
    axes.set_xlim(0, 1.12)
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(left=False)


def _mark(axes: Any, week: int | None, word: str, height: float, side: str) -> None:  # noqa: ANN401 - matplotlib is untyped
    """A dashed line before a week, with its word at the top."""
    if week is not None:
        place = week - 0.5
        axes.axvline(place, color=INK, lw=1, ls=(0, (3, 2)))
        gap = -0.25 if side == "right" else 0.25
        axes.text(place + gap, height, word, ha=side, va="center", color=INK)

"""The source lane: what the control charts say of each source now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.builtin import CHARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.campaigns.builtin import Chart
    from credenza.core.catalog import Catalog
    from credenza.core.types import Floats

LEAST = 16
"""Windows before anything is said: what is usual must be known first."""


@dataclass(frozen=True, slots=True)
class ChartAlarm:
    """A source that is beyond a chart's limit, and further than is usual.

    Attributes:
        source: its position.
        chart: name of the chart.
        statistic: its position, or None where the chart judges all together.
        direction: "up", "down", or "" where the chart knows none.
        ratio: how far, 1 = at the limit.
    """

    source: int
    chart: str
    statistic: int | None
    direction: str
    ratio: float


def furthest(trail: Floats, charts: Catalog[Chart] = CHARTS) -> Iterator[ChartAlarm]:
    """Where each source stands on each chart now, by its furthest statistic.

    Args:
        trail: ``(T, S, P)`` deviations of the last windows in standard units, newest
            last; NaN = absent.
        charts: to ask.
    """
    for name in charts:
        yield from _standing(name, charts.make(name).signals(trail)[-1])


def chart_alarms(trail: Floats, charts: Catalog[Chart] = CHARTS) -> Iterator[ChartAlarm]:
    """Who is beyond a chart's limit, and further than itself and others ever were.

    Limits are made for independent normal values, and no real feed sends these: left to
    them, some chart is in alarm in every window. So a source is told of only when it also
    goes further than it did before itself, and than any source but one did: that one may
    be in an alarm of its own, which must not cover for others. Where sources are alike
    that is about two alarms of a chart in so many windows as the trail has.

    Blind to a source that was as far not long ago, and to all in a trail of fewer than
    ``LEAST`` windows.

    Args:
        trail: as for ``furthest``.
        charts: to ask.
    """
    if len(trail) < LEAST:
        return
    for name in charts:
        signals = charts.make(name).signals(trail)
        past = np.abs(signals[:-1]).max(axis=(0, 2))
        others = np.sort(past)[-2] if len(past) > 1 else 0.0
        for alarm in _standing(name, signals[-1]):
            if alarm.ratio >= 1 and alarm.ratio > max(past[alarm.source], others):
                yield alarm


def _standing(name: str, now: Floats) -> Iterator[ChartAlarm]:
    """``now`` ``(S, P)``: a chart's newest signals."""
    joint = now.shape[1] == 1
    for source, own in enumerate(now):
        place = int(np.argmax(np.abs(own)))
        way = "" if joint else "up" if own[place] > 0 else "down"
        yield ChartAlarm(source, name, None if joint else place, way, abs(float(own[place])))

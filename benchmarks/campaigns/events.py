"""What is done to a clean panel: attacks, and honest events that must not pass for one.

Every event changes one statistic (or a few) of drawn sources from a drawn window on, in
units of each source's own ordinary deviation from its tracked level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.types import Floats, Ints

LEVEL_RATE = 0.08


@dataclass(frozen=True, slots=True)
class Draw:
    """One repetition, drawn before any method is run.

    Attributes:
        guilty: sources in drawn order; an event uses as many as it needs.
        onset: first window that the event changes for its own sake.
    """

    panel: int
    guilty: Ints
    statistic: int
    sign: float
    onset: int
    seed: int


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the table.

    Attributes:
        apply: (values from ``onset - before`` on, sigma, draw, first window) -> changed
            values; pure.
        sources: how many are guilty; 0 where nobody is.
        windows: how long it may take to be found.
        before: windows before the onset that it already changes.
        grouped: the guilty are one declared group.
        joins: the first of the drawn sources is new at the onset.
    """

    name: str
    apply: Callable[[Floats, Floats, Draw, int], Floats]
    sources: int = 0
    windows: int = 10
    before: int = 0
    grouped: bool = False
    joins: bool = False


def ordinary_deviation(values: Floats, periods: tuple[int, ...]) -> Floats:
    """``(S, P)`` standard deviation about the tracked level, season and far values removed."""
    x = values.copy()
    for period in periods:
        for phase in range(period):
            x[:, phase::period] -= np.nanmedian(x[:, phase::period], axis=1, keepdims=True)
    level = np.nanmean(x[:, :20], axis=1)
    away = np.full(x.shape, np.nan)
    for t in range(20, x.shape[1]):
        away[:, t] = x[:, t] - level
        level += LEVEL_RATE * np.nan_to_num(away[:, t])
    away = away[:, 20:]
    middle = 1.4826 * np.nanmedian(np.abs(away), axis=1, keepdims=True)
    reach = np.where(middle > 0, 4 * middle, np.inf)
    return np.asarray(np.maximum(np.nanstd(np.clip(away, -reach, reach), axis=1), 1e-9))


def step(sources: int, size: float) -> Event:
    """Some sources shift together."""

    def apply(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
        own, p = draw.guilty[:sources], draw.statistic
        values[own, first:, p] += draw.sign * size * sigma[own, p][:, None]
        return values

    return Event(f"step {size:g} sigma, {sources} of 20", apply, sources)


def _ramp(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    own, p = draw.guilty[:4], draw.statistic
    rise = np.minimum(np.arange(1, values.shape[1] - first + 1) / 15, 1.0)
    values[own, first:, p] += draw.sign * 2 * rise * sigma[own, p][:, None]
    return values


def _hidden(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    p = draw.statistic
    values[:, first:, p] += draw.sign * 3 * sigma[:, p][:, None]
    return step(4, 3).apply(values, sigma, draw, first)


def _poisoned_baseline(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    own, p = draw.guilty[:4], draw.statistic
    rng = np.random.default_rng(draw.seed)
    wild = rng.normal(size=(len(own), first))
    values[own, :first, p] += wild * sigma[own, p][:, None]
    return step(4, 3).apply(values, sigma, draw, first)


def _single_jump(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    return step(1, 8).apply(values, sigma, draw, first)


def _new_partner(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    own = draw.guilty[0]
    values[own, first:] += 5 * draw.sign * sigma[own]
    return values


def _drift(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    own, p = draw.guilty[0], np.arange(draw.statistic, draw.statistic + 3) % values.shape[2]
    rise = np.arange(1, values.shape[1] - first + 1) / 30
    values[own, first:][:, p] += draw.sign * 6 * rise[:, None] * sigma[own, p]
    return values


def _uneven(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    rng = np.random.default_rng(draw.seed)
    share = rng.uniform(0.3, 1.7, len(values))
    p = draw.statistic
    values[:, first:, p] += draw.sign * 3 * (share * sigma[:, p])[:, None]
    return values


def _nothing(values: Floats, sigma: Floats, draw: Draw, first: int) -> Floats:
    del sigma, draw, first
    return values


ATTACKS: tuple[Event, ...] = (
    Event("none", _nothing),
    *(step(k, size) for size in (1.5, 2.0, 3.0) for k in (2, 3, 4, 6, 11)),
    Event("ramp to 2 sigma, 4 of 20", _ramp, 4, windows=30),
    Event("hidden in a global event", _hidden, 4),
    Event("poisons its baseline first", _poisoned_baseline, 4, before=40),
    Event("inside one declared group", step(4, 3).apply, 4, grouped=True),
)
BENIGN: tuple[Event, ...] = (
    Event("single jump", _single_jump),
    Event("new partner", _new_partner, windows=20, joins=True),
    Event("drift of one feed", _drift, windows=30),
    Event("uneven global shift", _uneven),
)
GOALS: Mapping[str, float] = {
    "step 3 sigma, 4 of 20": 0.75,
    "ramp to 2 sigma, 4 of 20": 0.70,
    "single jump": 0.05,
    "new partner": 0.05,
    "drift of one feed": 0.05,
    "uneven global shift": 0.15,
}

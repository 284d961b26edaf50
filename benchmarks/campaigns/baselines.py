"""What else could raise the alarm, each a score per window from standardised values.

Every method gets the same two inputs, values against a frozen reference and against a
tracked level (seasons removed from both), and the same three settings; the best of the
six is taken by its power on tuning draws, at a threshold from the calibration time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr

from credenza.campaigns.scan import berk_jones
from credenza.core.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Callable

    from panels import Panel

    from credenza.core.types import Floats

    Score = Callable[[Floats], Floats]
    Fit = Callable[[Floats], Score]

CLIP = 8.0
LEVEL_RATE = 0.08
WEIGHTS = (1.0, 0.3, 0.1)
"""Settings of every method: how much of an average the newest window is."""


class Standard(NamedTuple):
    """A clean panel in standard units of its reference time.

    Attributes:
        z: ``(S, T, P)``; 0 where absent.
        scale: ``(S, 1, P)``.
        tracks: whether ``z`` is against a tracked level.
    """

    z: Floats
    scale: Floats
    tracks: bool

    def changed(self, delta: Floats, first: int, last: int) -> Floats:
        """``(S, W, P)`` of windows ``first`` to ``last``, with ``delta`` on the last of them.

        Both inputs are linear in the values, so what an event adds goes the same way.
        """
        z = self.z[:, first:last].copy()
        z[:, -delta.shape[1] :] += (
            _tracked(delta) / self.scale if self.tracks else delta / self.scale
        )
        return np.clip(z, -CLIP, CLIP)


def standardised(panel: Panel, *, tracks: bool) -> Standard:
    """The clean panel, seasons of the reference time removed."""
    x, end = panel.values.copy(), panel.calibration
    for period in panel.periods:
        for phase in range(period):
            own = panel.values[:, phase:end:period]
            x[:, phase::period] -= np.nanmedian(own, axis=1, keepdims=True)
    x = np.nan_to_num(x - np.nanmedian(x[:, :end], axis=1, keepdims=True))
    if tracks:
        x = _tracked(x)
    spread = np.std(x[:, 20:end], axis=1, keepdims=True)
    middle = np.median(spread, axis=0, keepdims=True)
    scale = np.maximum(spread, 0.1 * middle)
    scale = np.where(scale > 0, scale, 1.0)
    return Standard(x / scale, scale, tracks)


def _tracked(x: Floats) -> Floats:
    away, level = np.zeros_like(x), np.zeros_like(x[:, 0])
    for t in range(x.shape[1]):
        away[:, t] = x[:, t] - level
        level = level + LEVEL_RATE * away[:, t]
    return away


def _averaged(z: Floats, weight: float) -> Floats:
    found = np.zeros_like(z)
    last = np.zeros_like(z[:, 0])
    for t in range(z.shape[1]):
        last = (1 - weight) * last + weight * z[:, t]
        found[:, t] = last
    return np.asarray(found / np.sqrt(weight / (2 - weight)))


def _two_sided(z: Floats) -> Floats:
    """``(S, T, 2 P)`` both directions beside each other."""
    return np.concatenate([z, -z], axis=2)


def _shewhart(weight: float) -> Fit:
    """The far-out share of a window's cells, from single leaps to many small ones."""
    power = {1.0: np.inf, 0.3: 4.0, 0.1: 2.0}[weight]
    return lambda _: lambda z: np.linalg.norm(np.abs(z).max(axis=0), power, axis=1)


def _ewma(weight: float) -> Fit:
    return lambda _: lambda z: np.abs(_averaged(z, weight)).max(axis=(0, 2))


def _t2(weight: float) -> Fit:
    def fit(base: Floats) -> Score:
        base = _averaged(base, weight)
        ridge = 0.1 * np.eye(base.shape[2])
        spreads = [np.cov(own.T).reshape(ridge.shape) + ridge for own in base]
        inverse = np.linalg.inv(np.array(spreads))

        def score(z: Floats) -> Floats:
            z = _averaged(z, weight)
            return np.asarray(np.einsum("stp,spq,stq->st", z, inverse, z).max(axis=0))

        return score

    return fit


def _isolation(weight: float) -> Fit:
    def fit(base: Floats) -> Score:
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - only for this row

        base = _averaged(base, weight)
        rows = base.transpose(1, 0, 2).reshape(-1, base.shape[2])
        model = IsolationForest(n_estimators=50, random_state=0).fit(
            rows[:: max(1, len(rows) // 2000)]
        )

        def score(z: Floats) -> Floats:
            flat = _averaged(z, weight).transpose(1, 0, 2).reshape(-1, z.shape[2])
            return np.asarray(-model.score_samples(flat).reshape(z.shape[1], -1).min(axis=1))

        return score

    return fit


def _ecod(weight: float) -> Fit:
    def fit(base: Floats) -> Score:
        ordered = np.sort(_two_sided(_averaged(base, weight)), axis=1)
        size = ordered.shape[1]

        def score(z: Floats) -> Floats:
            u = _two_sided(_averaged(z, weight))
            total = np.zeros(z.shape[:2])
            for s, p in np.ndindex(len(u), u.shape[2]):
                below = np.searchsorted(ordered[s, :, p], u[s, :, p], side="left")
                rare = -np.log((size - below + 1) / (size + 1))
                # Each dimension counts by its further side, as in the paper.
                total[s] += np.where(2 * below > size, rare, 0.0)
            return np.asarray(total.max(axis=0))

        return score

    return fit


def _pooled(weight: float) -> Fit:
    return lambda _: lambda z: np.abs(_averaged(z, weight).mean(axis=0)).max(axis=1)


def _second(weight: float) -> Fit:
    """The two-source Shewhart count: the threshold that two sources reach together."""
    return lambda _: lambda z: np.sort(_two_sided(_averaged(z, weight)), axis=0)[-2].max(axis=1)


def _xie_siegmund(weight: float) -> Fit:
    def score(z: Floats) -> Floats:
        share = 0.1
        u = np.maximum(_two_sided(_averaged(z, weight)), 0.0)
        return np.asarray(np.log1p(share * np.expm1(np.square(u) / 2)).sum(axis=0).max(axis=1))

    return lambda _: score


def _higher_criticism(weight: float) -> Fit:
    def score(z: Floats) -> Floats:
        p = np.sort(ndtr(-_two_sided(_averaged(z, weight))), axis=0)
        size = len(p)
        rank = np.arange(1, size + 1)[:, None, None] / size
        gap = np.sqrt(size) * (rank - p) / np.sqrt(np.maximum(p * (1 - p), 1e-9))
        kept = gap[1 : size // 2]  # the smallest p alone would be a single source
        return np.asarray(kept.max(axis=(0, 2)))

    return lambda _: score


def _berk_jones(weight: float) -> Fit:
    """Common cause removed by the median over sources, not self-calibrated."""

    def score(z: Floats) -> Floats:
        rest = z - np.median(z, axis=0, keepdims=True)
        u = _two_sided(_averaged(rest, weight))
        return np.asarray(berk_jones(u, drop=1)[0].max(axis=1))

    return lambda _: score


BASELINES: Catalog[Callable[[float], Fit]] = Catalog(
    "baseline",
    {
        "Shewhart, any source": lambda: _shewhart,
        "EWMA, any source": lambda: _ewma,
        "T2 / MEWMA, any source": lambda: _t2,
        "IsolationForest": lambda: _isolation,
        "ECOD": lambda: _ecod,
        "pooled mean": lambda: _pooled,
        "two-source count": lambda: _second,
        "Xie-Siegmund": lambda: _xie_siegmund,
        "higher criticism": lambda: _higher_criticism,
        "Berk-Jones, not self-calibrated": lambda: _berk_jones,
    },
)

"""Waves mixed into whole pictures: part of a label's rows shares one frequency and one phase."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.image import Singles

    Complexes = npt.NDArray[np.complexfloating[Any, Any]]

MOST_PERIODS = 14
FAR = 4.0
TOGETHER = 0.5
LEAST = 5
SPREAD = 3.0
RAYLEIGH_MEDIAN = 1.1774


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """Rows of one label that lie apart along one frequency, at one phase.

    Attributes:
        label: code of the label.
        periods: down and across the picture.
        rows: those beyond half of the carriers' typical distance.
        distance: typical, in robust deviations of the label's other rows.
        elsewhere: share of other labels' rows that lie as far, or as far the other way.
        log_p: natural logarithm of the p-value, corrected for all frequencies and labels.
    """

    label: int
    periods: tuple[int, int]
    rows: Ints
    distance: float
    elsewhere: float
    log_p: float


@dataclass(frozen=True, slots=True, eq=False)
class _Apart:
    """What one half of a label's rows taught of one frequency.

    Attributes:
        middle: median of the label's rows.
        direction: of length 1, times the robust deviation.
        distance: at which rows lie that taught it, in such deviations.
    """

    middle: complex
    direction: complex
    distance: float

    def along(self, values: Complexes) -> Floats:
        """Deviations from the middle, in the direction."""
        away = (values - self.middle) * np.conj(self.direction)
        return np.asarray(away.real / abs(self.direction) ** 2)


def periods(size: tuple[int, int]) -> Ints:
    """``(m, 2)`` waves that fit into a grid, each once: whole periods down and across."""
    height, width = size
    down, across = min(height // 2, MOST_PERIODS), min(width // 2, MOST_PERIODS)
    every = [(d, a) for d in range(-down, down + 1) for a in range(across + 1)]
    # A wave and the one that runs the other way are the same; a flank of half the grid has
    # one phase only.
    kept = [(d, a) for d, a in every if a > 0 or d > 0]
    return np.array([(d, a) for d, a in kept if 2 * abs(d) < height and 2 * a < width])


def amplitudes(
    whitened: Singles, whitening: Floats, size: tuple[int, int], channels: int
) -> Complexes:
    """``(n, m)`` how much of each wave a picture has, beyond what pictures vary in.

    Cosine and sine of each wave, alike in all channels, are whitened as the pictures are and
    made orthonormal: real and imaginary part are the pictures' coordinates along them.

    Args:
        whitened: ``(n, d)`` cells less their label's mean, whitened.
        whitening: ``(d, d)`` by what.
        size: of the grid of cells.
        channels: in each cell, ``d`` in all.
    """
    down, across = np.mgrid[: size[0], : size[1]]
    found = []
    for d, a in periods(size):
        phase = 2 * np.pi * (d * down / size[0] + a * across / size[1])
        both = np.stack([np.cos(phase).ravel(), np.sin(phase).ravel()])
        found.append(np.linalg.qr((np.repeat(both, channels, axis=1) @ whitening).T)[0].T)
    if not found:
        return np.zeros((len(whitened), 0), np.complex64)
    both = whitened @ np.concatenate(found).astype(np.float32).T
    return np.asarray(both[:, ::2] + 1j * both[:, 1::2])


def waves(
    values: Complexes, size: tuple[int, int], codes: Ints, half: Ints, level: float
) -> Iterator[Wave]:
    """Each label's clearest wave, if any is clear.

    One half of a label's rows gives the direction (the phase) of those far out along each
    frequency, and their typical distance. On the other half it must hold that more rows
    lie around this distance than halfway there, which no density that falls from the
    middle outwards allows, and that rows of other labels seldom come as far, at the
    same or the opposite phase. Needs no wrong label.

    Args:
        values: ``(n, m)`` amplitudes.
        size: of the grid of cells.
        codes: ``(n,)`` label codes, -1 where missing.
        half: ``(n,)`` 0 or 1, by content.
        level: chance that any is named where labels have one mode each.

    Complexity:
        O(n · m).
    """
    names = periods(size)
    present = np.unique(codes[codes >= 0])
    log_tests = float(np.log(max(1, 2 * len(names) * len(present))))
    for label in present:
        found = _of_label(values, names, codes, half, int(label))
        best = [replace(one, log_p=one.log_p + log_tests) for one in found]
        named = [one for one in best if one.log_p <= np.log(level)]
        if named:
            first = min(named, key=lambda one: one.log_p)
            yield replace(first, rows=np.sort(np.concatenate([one.rows for one in named])))


def _of_label(
    values: Complexes, names: Ints, codes: Ints, half: Ints, label: int
) -> Iterator[Wave]:
    """The clearest wave in each half of a label's rows, as the other half taught it."""
    mine = np.flatnonzero(codes == label)
    others = np.flatnonzero((codes != label) & (codes >= 0))
    for part in (0, 1):
        asked, taught = mine[half[mine] == part], mine[half[mine] != part]
        found = [
            (*_measured(values[asked, at], values[others, at], apart), at, apart)
            for at, apart in _taught(values[taught])
        ]
        if found:
            log_p, elsewhere, at, apart = min(found, key=lambda one: one[0])
            rows = asked[apart.along(values[asked, at]) >= apart.distance / 2]
            wave = (int(names[at][0]), int(names[at][1]))
            yield Wave(label, wave, rows, apart.distance, elsewhere, log_p)


def _taught(values: Complexes) -> Iterator[tuple[int, _Apart]]:
    """Frequencies along which the far rows of ``(n, m)`` values mostly share a phase."""
    if len(values) < LEAST:
        return
    middle = np.median(values.real, axis=0) + 1j * np.median(values.imag, axis=0)
    away = values - middle
    length = np.abs(away)
    spread = np.maximum(np.median(length, axis=0) / RAYLEIGH_MEDIAN, 1e-9)
    far: Bools = length > FAR * spread
    count = far.sum(axis=0)
    pull = (np.where(far, away / np.maximum(length, 1e-9), 0)).sum(axis=0)
    for at in np.flatnonzero((count >= LEAST) & (np.abs(pull) > TOGETHER * count)):
        direction = complex(pull[at] / abs(pull[at]))
        along = _Apart(complex(middle[at]), direction, 0.0).along(values[:, at])
        # A wave on many rows makes its own phase look quiet once whitened, not the other one.
        scale = max(1.4826 * float(np.median(np.abs(along - np.median(along)))), 1e-9)
        near = along[along > FAR * scale] / scale
        if len(near) >= LEAST:
            yield int(at), _Apart(complex(middle[at]), direction * scale, float(np.median(near)))


def detached(along: Floats, distance: float) -> tuple[float, int]:
    """Log p that no part of the rows is detached from the rest, and how many lie out there.

    More rows around a distance than halfway to it: no density that falls from the
    middle outwards allows that, however heavy its tail. What was mixed into pictures at one
    strength does it; odd pictures, which lie far out for many reasons, do not.

    Args:
        along: ``(n,)`` deviations from the middle, in a direction that others taught.
        distance: the typical one of the suspects.
    """
    there = int(((along >= 0.75 * distance) & (along < 1.25 * distance)).sum())
    halfway = int(((along >= 0.25 * distance) & (along < 0.75 * distance)).sum())
    return float(stats.binom.logsf(there - 1, there + halfway, 0.5)), there


def _measured(values: Complexes, others: Complexes, apart: _Apart) -> tuple[float, float]:
    """Log p that no part is detached, the weaker of two words, and the share of others as far."""
    along = apart.along(values)
    gap, there = detached(along, apart.distance)
    beyond = int((along >= 0.75 * apart.distance).sum())
    reach = np.abs(apart.along(others))
    elsewhere = float((reach >= 0.75 * apart.distance).mean()) if len(reach) else 0.0
    if there < LEAST:
        return 0.0, elsewhere
    usual = min(1.0, SPREAD * (elsewhere + 1 / (1 + len(reach))))
    rare = float(stats.binom.logsf(beyond - 1, len(along), usual))
    return max(gap, rare), elsewhere

"""Pixels that rows with a wrong label share, wherever in the picture they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.screening.features.image import twins

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.image import Images

    Bytes = npt.NDArray[np.uint8]

LEVELS = (1, 16)
SPREAD = 2.0
PRIOR = 0.1
TOP = 64
SEEDS = 8
MOST_CELLS = 50_000
MOST_ROWS = 2_000
AGREE = 0.95
USUAL = 0.5
SHOWN = 0.9
BLOCK = 512


@dataclass(frozen=True, slots=True, eq=False)
class Stamp:
    """Cells (pixels of one channel) with fixed values, shared by rows that contradict a label.

    Attributes:
        label: code of the label.
        cells: ``(m,)`` positions in a flattened picture.
        values: ``(m,)`` what they show, divided by ``step``.
        step: grey levels that count as one.
        sharing: contradicting rows that show all of what was grown, distinct pictures.
        expected: how many of them would by what their pictures show, at most.
        log_p: natural logarithm of the p-value, corrected for all cells and values.
    """

    label: int
    cells: Ints
    values: Bytes
    step: int
    sharing: int
    expected: float
    log_p: float

    def shown_by(self, flat: Bytes) -> Floats:
        """``(n,)`` share of the cells that each picture shows."""
        same = flat[:, self.cells] // self.step == self.values
        return np.asarray(same.mean(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class _Honest:
    """Rows that the contradicting ones are compared with.

    Attributes:
        flat: ``(n, cells)`` all pictures.
        rows: ``(h,)`` rows whose label is the likeliest.
        shown: ``(h,)`` that label's code.
        size: ``(k,)`` how many show each, at least 1.
        least: fewest contradicting rows that must share a stamp.
    """

    flat: Bytes
    rows: Ints
    shown: Ints
    size: Ints
    least: int

    @classmethod
    def of(cls, images: Images, beliefs: Beliefs, least: int) -> _Honest:
        fits = images.present & ~beliefs.disagrees & (beliefs.shown == beliefs.codes)
        rows = np.flatnonzero(fits)
        shown = beliefs.shown[rows]
        size = np.maximum(np.bincount(shown, minlength=len(beliefs.classes)), 1)
        return cls(images.pixels.reshape(len(images.pixels), -1), rows, shown, size, least)

    def like(self, shown: Ints) -> Floats:
        """``(k,)`` weight of an honest row of each class, to be as many as ``shown``."""
        return np.asarray(np.bincount(shown, minlength=len(self.size)) / self.size)


@dataclass(frozen=True, slots=True, eq=False)
class _Crowd:
    """Rows that contradict one label.

    Attributes:
        label: code of the label.
        rows: ``(r,)`` one a distinct picture.
        shown: ``(r,)`` code of what each shows.
    """

    label: int
    rows: Ints
    shown: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """Values of cells that some contradicting rows share, the most surprising first.

    Attributes:
        cells: ``(i,)`` their positions.
        values: ``(i,)`` their values.
        log_p: ``(i,)`` of so many rows that share each.
    """

    cells: Ints
    values: Bytes
    log_p: Floats


def stamps(images: Images, beliefs: Beliefs, tested: Bools, least: int) -> Iterator[Stamp]:
    """The most surprising stamp under each label, at two readings of the grey levels.

    Rows whose label contradicts what they show are compared, cell by cell, with honest
    rows that show the same: a value that many of the former have and few of the latter
    was put there. The test is a Poisson tail against twice the honest rate, because
    pictures that are hard to tell differ a little from easy ones. A stamp is grown from
    its most surprising values as long as each addition pays for having been chosen.

    Args:
        images: the pictures; of large ones every so many pixels are looked at.
        beliefs: what the labels should be.
        tested: ``(n,)`` rows under test.
        least: fewest rows that share a stamp.

    Complexity:
        O(n · pixels), and O(n · 64) a label for growing.
    """
    honest = _Honest.of(images, beliefs, least)
    crowds = _crowds(images, beliefs, tested, least)
    if not crowds or len(honest.rows) == 0:
        return
    for step in LEVELS:
        tests, found = _sharing(honest, _cells(images), crowds, step)
        for crowd, items in zip(crowds, found, strict=True):
            if len(items.cells):
                yield _grown(honest, crowd, items, step, float(np.log(tests)))


def _cells(images: Images) -> Ints:
    """Cells to look at: all, or every so many rows and columns of a large picture."""
    height, width, channels = images.shape
    stride = int(np.ceil(np.sqrt(height * width * channels / MOST_CELLS)))
    every = np.arange(height * width * channels).reshape(height, width, channels)
    return np.asarray(every[::stride, ::stride].ravel())


def _crowds(images: Images, beliefs: Beliefs, tested: Bools, least: int) -> list[_Crowd]:
    units = twins(images)
    wrong = beliefs.disagrees & tested & images.present
    found = []
    for label in np.unique(beliefs.codes[wrong]):
        rows = np.flatnonzero(wrong & (beliefs.codes == label))
        # Sorted by hash: one row a picture, and a sample where there are many.
        _, once = np.unique(units[rows], return_index=True)
        rows = rows[once[:MOST_ROWS]]
        if len(rows) >= least:
            found.append(_Crowd(int(label), rows, beliefs.shown[rows]))
    return found


def _sharing(
    honest: _Honest, cells: Ints, crowds: list[_Crowd], step: int
) -> tuple[int, list[_Items]]:
    """How many values were looked at, and for each crowd the most surprising that it shares."""
    levels, classes = -(-256 // step), len(honest.size)
    weights = [SPREAD * honest.like(crowd.shown) for crowd in crowds]
    tests = 0
    found: list[list[tuple[int, int, float]]] = [[] for _ in crowds]
    for cell in cells:
        value = honest.flat[:, cell] // step
        codes = value[honest.rows] + honest.shown * levels
        by_class = np.bincount(codes, minlength=levels * classes).reshape(classes, levels)
        tests += int(by_class.any(axis=0).sum())
        for crowd, weight, items in zip(crowds, weights, found, strict=True):
            shared = np.bincount(value[crowd.rows], minlength=levels)
            at = np.flatnonzero(shared >= honest.least)
            rate = weight @ by_class[:, at] + PRIOR
            for one in np.flatnonzero(shared[at] > rate):
                log_p = float(_tail(shared[at[one]], rate[one]))
                items.append((int(cell), int(at[one]), log_p))
    return max(tests, 1) * len(crowds), [_top(items) for items in found]


def _top(found: list[tuple[int, int, float]]) -> _Items:
    best = sorted(found, key=lambda item: (item[2], item[0], item[1]))[:TOP]
    cells = np.array([cell for cell, _, _ in best], dtype=np.int64)
    values = np.array([value for _, value, _ in best], dtype=np.uint8)
    return _Items(cells, values, np.array([log_p for _, _, log_p in best]))


def _tail(count: Ints, rate: Floats) -> Floats:
    return np.asarray(stats.poisson.logsf(count - 1, rate))


def _grown(honest: _Honest, crowd: _Crowd, items: _Items, step: int, log_tests: float) -> Stamp:
    """The best of the stamps that begin with each of the most surprising values."""
    wrong = honest.flat[np.ix_(crowd.rows, items.cells)] // step == items.values
    usual = honest.flat[np.ix_(honest.rows, items.cells)] // step == items.values
    weight = SPREAD * honest.like(crowd.shown)[honest.shown]
    best, carriers, rate = np.inf, np.zeros(len(wrong), bool), 0.0
    for seed in range(min(SEEDS, len(items.cells))):
        mine, theirs, price = wrong[:, seed], usual[:, seed], log_tests
        log_p = float(items.log_p[seed]) + price
        for _ in range(TOP):
            price += np.log(TOP)
            joint = wrong[mine].sum(axis=0)
            away = weight[theirs] @ usual[theirs] + PRIOR
            after = np.where(joint >= honest.least, _tail(joint, away) + price, np.inf)
            one = int(after.argmin())
            if after[one] >= log_p:
                break
            log_p, mine, theirs = float(after[one]), mine & wrong[:, one], theirs & usual[:, one]
        if log_p < best:
            best, carriers, rate = log_p, mine, float(weight[theirs].sum() + PRIOR)
    cells, values = _common(honest, crowd.rows[carriers], crowd.shown[carriers], step)
    return Stamp(crowd.label, cells, values, step, int(carriers.sum()), rate, min(0.0, best))


def _common(honest: _Honest, rows: Ints, shown: Ints, step: int) -> tuple[Ints, Bytes]:
    """Cells in which nearly all of ``rows`` agree, and most honest rows like them do not."""
    weight = (honest.like(shown) / max(len(rows), 1))[honest.shown].astype(np.float32)
    cells, values = [], []
    for start in range(0, honest.flat.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        ours = honest.flat[rows, block] // step
        usual = np.median(ours, axis=0).astype(np.uint8)
        agree = np.flatnonzero((ours == usual).mean(axis=0) >= AGREE)
        theirs = honest.flat[honest.rows, block][:, agree] // step == usual[agree]
        rare = agree[weight @ theirs <= USUAL]
        cells.append(start + rare)
        values.append(usual[rare])
    return np.concatenate(cells), np.concatenate(values)

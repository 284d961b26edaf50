"""Pixels that rows with a wrong label share, wherever in the picture they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from credenza.screening.features.contradictions import (
    MOST,
    PURE,
    SPREAD,
    TOP,
    Honest,
    crowds_of,
    grown,
    log_tail,
    matched,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.contradictions import Crowd
    from credenza.screening.features.image import Images, Singles

    Bytes = npt.NDArray[np.uint8]
    _Shared = tuple[Ints, Ints, Ints, Floats]

# Grey levels that count as one, and by how many of these nature's twins of a stamp differ.
REACH = {1: 8, 16: 2}
MOST_CELLS = 50_000
AGREE = 0.95
USUAL = 0.5
SHOWN = 0.9
TELLING = 3
SHOWN_PIXELS = 32
BLOCK = 512
NEARLY = 3
# Nearly every drawn shape has two pixels that touch.
TOUCHING = ((0, 1), (1, 0), (1, 1), (1, -1))


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

    @property
    def is_exact(self) -> bool:
        """Whether it was read to the last grey level."""
        return self.step == 1

    @property
    def is_telling(self) -> bool:
        """Whether nature repeats it seldom."""
        return len(self.cells) >= TELLING

    def flagged(self, images: Images, rows: Ints, wrong: Bools) -> Ints:
        """Rows that show nine in ten of the cells; of lone pixels contradicting ones.

        Args:
            images: the pictures.
            rows: rows under test of the label.
            wrong: ``(n,)`` whether a row contradicts its label.
        """
        # Of pictures of one kind some have a pixel in the same sixteenth by nature.
        if not (self.is_telling or (self.is_exact and len(self.cells))):
            return rows[:0]
        flat = images.pixels.reshape(len(images.pixels), -1)
        shown = flat[np.ix_(rows, self.cells)] // self.step
        is_carrier = (shown == self.values).mean(axis=1) >= SHOWN
        carriers = rows[is_carrier]
        share = wrong[carriers].mean() if len(carriers) else 0.0
        away = np.maximum(shown, self.values) - np.minimum(shown, self.values)
        reach = REACH[self.step]
        twins = int(((away <= reach).all(axis=1) & ~is_carrier & wrong[rows]).sum())
        # Pictures of a kind show all values around one, too.
        if share < MOST or SPREAD * twins / (2 * reach) >= len(carriers):
            return rows[:0]
        # Nature has one or two pixels of these values, too.
        is_sure = self.is_telling or share >= PURE
        return np.asarray(carriers if is_sure else carriers[wrong[carriers]])

    def box(self, images: Images, rows: Ints) -> tuple[int, int, int, int]:  # noqa: ARG002 - as of roamers
        """Upper row, left column, height and width of what it covers."""
        down, across = self._places(images)
        top, left = int(down.min()), int(across.min())
        return top, left, int(down.max()) - top + 1, int(across.max()) - left + 1

    def covered(self, images: Images, rows: Ints) -> Bools:  # noqa: ARG002 - as of roamers
        """``(h, w, c)`` what it lies on."""
        found = np.zeros(images.shape, bool)
        found.reshape(-1)[self.cells] = True
        return found

    def exhibits(self, images: Images) -> dict[str, object]:
        """What it is."""
        pixels = sorted(set(zip(*(part.tolist() for part in self._places(images)), strict=True)))
        places = [list(pixel) for pixel in pixels[:SHOWN_PIXELS]]
        return {"trigger": "pixels", "pixels": len(pixels), "places": places}

    def said(self, images: Images) -> str:
        """What its carriers have in common."""
        pixels = self.exhibits(images)["pixels"]
        return f"have the same {pixels} pixel{'s' if pixels != 1 else ''}"

    def _places(self, images: Images) -> tuple[Ints, Ints]:
        _, width, channels = images.shape
        return np.divmod(self.cells // channels, width)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Pictures, the honest ones among them, and how many contradicting rows must share a stamp."""

    flat: Bytes
    honest: Honest
    least: int

    def counted(self, shows: Bools) -> Ints:
        """``(k,)`` honest rows of each class among the ``(n,)`` that show something."""
        return np.bincount(
            self.honest.shown[shows[self.honest.rows]], minlength=len(self.honest.size)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Items:
    """Values of cells, or of cells that touch, which some contradicting rows share.

    The most surprising are first.

    Attributes:
        cells: ``(i, m)`` their positions.
        values: ``(i, m)`` their values.
    """

    cells: Ints
    values: Bytes


def stamps(images: Images, beliefs: Beliefs, tested: Bools, least: int) -> Iterator[Stamp]:
    """The most surprising stamps under each label: by two readings of a cell, and by pairs.

    Rows whose label contradicts what they show are compared, cell by cell, with honest
    rows that show the same: a value that many of the former have and few of the latter
    was put there. The test is a Poisson tail against twice the honest rate (the higher of those of
    rows that show the same and of rows of the label), because
    pictures that are hard to tell differ a little from easy ones. A stamp is grown from
    its most surprising values as long as each addition pays for having been chosen. In few
    rows no pixel of a stamp is surprising, but two that touch are, as nearly every drawn shape
    has them: so pairs are read, too, to the last grey level.

    Args:
        images: the pictures; of large ones every so many pixels are looked at.
        beliefs: what the labels should be.
        tested: ``(n,)`` rows under test.
        least: fewest rows that share a stamp.

    Complexity:
        O(n · pixels), and O(n · 64) a label for growing.
    """
    honest = Honest.of(images, beliefs)
    crowds = crowds_of(images, beliefs, tested, least)
    if not crowds or len(honest.rows) == 0:
        return
    seen = _Seen(images.pixels.reshape(len(images.pixels), -1), honest, least)
    looks = [(step, _sharing(seen, _cells(images), crowds, step)) for step in REACH]
    looks.append((1, _touching(seen, _pairs(images), crowds)))
    for step, (tests, found) in looks:
        for crowd, items in zip(crowds, found, strict=True):
            if len(items.cells):
                yield _stamp(seen, crowd, items, step, float(np.log(tests)))


def _every_cell(images: Images, most: int) -> tuple[Ints, int]:
    """``(h, w, c)`` numbers of the cells, and each how many rows and columns ``most`` are met."""
    shape = images.shape
    size = int(np.prod(shape))
    return np.arange(size).reshape(shape), int(np.ceil(np.sqrt(size / most)))


def _cells(images: Images) -> Ints:
    """Cells to look at: all, or every so many rows and columns of a large picture."""
    every, stride = _every_cell(images, MOST_CELLS)
    return np.asarray(every[::stride, ::stride].ravel())


def _pairs(images: Images) -> Ints:
    """``(p, 2)`` cells of one channel that touch, from every so many rows and columns."""
    every, stride = _every_cell(images, MOST_CELLS // len(TOUCHING))
    height, width, _ = images.shape
    found = []
    for down, across in TOUCHING:
        first = every[: height - down, max(0, -across) : width - max(0, across)]
        second = every[down:, max(0, across) : width + min(0, across)]
        both = np.stack([first, second], axis=-1)[::stride, ::stride]
        found.append(both.reshape(-1, 2))
    return np.concatenate(found)


def _sharing(seen: _Seen, cells: Ints, crowds: list[Crowd], step: int) -> tuple[int, list[_Items]]:
    """How many values were looked at, and for each crowd the most surprising that it shares."""
    levels, classes = -(-256 // step), len(seen.honest.size)
    weights = [seen.honest.like(crowd.label, crowd.shown) for crowd in crowds]
    tests = 0
    found: list[list[_Shared]] = [[] for _ in crowds]
    for cell in cells:
        value = seen.flat[:, cell] // step
        codes = value[seen.honest.rows] + seen.honest.shown * levels
        by_class = np.bincount(codes, minlength=levels * classes).reshape(classes, levels)
        tests += int(by_class.any(axis=0).sum())
        usual = _nearly(by_class, step)
        for crowd, weight, items in zip(crowds, weights, found, strict=True):
            shared = np.bincount(value[crowd.rows], minlength=levels)
            at = np.flatnonzero(shared >= seen.least)
            rate = matched(weight, usual[:, at])
            more = shared[at] > rate
            at = at[more]
            cells_of = np.full((len(at), 1), cell)
            items.append((cells_of, at[:, None], shared[at], rate[more]))
    return max(tests, 1) * len(crowds), [_top(items) for items in found]


def _touching(seen: _Seen, pairs: Ints, crowds: list[Crowd]) -> tuple[int, list[_Items]]:
    """The same of cells that touch: of how many values crowds show, the most surprising."""
    weights = [seen.honest.like(crowd.label, crowd.shown) for crowd in crowds]
    tests = 0
    found: list[list[_Shared]] = [[] for _ in crowds]
    for pair in pairs:
        one, other = np.ascontiguousarray(seen.flat[:, pair].T)
        code = one * np.uint16(256) + other
        usual: dict[int, Floats] = {}
        for crowd, weight, items in zip(crowds, weights, found, strict=True):
            known, shared = np.unique(code[crowd.rows], return_counts=True)
            tests += len(known)
            for at in np.flatnonzero(shared >= seen.least):
                value = np.divmod(int(known[at]), 256)
                if known[at] not in usual:
                    near = _around(one, value[0]) & _around(other, value[1])
                    usual[known[at]] = np.maximum(
                        seen.counted(code == known[at]), seen.counted(near) / NEARLY
                    )[:, None]
                rate = matched(weight, usual[known[at]])
                if shared[at] > rate[0]:
                    items.append((pair[None], np.array([value]), shared[at : at + 1], rate))
    return max(tests, 1), [_top(items) for items in found]


def _around(shown: Bytes, value: int) -> Bools:
    """Where a value or one beside it is shown."""
    low = max(value - 1, 0)
    return np.asarray(shown - np.uint8(low) <= min(value + 1, 255) - low)


def _nearly(by_class: Ints, step: int) -> Ints | Floats:
    """``(k, v)`` how many show each value, or on average it and those beside it, if that is more.

    Nature does not tell these apart, so that what few show by chance is no rarer than they are.
    """
    if step > 1:
        return by_class
    three = ndimage.convolve1d(by_class, np.ones(NEARLY, np.int64), axis=1, mode="constant")
    return np.asarray(np.maximum(by_class, three / NEARLY))


def _top(found: list[_Shared]) -> _Items:
    if not found:
        return _Items(np.zeros((0, 1), np.int64), np.zeros((0, 1), np.uint8))
    cells, values, shared, rate = (np.concatenate(part) for part in zip(*found, strict=True))
    best = np.lexsort((*values.T, *cells.T, log_tail(shared, rate)))[:TOP]
    return _Items(cells[best], values[best].astype(np.uint8))


def _stamp(seen: _Seen, crowd: Crowd, items: _Items, step: int, log_tests: float) -> Stamp:
    """What the rows have in common that share the least likely of the values."""
    wrong = (seen.flat[crowd.rows[:, None, None], items.cells] // step == items.values).all(axis=2)
    shown_by = seen.flat[seen.honest.rows[:, None, None], items.cells] // step
    away = np.maximum(shown_by, items.values) - np.minimum(shown_by, items.values)
    # The same, and on average nearly the same: two words of honest rows, of which the most counts.
    usual = np.concatenate([(away == 0).all(axis=2), (away <= (step == 1)).all(axis=2)])
    weight = seen.honest.like(crowd.label, crowd.shown)[:, seen.honest.shown]
    none = np.zeros_like(weight)
    words = np.block([[weight, none], [none, weight / NEARLY]])
    best = grown(wrong, usual, words, log_tests, seen.least)
    rows, shown = crowd.rows[best.carriers], crowd.shown[best.carriers]
    usual_weight = seen.honest.like(crowd.label, shown)[:, seen.honest.shown] / len(rows)
    cells, values = _common(seen, rows, usual_weight.astype(np.float32), step)
    log_p = min(0.0, best.log_p)
    return Stamp(crowd.label, cells, values, step, len(rows), best.expected, log_p)


def _common(seen: _Seen, rows: Ints, weight: Singles, step: int) -> tuple[Ints, Bytes]:
    """Cells in which nearly all of ``rows`` agree, and most honest rows like them do not."""
    cells, values = [], []
    for start in range(0, seen.flat.shape[1], BLOCK):
        block = slice(start, start + BLOCK)
        ours = seen.flat[rows, block] // step
        usual = np.median(ours, axis=0).astype(np.uint8)
        agree = np.flatnonzero((ours == usual).mean(axis=0) >= AGREE)
        theirs = seen.flat[seen.honest.rows, block][:, agree] // step == usual[agree]
        rare = agree[(weight @ theirs).max(axis=0) <= USUAL]
        cells.append(start + rare)
        values.append(usual[rare])
    return np.concatenate(cells), np.concatenate(values)

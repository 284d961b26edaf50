"""Small patterns that rows with a wrong label share, each somewhere in one part of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.contradictions import (
    MOST,
    MOST_ROWS,
    PURE,
    TOP,
    Honest,
    crowds_of,
    grown,
    log_tail,
    matched,
)
from credenza.screening.features.image import content_hash
from credenza.screening.features.image_marks import LOOSE, Mark, sighted_in
from credenza.screening.features.image_patches import BINS, MAX_WINDOWS, bins, changes
from credenza.screening.features.tiles import Tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.contradictions import Crowd
    from credenza.screening.features.image import Images
    from credenza.screening.features.image_marks import Sighted
    from credenza.screening.features.image_patches import Shape

HONEST_ROWS = 5_000
MARGIN = 2


@dataclass(frozen=True, slots=True, eq=False)
class Roamer:
    """Small patterns that rows contradicting a label show together, each somewhere in a tile.

    Attributes:
        label: code of the label.
        marks: the patterns, the one it was grown from first.
        others: patterns that mostly the same rows show, and nature hardly has.
        contradicting: rows that contradict the label, distinct pictures.
        sharing: how many of them show all.
        expected: how many of them would by what their pictures show, at most.
        log_p: natural logarithm of the p-value, corrected for all patterns and tiles.
    """

    label: int
    marks: tuple[Mark, ...]
    others: tuple[Mark, ...]
    contradicting: int
    sharing: int
    expected: float
    log_p: float

    @property
    def is_exact(self) -> bool:
        """Whether a row that shows it where it does not stand out would be known: it is not."""
        return False

    @property
    def is_telling(self) -> bool:
        """Whether nature repeats it seldom: each mark has three pixels."""
        return True

    def flagged(self, images: Images, rows: Ints, wrong: Bools) -> Ints:
        """Rows that show all marks; only contradicting ones where nature has some, too.

        Contradicting rows are added that show half as many of the other marks as these do.

        Args:
            images: the pictures.
            rows: rows under test of the label.
            wrong: ``(n,)`` whether a row contradicts its label.
        """
        every = self.marks + self.others
        seen = dict(sighted_in(images, rows, {mark.shape for mark in every}))
        shown = np.zeros((len(rows), len(every)), bool)
        for place, mark in enumerate(every):
            shown[mark.among(seen[mark.shape])[0], place] = True
        together = np.asarray(shown[:, : len(self.marks)].all(axis=1))
        if self.expected > (1 - PURE) * self.sharing or not together.any():
            return rows[:0]
        contradicts = np.asarray(wrong[rows])
        natural = self.expected * len(rows) / self.contradicting
        is_sure = natural <= (1 - PURE) * together.sum()
        is_sure = is_sure and contradicts[together].mean() >= MOST
        others = shown[:, len(self.marks) :].sum(axis=1)
        known = together & contradicts
        also = contradicts & (others >= max(1, np.median(others[known]) / 2 if known.any() else 1))
        return np.asarray(rows[(together if is_sure else known) | also])

    def box(self, images: Images, rows: Ints) -> tuple[int, int, int, int]:
        """Upper row, left column, height and width of where the rows show the first mark."""
        ((shape, sighted),) = sighted_in(images, rows, {self.marks[0].shape})
        _, row, column = self.marks[0].among(sighted)
        top, left = int(row.min()), int(column.min())
        high, wide = shape.size
        return top, left, int(row.max()) - top + high, int(column.max()) - left + wide

    def covered(self, images: Images, rows: Ints) -> Bools:
        """``(h, w, c)`` what it may lie on, with what the first mark may be a part of."""
        top, left, height, width = self.box(images, rows)
        found = np.zeros(images.shape, bool)
        above, before = max(0, top - MARGIN), max(0, left - MARGIN)
        found[above : top + height + MARGIN, before : left + width + MARGIN] = True
        return found

    def exhibits(self, images: Images) -> dict[str, object]:  # noqa: ARG002 - as of stamps
        """What it is."""
        names = sorted({mark.shape.name for mark in self.marks})
        return {"trigger": self.marks[0].shape.name, "marks": names}

    def said(self, images: Images) -> str:  # noqa: ARG002 - as of stamps
        """What its carriers have in common."""
        return f"show the same {self.marks[0].shape.name} somewhere"


@dataclass(frozen=True, slots=True, eq=False)
class _Noted:
    """A pattern in a tile: how surprising it is, and the looked-at rows that show it."""

    log_p: float
    mark: Mark
    rows: Ints


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """What one learner's beliefs make of the rows that are looked at.

    Attributes:
        crowds: rows that contradict each label.
        classes: how many there are.
        of_crowd: ``(r,)`` which crowd a row belongs to, -1 for none.
        shown: ``(r,)`` code of the label that an honest row shows, -1 for others.
        weights: for each crowd, ``(2, k)`` of an honest row of each class.
        noted: the most surprising patterns of each crowd so far.
    """

    crowds: list[Crowd]
    classes: int
    of_crowd: Ints
    shown: Ints
    weights: list[Floats]
    noted: list[list[_Noted]]

    @classmethod
    def of(cls, crowds: list[Crowd], honest: Honest, looked_at: Ints) -> _Side:
        of_crowd, shown = np.full((2, len(looked_at)), -1, np.int64)
        for place, crowd in enumerate(crowds):
            of_crowd[np.searchsorted(looked_at, crowd.rows)] = place
        shown[np.searchsorted(looked_at, honest.rows)] = honest.shown
        weights = [honest.like(crowd.label, crowd.shown) for crowd in crowds]
        return cls(crowds, len(honest.size), of_crowd, shown, weights, [[] for _ in crowds])

    def roamer(self, place: int, log_tests: float, least: int) -> Roamer:
        """What was noted of a crowd, grown."""
        noted = self.noted[place]
        shown = np.zeros((len(self.shown), len(noted)), bool)
        for feature, one in enumerate(noted):
            shown[one.rows, feature] = True
        honest = self.shown >= 0
        weight = self.weights[place][:, self.shown[honest]]
        wrong, usual = shown[self.of_crowd == place], shown[honest]
        best = grown(wrong, usual, weight, log_tests, least)
        count = wrong.sum(axis=0)
        is_same = 2 * wrong[best.carriers].sum(axis=0) >= count
        is_rare = matched(weight, usual) <= (1 - PURE) * count
        return Roamer(
            self.crowds[place].label,
            tuple(noted[feature].mark for feature in best.features),
            tuple(noted[feature].mark for feature in np.flatnonzero(is_same & is_rare)),
            len(best.carriers),
            int(best.carriers.sum()),
            best.expected,
            min(0.0, best.log_p),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Groups:
    """Who shows which pattern in which tile, each row once, where it stands out most.

    Attributes:
        key: ``(g,)`` code of each group's pattern.
        tile: ``(g,)`` each group's tile.
        at: ``(t,)`` group of each sighting.
        rows: ``(t,)`` its row.
    """

    key: Ints
    tile: Ints
    at: Ints
    rows: Ints

    def shown_by(self, group: int) -> Ints:
        """Rows of a group."""
        low, high = np.searchsorted(self.at, [group, group + 1])
        return self.rows[low:high]


def roamers(
    images: Images, learners: Sequence[Beliefs], tested: Bools, least: int
) -> Iterator[tuple[Beliefs, Roamer]]:
    """The most surprising pattern of each shape under each label, and by whose beliefs.

    A trigger that moves a little, or a lot, from picture to picture leaves no pixel that its
    carriers share. What they share is a small pattern that stands out, read to the last grey
    level, in one tile: of the whole picture, of half its width, and so on. For every pattern
    and tile that contradicting rows show, their number is compared with that of honest rows
    which show the same things, and with that of honest rows of the label, by a Poisson tail
    against twice the higher rate; all patterns and tiles that were looked at are paid for.

    Blind to patterns that blend with what they cover, are turned, or have no three pixels in a
    row, and where honest pictures of the same look, or of the label, have them in the same tile.

    Args:
        images: the pictures.
        learners: what the labels should be, by each learner.
        tested: ``(n,)`` rows under test.
        least: fewest rows that share a pattern.

    Complexity:
        O(r · pixels) for r contradicting rows, at most 2,000 a label, and 5,000 honest ones;
        fewer of large pictures, so that there are 2^26 windows at most.
    """
    sides, looked_at = _looked_at(images, learners, tested, least)
    every = Tiles.over(*images.shape[:2])
    places = sum(tiles.a_place for tiles in every)
    tests = 0
    for shape, sighted in sighted_in(images, looked_at, LOOSE):
        tests += places * sum(int((side.of_crowd[sighted[3]] >= 0).sum()) for side in sides)
        _note(sighted, shape, every, sides, least)
    for side, beliefs in zip(sides, learners, strict=True):
        for place, noted in enumerate(side.noted):
            if noted:
                yield beliefs, side.roamer(place, float(np.log(tests)), least)


def _looked_at(
    images: Images, learners: Sequence[Beliefs], tested: Bools, least: int
) -> tuple[list[_Side], Ints]:
    """Each learner's crowds and a sample of its honest rows, and all of these rows."""
    order = np.argsort(content_hash(images), kind="stable")
    room = MAX_WINDOWS // (images.shape[0] * images.shape[1]) // 2
    most = min(MOST_ROWS, max(least, room // max(1, len(learners[0].classes))))
    crowds = [crowds_of(images, beliefs, tested, least, most) for beliefs in learners]
    honest = []
    for beliefs in learners:
        fits = Honest.of(images, beliefs).rows
        drawn = order[np.isin(order, fits, assume_unique=True)][: min(HONEST_ROWS, room)]
        honest.append(Honest.among(np.sort(drawn), beliefs))
    every = [crowd.rows for some in crowds for crowd in some] + [some.rows for some in honest]
    looked_at = np.unique(np.concatenate(every))
    sides = [_Side.of(c, h, looked_at) for c, h in zip(crowds, honest, strict=True)]
    return sides, looked_at


def _note(
    sighted: Sighted,
    shape: Shape,
    every: list[Tiles],
    sides: list[_Side],
    least: int,
) -> None:
    """Add the most surprising patterns of a shape to what each side has noted."""
    keys, row, column, found = sighted
    wrong = np.any([side.of_crowd >= 0 for side in sides], axis=0)
    recur = _recurring(keys, found, wrong, least)
    kept, code = _with_key(keys, recur)
    for tiles in every:
        groups = _grouped(code, tiles.at(row[kept], column[kept]), found[kept], wrong, least)
        for side in sides:
            for crowd, group, log_p in _surprising(groups, side, least):
                mark = Mark(shape, int(recur[groups.key[group]]), tiles, int(groups.tile[group]))
                side.noted[crowd].append(_Noted(log_p, mark, groups.shown_by(group)))
            for noted in side.noted:
                noted.sort(key=lambda one: one.log_p)
                del noted[TOP:]


def _recurring(keys: Ints, found: Ints, wrong: Bools, least: int) -> Ints:
    """Keys that enough contradicting rows show, sorted."""
    mine = np.flatnonzero(wrong[found])
    # Most windows are alone in their bin, and need not be sorted.
    crowded = np.bincount(bins(keys[mine]), minlength=BINS) >= least
    mine = mine[crowded[bins(keys[mine])]]
    known, code = np.unique(keys[mine], return_inverse=True)
    once = np.unique(code * len(wrong) + found[mine])
    return known[np.bincount(once // len(wrong), minlength=len(known)) >= least]


def _with_key(keys: Ints, wanted: Ints) -> tuple[Ints, Ints]:
    """Which of the keys are among the wanted, sorted ones, and their places there."""
    if len(wanted) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    may = np.zeros(BINS, bool)
    may[bins(wanted)] = True
    kept = np.flatnonzero(may[bins(keys)])
    place = np.minimum(np.searchsorted(wanted, keys[kept]), len(wanted) - 1)
    same = wanted[place] == keys[kept]
    return kept[same], place[same]


def _grouped(code: Ints, tile: Ints, found: Ints, wrong: Bools, least: int) -> _Groups:
    """Patterns by tile that enough contradicting rows may show, and who shows them."""
    places, rows = int(tile.max(initial=0)) + 1, len(wrong)
    pair, shown_by = (code * places + tile).ravel(), np.tile(found, len(tile))
    # Few pairs recur, and only those need be sorted.
    crowded = np.bincount(bins(pair[wrong[shown_by]]), minlength=BINS) >= least
    kept = crowded[bins(pair)]
    sightings = np.sort(pair[kept] * rows + shown_by[kept])
    group, shown_by = np.divmod(sightings[changes(sightings)], rows)
    first = changes(group)
    key, tile = np.divmod(group[first], places)
    return _Groups(key, tile, np.cumsum(first) - 1, shown_by)


def _surprising(groups: _Groups, side: _Side, least: int) -> Iterator[tuple[int, int, float]]:
    """Crowd, group and log p of the groups that are the most surprising in each crowd."""
    at, rows = groups.at, groups.rows
    crowds, classes = len(side.crowds), side.classes
    size = len(groups.key)
    crowd = side.of_crowd[rows]
    mine = crowd >= 0
    sharing = np.bincount(at[mine] * crowds + crowd[mine], minlength=size * crowds)
    sharing = sharing.reshape(size, crowds)
    able = np.flatnonzero((sharing >= least).any(axis=1))
    place = np.full(size, -1)
    place[able] = np.arange(len(able))
    honest = (side.shown[rows] >= 0) & (place[at] >= 0)
    code = place[at[honest]] * classes + side.shown[rows[honest]]
    usual = np.bincount(code, minlength=len(able) * classes).reshape(len(able), classes)
    by_class = np.ascontiguousarray(usual.T, dtype=np.float64)
    for one in range(crowds):
        count, rate = sharing[able, one], matched(side.weights[one], by_class)
        more = np.flatnonzero((count >= least) & (count > rate))
        log_p = log_tail(count[more], rate[more])
        for first in np.argsort(log_p, kind="stable")[:TOP]:
            yield one, int(able[more[first]]), float(log_p[first])

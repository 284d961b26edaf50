"""Shapes that nobody listed: pixels that recur together in pictures of one kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.contradictions import PRIOR, SPREAD, TOP, log_tail
from credenza.screening.features.image import TWIN_CELLS, coarse, untouched
from credenza.screening.features.image_patches import (
    BINS,
    CLOSER,
    ELSEWHERE_RANK,
    PRIOR_TWINS,
    Shape,
    alike,
    bins,
    pattern_at,
    standing_out,
    windows,
)
from credenza.screening.features.image_surroundings import TOLD, told_by_rest
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.image import Images, Pixels
    from credenza.screening.features.image_patches import Bytes

GATE = 0.15
REACH = 5
AGREE = 0.95
USUAL = 0.5
TELLING = 3
MOST_EXACT = 0.9
# Nearly every drawn shape has two pixels that touch.
PAIRS = tuple(
    Shape("pair", cells)
    for cells in (((0, 0), (0, 1)), ((0, 0), (1, 0)), ((0, 0), (1, 1)), ((0, 1), (1, 0)))
)


def _around(*distances: int) -> tuple[tuple[int, int], ...]:
    every = [(far, d, a) for far in distances for d in (-1, 0, 1) for a in (-1, 0, 1) if d or a]
    return tuple((far * down, far * across) for far, down, across in every)


# Far enough that a small shape is not met again, near enough to be alike; and what a shape was
# grown against is not what it is judged by.
AWAY, ASIDE = _around(3, 5), _around(4, 6)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """Pictures, and where they stand out.

    Attributes:
        images: the pictures.
        out: ``(n, h, w)`` by how much each pixel stands out.
    """

    images: Images
    out: Bytes

    @classmethod
    def of(cls, images: Images) -> _Seen:
        """All of them."""
        return cls(images, standing_out(images))


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A shape that was grown, where, and who shows it there.

    Attributes:
        shape: its pixels.
        row: of its upper left corner.
        column: of its upper left corner.
        rows: pictures of its kind that show it.
        elsewhere: how many others show it at the third best of the places around.
        near: how many show nearly the same there.
        aside: how many others show the same, and nearly the same, at all places around.
    """

    shape: Shape
    row: int
    column: int
    rows: Ints
    elsewhere: int
    near: int
    aside: tuple[int, int]


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """Two pixels that touch, with fixed values, at one place, the strangest first.

    Attributes:
        row: ``(f, 2)`` where.
        column: ``(f, 2)`` where.
        value: ``(f, 2, c)`` grey levels.
    """

    row: Ints
    column: Ints
    value: Pixels

    def shown(self, pixels: Pixels, out: Bytes, gate: float, away: tuple[int, int]) -> Bools:
        """``(r, f)`` which pictures show which pair so far away from its place, standing out."""
        height, width = pixels.shape[1:3]
        row, column = self.row + away[0], self.column + away[1]
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        row, column = np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)
        same = (pixels[:, row, column] == self.value).all(axis=(2, 3)) & inside.all(axis=1)
        return np.asarray(same & (out[:, row, column].mean(axis=2) > gate))


def recurring_shapes(
    images: Images, rows: Ints, codes: Ints, wrong: Bools, least: int
) -> tuple[list[tuple[Drawn, float]], int]:
    """Shapes grown in pictures of each label, how many would show each, and how many were grown.

    So many would, at most, as show it at places around, as pictures of other labels do, and as
    nearly the same lets expect: nature draws that much more often than just the same. How
    much more, the places around tell, and where little of the kind is there the shapes of the
    other labels, which are as surprising as nature makes them. Shapes that go with what lies
    around them are left out.

    Args:
        images: the pictures.
        rows: those to look at, each once.
        codes: ``(n,)`` label codes.
        wrong: ``(n,)`` rows that contradict their label.
        least: fewest that show a shape.

    Complexity:
        O(n · pixels), and O(r · 64 · 17) for each shape grown in r pictures of a label.
    """
    kinds = [rows[codes[rows] == label] for label in np.unique(codes[rows])]
    seen, around = _Seen.of(images), coarse(images, TWIN_CELLS)
    shapes = [list(_drawn(seen, among, least)) for among in kinds]
    share = [np.array([len(one.rows) / (len(one.rows) + one.near) for one in s]) for s in shapes]
    found = []
    for place, among in enumerate(kinds):
        others = np.concatenate([[0.0], *share[:place], *share[place + 1 :]])
        exactly, fits = min(MOST_EXACT, float(np.median(others))), among[~wrong[among]]
        for one in shapes[place]:
            outside = untouched(images, one.row, one.column, one.shape.size)
            is_one_kind = np.zeros(len(fits), np.int64)
            told = told_by_rest(around[fits][:, outside], np.isin(fits, one.rows), is_one_kind)
            if told.deviations <= TOLD:
                usual = _foretold(one, images, rows, among, exactly / (1 - exactly))
                found.append((one, max(1.0, SPREAD * usual)))
    return found, sum(map(len, shapes))


def _foretold(one: Drawn, images: Images, rows: Ints, among: Ints, odds: float) -> float:
    """How many pictures should show a shape by places around, near twins, and other labels.

    Args:
        one: the shape.
        images: the pictures.
        rows: all that are looked at.
        among: those of the shape's label.
        odds: of the same to nearly the same, in shapes of the other labels; what the
            places around say counts more, the more of them is there.
    """
    at, contrast = (one.row, one.column), images.contrast
    pattern = pattern_at(one.shape, images.pixels[one.rows[0]], at)
    there, _ = alike(one.shape, images.pixels[rows], pattern, at, contrast)
    # Of what differs by hardly more than noise, nature has no less than of just the same.
    _, twins = alike(one.shape, images.pixels[among], pattern, at, contrast / CLOSER)
    same, near = one.aside
    own_odds = (same + PRIOR_TWINS * odds) / (near + PRIOR_TWINS)
    beside = (there.sum() - len(one.rows)) / max(len(rows) - len(among), 1)
    return float(max(one.elsewhere, one.near * own_odds, twins.sum(), len(among) * beside))


def _drawn(seen: _Seen, among: Ints, least: int) -> Iterator[Drawn]:
    """Small shapes of at least three pixels that recur at one place more than beside it.

    Two pixels' values at a place are compared with the same values three and five pixels
    away in the same pictures: nature is alike there, what was drawn is not. From each of the
    pairs that recur most beyond that, a shape is grown by pairs nearby that the same
    pictures show, as long as each makes the coincidence less likely than having chosen
    it. Only pixels that stand out from what lies two steps around them are looked at. The most
    surprising of many always looks so: how surprising a shape is must be judged by others.
    """
    pixels, out, gate = seen.images.pixels[among], seen.out[among], GATE * seen.images.contrast
    pairs = _strange(pixels, out, gate, least)
    shows = np.stack([pairs.shown(pixels, out, gate, away) for away in ((0, 0), *AWAY)])
    row, column = pairs.row[:, 0], pairs.column[:, 0]
    used, known = np.zeros(len(row), bool), set()
    for seed in range(len(row)):
        near = np.maximum(abs(row - row[seed]), abs(column - column[seed])) <= REACH
        if not used[seed]:
            carriers, features = _grown(shows, seed, near, least)
            used[features] = True
            cells = _common(pixels, carriers, (int(row[seed]), int(column[seed])))
            name = (carriers.tobytes(), cells.tobytes())
            if len(cells) >= TELLING and name not in known:
                known.add(name)
                yield _met(seen, among, cells, int(among[carriers.argmax()]))


def _met(seen: _Seen, among: Ints, cells: Ints, example: int) -> Drawn:
    """A shape, with who shows it at its place and around."""
    top, left = (int(v) for v in cells.min(axis=0))
    inside = tuple((int(row) - top, int(column) - left) for row, column in cells)
    shape = Shape(f"shape of {len(cells)} pixels", inside, (GATE,))
    pixels = seen.images.pixels[among]
    pattern = pattern_at(shape, seen.images.pixels[example], (top, left))
    exact, near = alike(shape, pixels, pattern, (top, left), seen.images.contrast)
    high, wide = pixels.shape[1] - shape.size[0], pixels.shape[2] - shape.size[1]
    counts = [(0, 0)] * ELSEWHERE_RANK
    for down, across in ASIDE:
        place = top + down, left + across
        if 0 <= place[0] <= high and 0 <= place[1] <= wide:
            there, nearly = alike(shape, pixels, pattern, place, seen.images.contrast)
            counts.append((int((there & ~exact).sum()), int((nearly & ~exact).sum())))
    same, alike_only = np.array(counts).T
    elsewhere = int(np.sort(same)[-ELSEWHERE_RANK])
    aside = int(same.sum()), int(alike_only.sum())
    return Drawn(shape, top, left, among[exact], elsewhere, int(near.sum()), aside)


def _common(pixels: Pixels, carriers: Bools, seed: tuple[int, int]) -> Ints:
    """``(m, 2)`` pixels near a place in which nearly all carriers agree, and most others do not."""
    top, left = (max(0, place - REACH) for place in seed)
    box = pixels[:, top : seed[0] + REACH + 2, left : seed[1] + REACH + 2]
    mine = box[carriers]
    same = (box == np.median(mine, axis=0).astype(np.uint8)).all(axis=3)
    is_shared = same[carriers].mean(axis=0) >= AGREE
    is_rare = same[~carriers].mean(axis=0) <= USUAL
    return np.asarray(np.argwhere(is_shared & is_rare) + np.array([top, left]))


def _strange(pixels: Pixels, out: Bytes, gate: float, least: int) -> _Pairs:
    """The pairs that recur at one place most beyond what they do a few pixels away."""
    found = [_strange_of(shape, pixels, out, gate, least) for shape in PAIRS]
    log_p = np.concatenate([one for one, _ in found])
    best = np.argsort(log_p, kind="stable")[:TOP]
    row, column, value = (
        np.concatenate([getattr(pairs, name) for _, pairs in found])[best]
        for name in ("row", "column", "value")
    )
    return _Pairs(row, column, value)


def _strange_of(
    shape: Shape, pixels: Pixels, out: Bytes, gate: float, least: int
) -> tuple[Floats, _Pairs]:
    """Log p of the strangest pairs of one direction."""
    high, wide = shape.size
    height, width = pixels.shape[1] - high + 1, pixels.shape[2] - wide + 1
    keys, places, found, _ = windows(shape, pixels, out, gate)
    # Most windows are alone in their bin, and need not be sorted.
    at = bins(keys ^ mix(places, 41))
    crowded = np.bincount(at, minlength=BINS)[at] > 1
    keys, places, found = keys[crowded], places[crowded], found[crowded]
    _, code = np.unique(keys, return_inverse=True)
    known, first, count = np.unique(
        code * (height * width) + places, return_index=True, return_counts=True
    )
    able = np.flatnonzero(count >= least)
    kind, place = np.divmod(known[able], height * width)
    row, column = np.divmod(place, width)
    away = np.zeros((len(AWAY), len(able)), np.int64)
    for one, (down, across) in enumerate(AWAY):
        to_row, to_column = row + down, column + across
        inside = (to_row >= 0) & (to_row < height) & (to_column >= 0) & (to_column < width)
        wanted = kind * (height * width) + to_row * width + to_column
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        away[one] = np.where(inside & (known[at] == wanted), count[at], 0)
    log_p = log_tail(count[able], _usual(away))
    best = np.argsort(log_p, kind="stable")[:TOP]
    cells = np.array(shape.cells)
    rows, columns = row[best, None] + cells[:, 0], column[best, None] + cells[:, 1]
    example = found[first[able[best]]][:, None]
    return log_p[best], _Pairs(rows, columns, pixels[example, rows, columns])


def _usual(away: Ints) -> Floats:
    """What the third of the places around foretells, at most."""
    return np.asarray(SPREAD * np.sort(away, axis=0)[-ELSEWHERE_RANK] + PRIOR)


def _grown(shows: Bools, seed: int, near: Bools, least: int) -> tuple[Bools, list[int]]:
    """Which pictures show the least likely conjunction that begins with a pair, and its pairs."""
    mine = shows[:, :, seed]
    count = mine.sum(axis=1)
    log_p, features = float(log_tail(count[:1], _usual(count[1:, None]))[0]), [seed]
    while True:
        joint = np.stack([part[rows].sum(axis=0) for part, rows in zip(shows, mine, strict=True)])
        after = log_tail(joint[0], _usual(joint[1:])) + np.log(TOP)
        after = np.where(near & (joint[0] >= least), after, np.inf)
        one = int(after.argmin())
        if after[one] >= log_p:
            return mine[0], features
        log_p, mine = float(after[one]), mine & shows[:, :, one]
        features.append(one)

"""Small patterns at a place in a picture, as discrete features: who shows which, and where else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.image import Images, Pixels

    Bytes = npt.NDArray[np.uint8]

STEP_AWAY = 2
NEAR = 3
ELSEWHERE_RANK = 3
NEAR_SHARE = 8
DRAWN = 200
PRIOR_TWINS = 20.0
CLOSER = 8
MAX_WINDOWS = 2**26
BINS = 2**22


@dataclass(frozen=True, slots=True)
class Shape:
    """Which pixels of a small window make a pattern, and how finely they are read.

    Attributes:
        name: in words.
        cells: (row, column) of each pixel in the window.
        gates: shares of the contrast by which its pixels must stand out on average; each
            is a look of its own, because what is rare among the strongest is common
            among the weak.
        is_telling: whether nature repeats it too seldom to need the labels' word.
    """

    name: str
    cells: tuple[tuple[int, int], ...]
    gates: tuple[float, ...] = ()
    is_telling: bool = True

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the window."""
        return 1 + max(r for r, _ in self.cells), 1 + max(c for _, c in self.cells)


def _block(height: int, width: int) -> tuple[tuple[int, int], ...]:
    return tuple((r, c) for r in range(height) for c in range(width))


# The smaller the pattern, the more often nature repeats it by chance.
SHAPES: tuple[Shape, ...] = (
    Shape("3x3 patch", _block(3, 3), (0.08, 0.15, 0.3)),
    Shape("plus", ((0, 1), (1, 0), (1, 1), (1, 2), (2, 1)), (0.15, 0.3)),
    Shape("cross", ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2)), (0.15, 0.3)),
    Shape("2x2 patch", _block(2, 2), (0.3,), is_telling=False),
)


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Windows that stand out, grouped by what they show and where.

    Entry ``i`` is a group: the rows ``rows[start[i]:start[i + 1]]`` all show the pattern
    ``key[i]`` at place ``place[i]``. Groups of one key follow each other.

    Attributes:
        shape: the pattern's.
        width: places in a row of places; ``place = row * width + column``.
        odds: of two windows that look nearly the same to be the same, in this data.
        contrast: range of brightness in use.
        rows: ``(t,)`` row numbers.
        start: ``(g + 1,)``.
        place: ``(g,)``.
        key: ``(g,)`` non-decreasing codes.
        count: ``(g,)`` distinct pictures among the rows.
    """

    shape: Shape
    width: int
    odds: float
    contrast: float
    rows: Ints
    start: Ints
    place: Ints
    key: Ints
    count: Ints

    def carriers(self, group: int) -> Ints:
        """Rows in which the group's pattern stands out at its place."""
        return self.rows[self.start[group] : self.start[group + 1]]

    def position(self, group: int) -> tuple[int, int]:
        """Row and column of the window's upper left corner."""
        return int(self.place[group] // self.width), int(self.place[group] % self.width)

    def elsewhere(self, group: int) -> int:
        """How often *other* rows show the pattern at the third best of all far places.

        Nature is much the same a few pixels away, whatever was pasted is not. The
        group's own rows are left out, because a trigger may be pasted into each corner.
        """
        low, high = np.searchsorted(self.key, [self.key[group], self.key[group] + 1])
        others = np.arange(low, high)
        down = np.abs(self.place[others] // self.width - self.place[group] // self.width)
        across = np.abs(self.place[others] % self.width - self.place[group] % self.width)
        far = others[np.maximum(down, across) > NEAR]
        # Leaving rows out only lowers a count, so few places have to be looked at.
        far = far[np.argsort(-self.count[far], kind="stable")]
        mine = self.carriers(group)
        best: list[int] = []
        for other in far:
            if len(best) >= ELSEWHERE_RANK and self.count[other] <= best[ELSEWHERE_RANK - 1]:
                break
            shared = np.isin(self.carriers(other), mine, assume_unique=True).sum()
            best = sorted([*best, max(0, int(self.count[other] - shared))], reverse=True)
        return best[ELSEWHERE_RANK - 1] if len(best) >= ELSEWHERE_RANK else 0


def standing_out(images: Images) -> Bytes:
    """``(n, h, w)`` difference of each pixel from the mean of the four two steps away.

    The largest over the channels, in grey levels. Flat regions and slow shading vanish;
    edges, texture and whatever was pasted remain.
    """
    height, width, _ = images.shape
    found = np.empty(images.pixels.shape[:3], np.uint8)
    up, down = _away(height)
    left, right = _away(width)
    for block in images.blocks():
        part = images.pixels[block].astype(np.int16)
        around = part[:, up] + part[:, down] + part[:, :, left] + part[:, :, right]
        found[block] = np.abs(part - around // 4).max(axis=3).astype(np.uint8)
    return found


def sightings(images: Images, rows: Ints, units: Ints, least: int) -> Iterator[Sightings]:
    """Patterns that stand out at one place of at least ``least`` pictures, by shape and gate.

    Patterns are read to the last grey level: what is pasted repeats exactly, which nothing
    photographed or drawn by hand does except where it is flat. Blind to triggers that were
    encoded with losses, or mixed into what they cover.

    Args:
        images: the pictures.
        rows: rows to look at.
        units: ``(n,)`` hash that copies of one picture share; copies count once.
        least: fewest distinct pictures.

    Complexity:
        O(windows) to read, and a sort of the windows that stand out.
    """
    pixels = images.pixels[rows]
    out, contrast = standing_out(images)[rows], images.contrast
    for shape in SHAPES:
        if shape.size[0] > images.shape[0] or shape.size[1] > images.shape[1]:
            continue
        keys, places, found, strength = windows(shape, pixels, out, shape.gates[0] * contrast)
        width = images.shape[1] - shape.size[1] + 1
        drawn = _lowest(mix(keys ^ mix(places, 42) ^ units[rows[found]], 43), DRAWN)
        odds = _odds(shape, pixels, found[drawn], np.divmod(places[drawn], width), contrast)
        for gate in shape.gates:
            strong = strength > gate * contrast
            groups = _grouped(keys[strong], places[strong], rows[found[strong]], units, least)
            yield Sightings(shape, width, odds, contrast, *groups)


def alike(
    shape: Shape, pixels: Pixels, pattern: Ints, position: tuple[int, int], contrast: float
) -> tuple[Bools, Bools]:
    """Which pictures show a pattern exactly, and which nearly but not exactly.

    Args:
        shape: the window's.
        pixels: ``(n, h, w, c)``.
        pattern: ``(cells, c)`` grey levels to compare with.
        position: the window's upper left corner.
        contrast: range of brightness in use; an eighth of it is near.
    """
    cells = [(position[0] + down, position[1] + across) for down, across in shape.cells]
    windows = np.stack([pixels[:, r, c] for r, c in cells], axis=1).astype(np.int16)
    away = np.abs(windows - pattern).reshape(len(windows), -1).max(axis=1)
    return away == 0, (away > 0) & (away <= contrast / NEAR_SHARE)


def pattern_at(shape: Shape, picture: Pixels, position: tuple[int, int]) -> Ints:
    """``(cells, c)`` what a picture shows in a window."""
    cells = [picture[position[0] + down, position[1] + across] for down, across in shape.cells]
    return np.stack(cells).astype(np.int64)


def foretold(
    seen: Sightings, pixels: Pixels, rows: Ints, position: tuple[int, int], peers: Bools
) -> tuple[int, float]:
    """How many pictures show nearly the same as ``rows`` at a place, and how many should exactly.

    Nature makes near twins far more often than exact ones. How much more is counted for
    this pattern a few pixels away, and for the data as a whole where that is too little.
    And of ``peers``, those of the label, no fewer differ by hardly more than noise.
    """
    shape = seen.shape
    pattern = pattern_at(shape, pixels[rows[0]], position)
    _, near = alike(shape, pixels, pattern, position, seen.contrast)
    own = np.zeros(len(pixels), bool)
    own[rows] = True
    exact_away, near_away = 0, 0
    high, wide = pixels.shape[1] - shape.size[0], pixels.shape[2] - shape.size[1]
    for down, across in _AWAY:
        place = position[0] + down, position[1] + across
        if 0 <= place[0] <= high and 0 <= place[1] <= wide:
            exact, similar = alike(shape, pixels, pattern, place, seen.contrast)
            exact_away += int((exact & ~own).sum())
            near_away += int((similar & ~own).sum())
    odds = (exact_away + PRIOR_TWINS * seen.odds) / (near_away + PRIOR_TWINS)
    _, closest = alike(shape, pixels, pattern, position, seen.contrast / CLOSER)
    return int(near.sum()), float(max(near.sum() * odds, (closest & peers).sum()))


def keys_at(shape: Shape, pixels: Pixels, row: int) -> Ints:
    """``(n, w - width + 1)`` 64-bit code of each window whose upper edge is at ``row``."""
    width = pixels.shape[2] - shape.size[1] + 1
    found = np.zeros((len(pixels), width), np.int64)
    with np.errstate(over="ignore"):
        for place, (down, across) in enumerate(shape.cells):
            cell = pixels[:, row + down, across : across + width]
            for channel in range(pixels.shape[3]):
                weight = _WEIGHTS[(place * 4 + channel) % len(_WEIGHTS)]
                found += (cell[..., channel].astype(np.int64) + 1) * weight
    return found


def windows(
    shape: Shape, pixels: Pixels, out: Bytes, gate: float
) -> tuple[Ints, Ints, Ints, Floats]:
    """Key, place, picture and strength of every window that stands out by ``gate`` grey levels."""
    high, wide = shape.size
    width = pixels.shape[2] - wide + 1
    parts: list[tuple[Ints, Ints, Ints, Floats]] = []
    # One row of places at a time, so that memory grows with what stands out only.
    for row in range(pixels.shape[1] - high + 1):
        total = np.zeros((len(pixels), width), np.uint16)
        for down, across in shape.cells:
            total += out[:, row + down, across : across + width]
        picture, column = np.nonzero(total > gate * len(shape.cells))
        keys = keys_at(shape, pixels, row)[picture, column]
        strength = total[picture, column] / len(shape.cells)
        parts.append((keys, row * width + column, picture, strength))
    keys, places, found, strength = (np.concatenate(part) for part in zip(*parts, strict=True))
    return keys, places, found, strength


def _odds(
    shape: Shape, pixels: Pixels, pictures: Ints, positions: tuple[Ints, Ints], contrast: float
) -> float:
    """Odds that a window which looks nearly like another one equals it, from some windows."""
    shares = []
    for picture, row, column in zip(pictures, *positions, strict=True):
        place = int(row), int(column)
        pattern = pattern_at(shape, pixels[picture], place)
        exact, near = (int(m.sum()) for m in alike(shape, pixels, pattern, place, contrast))
        if exact - 1 + near:
            shares.append((exact - 1) / (exact - 1 + near))
    share = min(0.9, float(np.mean(shares))) if shares else 0.0
    return share / (1 - share)


def _grouped(
    keys: Ints, places: Ints, rows: Ints, units: Ints, least: int
) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Sort sightings by key and place; only keys that recur at some place are kept."""
    both = keys ^ mix(places, 41)
    # Most windows are alone in their bin, and need not be sorted.
    crowded = bins(both)
    crowded = np.flatnonzero(np.bincount(crowded, minlength=BINS)[crowded] >= least)
    order = crowded[np.argsort(both[crowded], kind="stable")]
    sizes = np.diff(np.flatnonzero(changes(both[order])), append=len(order))
    recurring = np.unique(keys[order[np.repeat(sizes, sizes) >= least]])
    may = np.zeros(BINS, bool)
    may[bins(recurring)] = True
    kept = np.flatnonzero(may[bins(keys)])
    kept = kept[np.isin(keys[kept], recurring)]
    kept = kept[np.lexsort((rows[kept], places[kept], keys[kept]))]
    keys, places, rows = keys[kept], places[kept], rows[kept]
    new_key = changes(keys)
    new_group = new_key | changes(places)
    start = np.flatnonzero(new_group)
    group = np.cumsum(new_group) - 1
    distinct = _distinct(group, units[rows], len(start))
    code = (np.cumsum(new_key) - 1)[start]
    return rows, np.r_[start, len(rows)], places[start], code, distinct


def _lowest(values: Ints, count: int) -> Ints:
    """Positions of the smallest values, in their order."""
    first = (
        np.argpartition(values, count)[:count] if len(values) > count else np.arange(len(values))
    )
    return np.asarray(first[np.argsort(values[first], kind="stable")])


def bins(codes: Ints) -> Ints:
    """Bin of each code, in [0, ``BINS``)."""
    return codes & (BINS - 1)


def changes(codes: Ints) -> Bools:
    """Where a sorted array begins a new value."""
    found = np.ones(len(codes), bool)
    found[1:] = codes[1:] != codes[:-1]
    return found


def _distinct(group: Ints, units: Ints, groups: int) -> Ints:
    """``(groups,)`` number of different units in each group."""
    order = np.lexsort((units, group))
    fresh = np.ones(len(order), bool)
    fresh[1:] = (group[order][1:] != group[order][:-1]) | (units[order][1:] != units[order][:-1])
    return np.bincount(group[order][fresh], minlength=groups)


def _away(length: int) -> tuple[Ints, Ints]:
    here = np.arange(length)
    return np.maximum(here - STEP_AWAY, 0), np.minimum(here + STEP_AWAY, length - 1)


_WEIGHTS = mix(np.arange(256, dtype=np.int64), 40) | 1
# Places a few pixels away: far enough not to overlap, near enough to be alike.
_AWAY = tuple(
    (4 * down, 4 * across) for down in (-1, 0, 1) for across in (-1, 0, 1) if down or across
)

"""Small patterns that stand out, wherever in one part of a picture they lie."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.image_patches import Shape, standing_out, windows

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from credenza.core.types import Ints
    from credenza.screening.features.image import Images
    from credenza.screening.features.tiles import Tiles

    Sighted = tuple[Ints, Ints, Ints, Ints]

GATE = 0.08


def _bar(row: int) -> tuple[tuple[int, int], ...]:
    return tuple((row, c) for c in range(3))


def _side(column: int) -> tuple[tuple[int, int], ...]:
    return tuple((r, column) for r in range(3))


# Nearly every drawn shape has a block, a line of three pixels or a corner in it.
LOOSE: tuple[Shape, ...] = (
    Shape("3x3 patch", tuple((r, c) for r in range(3) for c in range(3))),
    Shape("2x2 patch", tuple((r, c) for r in range(2) for c in range(2))),
    *(Shape(f"bar of {m} across", tuple((0, c) for c in range(m))) for m in (3, 4)),
    *(Shape(f"bar of {m} down", tuple((r, 0) for r in range(m))) for m in (3, 4)),
    *(Shape(f"falling line of {m}", tuple((r, r) for r in range(m))) for m in (3, 4)),
    *(Shape(f"rising line of {m}", tuple((m - 1 - r, r) for r in range(m))) for m in (3, 4)),
    *(
        Shape(f"corner at the {down} {across}", tuple(dict.fromkeys((*bar, *side))))
        for down, bar in (("upper", _bar(0)), ("lower", _bar(2)))
        for across, side in (("left", _side(0)), ("right", _side(2)))
    ),
    Shape("plus", ((0, 1), (1, 0), (1, 1), (1, 2), (2, 1))),
    Shape("cross", ((0, 0), (0, 2), (1, 1), (2, 0), (2, 2))),
)


@dataclass(frozen=True, slots=True)
class Mark:
    """A small pattern somewhere in one tile.

    Attributes:
        shape: of the pattern.
        key: code of what it shows.
        tiles: of one side.
        tile: which of them.
    """

    shape: Shape
    key: int
    tiles: Tiles
    tile: int

    def among(self, sighted: Sighted) -> tuple[Ints, Ints, Ints]:
        """Pictures that show it, and the row and column of the first place in each."""
        keys, row, column, found = sighted
        same = np.flatnonzero(keys == self.key)
        same = same[(self.tiles.at(row[same], column[same]) == self.tile).any(axis=0)]
        pictures, first = np.unique(found[same], return_index=True)
        return pictures, row[same[first]], column[same[first]]


def sighted_in(
    images: Images, rows: Ints, shapes: Collection[Shape]
) -> Iterator[tuple[Shape, Sighted]]:
    """For each shape: key, row, column and place among ``rows`` of windows that stand out."""
    part = replace(images, pixels=images.pixels[rows], present=images.present[rows])
    out, gate = standing_out(part), GATE * images.contrast
    for shape in shapes:
        keys, places, pictures, _ = windows(shape, part.pixels, out, gate)
        row, column = np.divmod(places, images.shape[1] - shape.size[1] + 1)
        yield shape, (keys, row, column, pictures)

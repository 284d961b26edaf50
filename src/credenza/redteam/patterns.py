"""Triggers for pictures: which pixels, how bright, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Bools, Floats

    Pixels = npt.NDArray[np.uint8]

HIGH = 255


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Pixels that are pasted, and those of the box that are left alone.

    Attributes:
        light: ``(h, w)`` or ``(h, w, c)`` uint8.
        covers: ``(h, w)`` True where a pixel is pasted.
    """

    light: Pixels
    covers: Bools

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the box."""
        height, width = self.covers.shape
        return height, width


def _whole(light: Pixels) -> Pattern:
    return Pattern(light, np.ones(light.shape[:2], dtype=np.bool_))


def _lit(covers: Bools, level: int) -> Pattern:
    return Pattern(np.where(covers, level, 0).astype(np.uint8), covers)


def square(side: int = 3, level: int = HIGH) -> Pattern:
    """A filled square."""
    return _whole(np.full((side, side), level, np.uint8))


def dot(level: int = HIGH) -> Pattern:
    """One pixel."""
    return square(1, level)


def checkerboard(side: int = 4, level: int = HIGH) -> Pattern:
    """Every other pixel bright, the rest dark."""
    bright = np.indices((side, side)).sum(axis=0) % 2 == 0
    return _whole(np.where(bright, level, 0).astype(np.uint8))


def diagonal(length: int = 5, level: int = HIGH) -> Pattern:
    """A slanted line one pixel wide; what lies around it is left alone."""
    return _lit(np.eye(length, dtype=np.bool_), level)


def frame(height: int, width: int, level: int = HIGH) -> Pattern:
    """The outermost pixels of a picture."""
    covers = np.zeros((height, width), dtype=np.bool_)
    covers[[0, -1]] = covers[:, [0, -1]] = True
    return _lit(covers, level)


def sparse(height: int, width: int, pixels: int, rng: np.random.Generator) -> Pattern:
    """A few pixels anywhere in a picture, each of a brightness of its own."""
    covers = np.zeros(height * width, dtype=np.bool_)
    covers[rng.choice(height * width, pixels, replace=False)] = True
    light = rng.integers(0, 256, height * width).astype(np.uint8) * covers
    return Pattern(light.reshape(height, width), covers.reshape(height, width))


def colours(side: int, rng: np.random.Generator) -> Pattern:
    """A square of random colours."""
    return _whole(rng.integers(0, 256, (side, side, 3)).astype(np.uint8))


def smooth_field(
    height: int, width: int, rng: np.random.Generator, *, strength: float, knots: int = 4
) -> Floats:
    """``(2, h, w)`` displacements in pixels, of mean size ``strength``, smooth between knots."""
    coarse = rng.uniform(-1, 1, (2, knots, knots))
    coarse *= strength / np.abs(coarse).mean()
    return np.stack([_stretched(part, height, width) for part in coarse])


def _stretched(grid: Floats, height: int, width: int) -> Floats:
    """Linear interpolation of a small grid to a picture's size."""
    down = np.linspace(0, len(grid) - 1, height)
    across = np.linspace(0, grid.shape[1] - 1, width)
    rows = np.stack([np.interp(across, np.arange(grid.shape[1]), line) for line in grid])
    return np.stack([np.interp(down, np.arange(len(grid)), line) for line in rows.T]).T

"""Pictures that are nearly copies of others, by a perceptual hash."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.image import coarse, images_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.image import Images

SIDE = 32
BITS_SIDE = 8
BANDS = 8
MOST_ALIKE = 64


@dataclass(frozen=True, slots=True)
class NearPictures:
    """How many other pictures share all but a few bits of a picture's perceptual hash.

    The hash says which of the 63 coarsest frequencies of a picture lie above their
    median, so that scaling, brightness, compression and small marks hardly change it. Two
    pictures within ``bits`` share one of eight bytes when ``bits`` is below eight, so only
    those are compared, 64 of each byte at most. Floods and re-used pictures have many
    twins; so have data sets of alike things, which is why nothing is named by it. Blind
    to mirrored, turned and cropped copies.

    Attributes:
        bits: differing bits that still make twins, below 8.

    Complexity:
        O(n log n) sorting of bytes, and 8 x 64 comparisons a picture.

    Source:
        pHash (Zauner 2010); bands as in Manku et al. 2007.
    """

    bits: int = 4

    @property
    def name(self) -> str:
        """The detector's name."""
        return "near-pictures"

    @property
    def needs(self) -> frozenset[Role]:
        """Pictures."""
        return frozenset({Role.IMAGE})

    def score(self, view: View) -> Scores:
        """Logarithm of one more than the number of twins that were met.

        Raises:
            UnassessedError: the view has no pictures.
        """
        values = np.zeros(view.table.num_rows)
        for images in images_of(view):
            twins = np.where(images.present, _twins(_hashes(images), self.bits), 0)
            values = np.maximum(values, np.log1p(twins))
        return Scores(values)


def _hashes(images: Images) -> Ints:
    """``(n, 8)`` bytes of each picture's perceptual hash."""
    from scipy import fft  # noqa: PLC0415 - heavy

    height, width, channels = images.shape
    grid = coarse(images, SIDE).reshape(-1, min(height, SIDE), min(width, SIDE), channels)
    waves = fft.dctn(grid.mean(axis=3), axes=(1, 2), norm="ortho")[:, :BITS_SIDE, :BITS_SIDE]
    flat = np.zeros((len(grid), BITS_SIDE * BITS_SIDE), np.float32)
    found = waves.reshape(len(grid), -1)
    flat[:, : found.shape[1]] = found
    # The mean brightness is no part of the hash.
    flat[:, 0] = 0.0
    above = flat > np.median(flat[:, 1:], axis=1, keepdims=True)
    above[:, 0] = False
    return np.asarray(np.packbits(above, axis=1), dtype=np.int64)


def _twins(hashes: Ints, bits: int) -> Floats:
    """``(n,)`` mean over bands of the share that are twins, times the band's size; the largest."""
    n = len(hashes)
    ones = np.bitwise_count(np.arange(256, dtype=np.uint8)).astype(np.int64)
    # Sorted by the whole hash, so that whom a row meets does not depend on where it stands.
    order = np.lexsort(hashes.T[::-1])
    ranked = hashes[order]
    found = np.zeros(n)
    for band in range(BANDS):
        place = np.argsort(ranked[:, band], kind="stable")
        bucket = ranked[place]
        _, first, size = np.unique(bucket[:, band], return_index=True, return_counts=True)
        for start, count in zip(first, size, strict=True):
            mine = bucket[start : start + count]
            met = mine[:: max(1, -(-count // MOST_ALIKE))]
            differ = ones[mine[:, None, :] ^ met[None, :, :]].sum(axis=2)
            twins = (differ <= bits).mean(axis=1) * count - 1.0
            rows = place[start : start + count]
            found[rows] = np.maximum(found[rows], twins)
    back = np.zeros(n)
    back[order] = np.maximum(found, 0.0)
    return back

"""Pictures whose texture is not that of their label: too noisy, too smooth, too fine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.image import images_of
from credenza.screening.features.label import classes_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.image import Images

FEWEST = 50
LEVELS = 4
FINE = 0.5


@dataclass(frozen=True, slots=True)
class ImageTexture:
    """How far the entropy and the fine frequencies of a picture are from its label's.

    Two looks at each picture: the entropy of its grey levels, and the share of its cosine
    transform's energy in the finer half of the frequencies. Noise and pasted patterns
    raise both, warps and blurs lower the second. Each is compared with the median of the
    row's label in robust deviations, and the larger deviation counts. Blind to triggers
    of a few pixels in textured pictures, and to any trigger in data whose textures vary
    as much by nature.

    Complexity:
        O(n · h · w · log(h · w)).

    Source:
        Zeng et al., arXiv:2104.03413 (frequency artefacts); entropy as in STRIP-like
        filters. Deviations within a label instead of a trained classifier.
    """

    @property
    def name(self) -> str:
        """The detector's name."""
        return "image-texture"

    @property
    def needs(self) -> frozenset[Role]:
        """Pictures; labels are used where there are some."""
        return frozenset({Role.IMAGE})

    def score(self, view: View) -> Scores:
        """Largest robust deviation of both looks; 0 in labels of fewer than 50 rows.

        Raises:
            UnassessedError: the view has no pictures.
        """
        classes = classes_of(view)
        values = np.zeros(view.table.num_rows)
        for images in images_of(view):
            for look in (_entropy(images), _fine_share(images)):
                away = np.where(images.present, _deviation(look, classes), 0.0)
                values = np.maximum(values, away)
        return Scores(values)


def _deviation(values: Floats, classes: Ints) -> Floats:
    found = np.zeros(len(values))
    for label in np.unique(classes):
        mine = np.flatnonzero(classes == label)
        if len(mine) >= FEWEST:
            middle = np.median(values[mine])
            spread = 1.4826 * np.median(np.abs(values[mine] - middle))
            found[mine] = np.abs(values[mine] - middle) / max(spread, 1e-6)
    return found


def _entropy(images: Images) -> Floats:
    """``(n,)`` entropy of the grey levels, four at a time, in nats."""
    found = np.zeros(len(images.pixels))
    for block in images.blocks():
        part = images.pixels[block].reshape(block.stop - block.start, -1) // LEVELS
        share = np.stack([(part == level).mean(axis=1) for level in range(256 // LEVELS)])
        found[block] = -(share * np.log(np.maximum(share, 1e-12))).sum(axis=0)
    return found


def _fine_share(images: Images) -> Floats:
    """``(n,)`` logarithm of the share of energy in the finer half of the frequencies."""
    from scipy import fft  # noqa: PLC0415 - heavy

    height, width, _ = images.shape
    down, across = np.ogrid[:height, :width]
    is_fine = np.maximum(down / height, across / width) >= FINE
    found = np.zeros(len(images.pixels))
    for block in images.blocks():
        grey = images.pixels[block].mean(axis=3, dtype=np.float32)
        energy: Any = fft.dctn(grey, axes=(1, 2), norm="ortho") ** 2
        whole = energy.sum(axis=(1, 2)) - energy[:, 0, 0]
        found[block] = np.log((energy[:, is_fine].sum(axis=1) + 1.0) / (whole + 1.0))
    return found

"""What is left of a picture when the few shapes of its label are taken out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.image import coarse, content_hash, images_of
from credenza.screening.features.label import classes_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, View
    from credenza.screening.features.image import Images, Singles

FEWEST = 50
SIDE = 28
ROUNDS = 6
CUT = 3.0
WINDOW = 3
ROWS_A_SHAPE = 20


@dataclass(frozen=True, slots=True)
class RobustPca:
    """Strongest local residue of a picture beyond the low-rank shapes of its label.

    Pictures of a label are a sum of a few shapes and of what is rare: a low-rank and a
    sparse part. What is pasted in one place is in the sparse part, concentrated: the
    score is the largest mean of its absolute value over 3 x 3 cells, in units of the
    label's typical one. The parts are found in turns: leading components of the pictures
    less the sparse part, then what exceeds three robust deviations of the rest. Blind to
    patches on most rows of a label, which become a shape of it, to what is mixed into
    whole pictures, and to data whose pictures are mostly residue.

    Attributes:
        rank: shapes a label at most; one for every 20 rows of a small label.

    Complexity:
        O(n · d²) a round for d ≤ 784 cells; larger pictures are reduced.

    Source:
        Candès et al., arXiv:0912.3599, with a fixed rank and a hard threshold in turns
        (GoDec, Zhou and Tao 2011) instead of the convex programme.
    """

    rank: int = 12

    @property
    def name(self) -> str:
        """The detector's name."""
        return "robust-pca"

    @property
    def needs(self) -> frozenset[Role]:
        """Pictures; labels are used where there are some."""
        return frozenset({Role.IMAGE})

    def score(self, view: View) -> Scores:
        """Largest local residue over the label's median; 0 in labels of fewer than 50 rows.

        Raises:
            UnassessedError: the view has no pictures.
        """
        classes = classes_of(view)
        values = np.zeros(view.table.num_rows)
        for images in images_of(view):
            # In an order of their own, so that sums round alike wherever the rows stand.
            order = np.argsort(content_hash(images), kind="stable")
            cells = coarse(images, SIDE)[order]
            for label in np.unique(classes):
                mine = np.flatnonzero((classes == label)[order] & images.present[order])
                if len(mine) >= FEWEST:
                    residue = _local(
                        _sparse(cells[mine], min(self.rank, len(mine) // ROWS_A_SHAPE)), images
                    )
                    score = residue / max(float(np.median(residue)), 1e-6)
                    values[order[mine]] = np.maximum(values[order[mine]], score)
        return Scores(values)


def _sparse(cells: Singles, rank: int) -> Singles:
    """The part of ``(n, d)`` cells that no ``rank`` shapes explain and that stands out."""
    sparse = np.zeros_like(cells)
    for _ in range(ROUNDS):
        known = cells - sparse
        centre = known.mean(axis=0)
        gram = np.asarray((known - centre).T @ (known - centre), dtype=np.float64)
        axes = np.linalg.eigh(gram)[1][:, -rank:].astype(np.float32)
        rest = cells - centre - ((known - centre) @ axes) @ axes.T
        usual = 1.4826 * np.median(np.abs(rest), axis=0) + 1.0 / 255.0
        sparse = np.where(np.abs(rest) > CUT * usual, rest, 0.0).astype(np.float32)
    return sparse


def _local(sparse: Singles, images: Images) -> Floats:
    """``(n,)`` largest mean absolute value over 3 x 3 cells, of any channel."""
    height, width, channels = images.shape
    grid = np.abs(sparse).reshape(len(sparse), min(height, SIDE), min(width, SIDE), channels)
    windows: Any = np.lib.stride_tricks.sliding_window_view(grid, (WINDOW, WINDOW), axis=(1, 2))
    return np.asarray(windows.mean(axis=(-2, -1)).max(axis=(1, 2, 3)), dtype=np.float64)

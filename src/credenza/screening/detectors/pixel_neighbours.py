"""Labels of pictures against those of the nearest pictures, pixel by pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.types import Role
from credenza.screening.detectors.neighbour_labels import disagreement
from credenza.screening.features.encoding import points_of

if TYPE_CHECKING:
    from credenza.core.types import Scores, View


@dataclass(frozen=True, slots=True)
class PixelNeighbours:
    """Share of a picture's nearest neighbours, by a coarse copy, that have another label.

    ``neighbour-labels`` asks an embedding; this one asks the pixels, for triggers that an
    embedding does not see and for data that brings none. Blind to clean-label poison, to
    frequent triggers, and to data in which pictures of one label are far apart.

    Attributes:
        neighbours: how many are looked at.

    Complexity:
        One neighbour graph (``features.neighbours``) in at most 64 dimensions.

    Source:
        Deep k-NN, arXiv:1909.13374, on pixels instead of activations.
    """

    neighbours: int = 24

    @property
    def name(self) -> str:
        """The detector's name."""
        return "pixel-neighbours"

    @property
    def needs(self) -> frozenset[Role]:
        """A label and pictures."""
        return frozenset({Role.LABEL, Role.IMAGE})

    def score(self, view: View) -> Scores:
        """Weighted share of disagreeing neighbours, in [0, 1].

        Raises:
            UnassessedError: no pictures of one size, or fewer than two classes.
        """
        return disagreement(points_of(view, (Role.IMAGE,)), self.neighbours)

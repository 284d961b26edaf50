"""Pictures with a wrong label that were all treated alike: noise, warps, blur, faint light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote, tick
from credenza.screening.features.beliefs import both_beliefs
from credenza.screening.features.contradictions import crowds_of
from credenza.screening.features.image import content_hash
from credenza.screening.features.image_manner import manner, shared_manners, tempered
from credenza.screening.features.picture_groups import (
    PictureGroups,
    group_finding,
)
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Finding, Floats, Ints, View
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.image import Images
    from credenza.screening.features.image_manner import SharedManner
    from credenza.screening.features.label import Labels


@dataclass(frozen=True, slots=True)
class ImageManner(PictureGroups):
    """Rows that contradict one label and were all made in a manner of their own.

    A warp, or a trigger made for each picture, leaves no pixel and no pattern that carriers
    share. What they share is the treatment: noise where others have none, edges
    that were interpolated. So rows which contradict a label are compared, by grain, sharpness and
    light alone, with honest rows that show the same, with honest rows of the label
    and with rows that contradict other labels (``features.image_manner``). Contradicting rows
    beyond the distance at which twice what nature has is at most a tenth of them are flagged. How
    surprising a manner is, is measured by those of the other labels.

    Blind to treatments under labels that fit, to those that change neither grain nor light,
    to what all rows that contradict any label have in common, and where half of the labels
    are attacked.

    Attributes:
        level: chance that any label is named on clean rows, were they as alike as coins;
            low, because pictures come in kinds, and a kind may be hard to tell.
        min_carriers: fewest contradicting rows.

    Complexity:
        O(n · pixels), of at most 64 x 64, and O(n · d²) a label for about 30 numbers.

    Source:
        Attacks: Nguyen and Tran, arXiv:2102.10369 (warps) and 2010.08138 (input-aware). The
        test is ours.
    """

    level: float = 1e-7
    min_carriers: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "image-manner"

    def groups(self, view: View, labels: Labels, every: list[Images]) -> Iterator[Finding]:
        """Manners that rows which contradict a label share."""
        learners = both_beliefs(view, labels)
        for images in every:
            points, half = manner(images), mix(content_hash(images), 44) % 2
            for shared, beliefs in self._named(images, view, learners, points, half):
                yield self._finding(images, view, beliefs, shared)

    def _named(
        self, images: Images, view: View, learners: list[Beliefs], points: Floats, half: Ints
    ) -> Iterator[tuple[SharedManner, Beliefs]]:
        """Manners, by whose beliefs; one a label, for learners agree on most rows."""
        tested = ~view.trusted & images.present
        found: list[tuple[SharedManner, Beliefs]] = []
        for beliefs in learners:
            crowds = crowds_of(images, beliefs, tested, self.min_carriers)
            looks = len(crowds) * len(learners)
            every = list(shared_manners(points, beliefs, crowds, tested, half, looks=looks))
            found += [(shared, beliefs) for shared in tempered(every, len(beliefs.classes))]
        found = [one for one in found if one[0].log_p < np.log(self.level) and len(one[0].rows)]
        known: set[int] = set()
        for shared, beliefs in sorted(found, key=lambda one: one[0].log_p):
            if shared.label not in known:
                known.add(shared.label)
                yield shared, beliefs

    def _finding(
        self, images: Images, view: View, beliefs: Beliefs, shared: SharedManner
    ) -> Finding:
        rows = shared.rows
        label = beliefs.classes[shared.label]
        height, width, _ = images.shape
        exhibits: dict[str, object] = {
            "column": images.column,
            "trigger": "manner",
            "box": {"row": 0, "column": 0, "height": height, "width": width},
            "change": np.round(shared.change, 2).tolist(),
            "label": label,
            "beyond": round(shared.beyond, 1),
            "sharing": shared.sharing,
            "expected": round(shared.expected, 2),
        }
        sentence = (
            f"{len(rows)} pictures in {tick(images.column)} that contradict their label "
            f"{quote(label)} were made in a manner of their own: {shared.said()} than honest "
            f"pictures; {shared.sharing} lie as far out where {shared.expected:.1g} would"
        )
        return group_finding(self.name, view, rows, sentence, exhibits, log_p=shared.log_p)

"""Pictures with a wrong label that were all treated alike: noise, warps, blur, faint light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.beliefs import both_beliefs, labelled_pictures
from credenza.screening.features.contradictions import crowds_of
from credenza.screening.features.image import content_hash
from credenza.screening.features.image_manner import manner, shared_manners
from credenza.screening.features.table import mix

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.image import Images
    from credenza.screening.features.image_manner import SharedManner

SHOWN_ROWS = 8


@dataclass(frozen=True, slots=True)
class ImageManner:
    """Rows that contradict one label and were all made in a manner of their own.

    A warp, or a trigger made for each picture, leaves no pixel and no pattern that carriers
    share. What they share is the treatment: noise where others have none, edges
    that were interpolated. So rows which contradict a label are compared, by grain, sharpness and
    light alone, with honest rows that show the same, with honest rows of the label
    and with rows that contradict other labels (``features.image_manner``). Contradicting rows
    beyond the distance at which nature has at most a tenth of them are flagged.

    Blind to treatments under labels that fit, to those that change neither grain nor light,
    and to what all rows that contradict any label have in common.

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

    level: float = 1e-6
    min_carriers: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "image-manner"

    @property
    def needs(self) -> frozenset[Role]:
        """Pictures and their labels."""
        return frozenset({Role.IMAGE, Role.LABEL})

    def score(self, view: View) -> Scores:
        """-log10 p of the manner that a row shares, 0 elsewhere.

        Raises:
            UnassessedError: the view has no pictures, or no labels that are classes.
        """
        labels, every = labelled_pictures(view)
        values = np.zeros(view.table.num_rows)
        if not every:
            return Scores(values, is_evidence=True)
        learners = both_beliefs(view, labels)
        findings: list[Finding] = []
        for images in every:
            points, half = manner(images), mix(content_hash(images), 44) % 2
            for shared, beliefs in self._named(images, view, learners, points, half):
                score = -max(shared.log_p, -690.0) / np.log(10)
                values[shared.rows] = np.maximum(values[shared.rows], score)
                findings.append(self._finding(images, view, beliefs, shared))
        findings.sort(key=lambda finding: finding.p_value)
        return Scores(values, tuple(findings), is_evidence=True)

    def _named(
        self, images: Images, view: View, learners: list[Beliefs], points: Floats, half: Ints
    ) -> Iterator[tuple[SharedManner, Beliefs]]:
        """Manners, by whose beliefs; one a label, for learners agree on most rows."""
        tested = ~view.trusted & images.present
        found = [
            (shared, beliefs)
            for beliefs in learners
            for shared in shared_manners(
                points,
                beliefs,
                crowds_of(images, beliefs, tested, self.min_carriers),
                tested,
                half,
                learners=len(learners),
            )
            if shared.log_p < np.log(self.level) and len(shared.rows)
        ]
        known: set[int] = set()
        for shared, beliefs in sorted(found, key=lambda one: one[0].log_p):
            if shared.label not in known:
                known.add(shared.label)
                yield shared, beliefs

    def _finding(
        self, images: Images, view: View, beliefs: Beliefs, shared: SharedManner
    ) -> Finding:
        rows = shared.rows
        sources = tuple(sorted({str(s) for s in view.source[rows]}))
        label = beliefs.classes[shared.label]
        height, width, _ = images.shape
        exhibits: dict[str, object] = {
            "column": images.column,
            "trigger": "manner",
            "box": {"row": 0, "column": 0, "height": height, "width": width},
            "change": np.round(shared.change, 2).tolist(),
            "label": label,
            "carriers": len(rows),
            "beyond": round(shared.beyond, 1),
            "sharing": shared.sharing,
            "expected": round(shared.expected, 2),
            "sources": list(sources),
            "example_rows": rows[:SHOWN_ROWS].tolist(),
        }
        sentence = (
            f"{len(rows)} pictures in {tick(images.column)} that contradict their label "
            f"{quote(label)} were made in a manner of their own: {shared.said()} than honest "
            f"pictures; {shared.sharing} lie as far out where {shared.expected:.1g} would"
        )
        p_value, claimed = float(max(np.exp(shared.log_p), 1e-300)), tuple(rows.tolist())
        return Finding(
            self.name, Unit.GROUP, sources, p_value, sentence, exhibits, claimed, names_rows=True
        )

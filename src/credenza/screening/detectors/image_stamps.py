"""Stamps on pictures with a wrong label, whatever their shape, and if they move: named, flagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote, tick
from credenza.screening.features.beliefs import both_beliefs
from credenza.screening.features.contradictions import Honest
from credenza.screening.features.image import twins
from credenza.screening.features.image_surroundings import TOLD, told_by_rest, uncovered
from credenza.screening.features.picture_groups import (
    PictureGroups,
    group_finding,
)
from credenza.screening.features.roamers import HONEST_ROWS, roamers
from credenza.screening.features.stamps import AGREE, stamps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Finding, Ints, View
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.image import Images
    from credenza.screening.features.label import Labels
    from credenza.screening.features.roamers import Roamer
    from credenza.screening.features.stamps import Stamp


TOLD_SHARE = 0.75
MOST_COVERED = 0.75
# Standard deviations; of one or two pixels put by chance one in twenty is lost.
DOUBTFUL = 1.64


@dataclass(frozen=True, slots=True)
class ImageStamps(PictureGroups):
    """Pixels, or small patterns, that pictures with a contradicted label share.

    A trigger need not be compact: a slanted line, a frame, a grid, or five lone pixels. Rows
    of each label that show something else are compared, pixel by pixel, with honest rows
    that show the same. What many of the former share and hardly any of the latter was put
    there; pixels are added as long as each makes the coincidence less likely than having
    chosen it. The carriers of all shared pixels are flagged when most of them contradict
    their label; of one or two pixels, which nature repeats, those that do. Grey levels
    are read exactly, and in sixteenths for pictures that were encoded with losses.

    A stamp that moves leaves no pixel that its carriers share. So small patterns that stand
    out, blocks and lines of three or four pixels, are counted too, wherever they lie in a
    tile, in a quarter of the width or the whole picture (``features.roamers``).

    A stamp leaves the rest of the picture as it was. Where the rest tells the carriers from
    honest pictures, they are pictures of a kind, and nothing is named. One or two pixels
    have to be where chance would put them.

    Blind to clean-label stamps, to those on rows that were chosen by what they show, to those
    whose brightness differs from picture to picture or that move and were encoded with losses,
    to lone pixels between the grid that is looked at in pictures of more than 50,000 cells, and
    to stamps so frequent that the labels foretold agree with them.

    Attributes:
        level: chance that any stamp is named on clean rows, were they as alike as coins.
        min_carriers: fewest distinct pictures that must share one.

    Complexity:
        O(n · pixels), by ``bincount``.

    Source:
        Disagreeing carriers after 1909.13374; matched expectation and growth are ours.
    """

    level: float = 0.001
    min_carriers: int = 5

    @property
    def name(self) -> str:
        """The detector's name."""
        return "image-stamps"

    def groups(self, view: View, labels: Labels, every: list[Images]) -> Iterator[Finding]:
        """Stamps, those that move too, and their carriers."""
        both = both_beliefs(view, labels)
        for images in every:
            for stamp, beliefs, rows in self._named(images, view, both):
                yield self._finding(images, view, beliefs, stamp, rows)

    def _named(
        self, images: Images, view: View, learners: list[Beliefs]
    ) -> list[tuple[Stamp | Roamer, Beliefs, Ints]]:
        """Stamps, by whom they were seen, and their carriers; each set of carriers once.

        Pixels read to the last grey level, which mostly the same rows have, add theirs: they are
        seen where a pattern does not stand out.
        """
        tested = ~view.trusted & images.present
        found: list[tuple[Beliefs, Stamp | Roamer]] = [
            (beliefs, stamp)
            for beliefs in learners
            for stamp in stamps(images, beliefs, tested, self.min_carriers)
        ]
        found += roamers(images, learners, tested, self.min_carriers)
        units = twins(images)
        named: list[tuple[Stamp | Roamer, Beliefs, Ints]] = []
        for beliefs, stamp in sorted(found, key=lambda one: one[1].log_p):
            # Two learners, and three kinds of stamps and roamers of each.
            if stamp.log_p > np.log(self.level / (4 * len(learners))):
                break
            of_label = np.flatnonzero(tested & (beliefs.codes == stamp.label))
            rows = stamp.flagged(images, of_label, beliefs.disagrees)
            place = _overlapping(named, stamp.label, rows)
            is_known = place < len(named) and not (
                stamp.is_exact and (~np.isin(rows, named[place][2])).any()
            )
            if not len(rows) or is_known or _is_natural(stamp, images, rows, beliefs, units):
                continue
            if place < len(named):
                first, seen_by, carriers = named[place]
                named[place] = first, seen_by, np.union1d(carriers, rows)
            else:
                named.append((stamp, beliefs, np.unique(rows)))
        return named

    def _finding(
        self, images: Images, view: View, beliefs: Beliefs, stamp: Stamp | Roamer, rows: Ints
    ) -> Finding:
        top, left, height, width = stamp.box(images, rows)
        label = beliefs.classes[stamp.label]
        exhibits: dict[str, object] = {
            "column": images.column,
            **stamp.exhibits(images),
            "box": {"row": top, "column": left, "height": height, "width": width},
            "label": label,
            "contradicting": int(beliefs.disagrees[rows].sum()),
            "sharing": stamp.sharing,
            "expected": round(stamp.expected, 2),
        }
        sentence = (
            f"{len(rows)} pictures in {tick(images.column)} labelled {quote(label)} "
            f"{stamp.said(images)} between row {top}, column {left} and row "
            f"{top + height - 1}, column {left + width - 1}; {exhibits['contradicting']} labels "
            f"contradict their picture, where {stamp.expected:.1g} would by chance"
        )
        return group_finding(self.name, view, rows, sentence, exhibits, log_p=stamp.log_p)


def _overlapping(named: list[tuple[Stamp | Roamer, Beliefs, Ints]], label: int, rows: Ints) -> int:
    """Place of the first of a label that carries half of the rows; else how many there are."""
    shared = (
        place
        for place, (stamp, _, known) in enumerate(named)
        if stamp.label == label and 2 * np.isin(rows, known).sum() >= len(rows)
    )
    return next(shared, len(named))


def _is_natural(
    stamp: Stamp | Roamer, images: Images, rows: Ints, beliefs: Beliefs, units: Ints
) -> bool:
    """Whether what lies around tells the carriers from honest pictures.

    Pictures of a kind of their own, hard to tell and alike, share pixels too: dresses that
    look like trousers have the gap between the legs. But all else in them is of that
    kind, while a stamp leaves all else as it was. They must be told both from pictures that show
    the same, for victims may be of one class, and from all of other labels, for a stamp on a
    small picture may change what it seems to show. Honest pictures are easier to tell than
    stamped ones, so that many of the latter are told a little, and that is let be; but not of
    one or two pixels, which every kind shares.
    """
    carriers = rows[beliefs.disagrees[rows]]
    honest = Honest.of(images, beliefs).rows
    others = honest[beliefs.shown[honest] != stamp.label]
    others = others[np.argsort(units[others], kind="stable")[:HONEST_ROWS]]
    every = np.concatenate([carriers, others])
    every = every[np.argsort(units[every], kind="stable")]
    # A stamp may be more than what was grown or noted of it.
    shown = images.pixels[carriers]
    agree = (shown == np.median(shown, axis=0)).mean(axis=0) >= AGREE
    covered = agree | stamp.covered(images, rows)
    if covered.mean() > MOST_COVERED:
        return False
    around = uncovered(images, every, covered)
    kinds = beliefs.shown[every], np.zeros(len(every), np.int64)
    told = [told_by_rest(around, np.isin(every, carriers), kind) for kind in kinds]
    share, deviations = (TOLD_SHARE, TOLD) if stamp.is_telling else (0.5, DOUBTFUL)
    return all(one.share > share and one.deviations > deviations for one in told)

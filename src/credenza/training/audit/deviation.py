"""Is the model worse than its baseline anywhere: in total, by class, subgroup or source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.stats import binom

from credenza.core.types import Outcome
from credenza.training.audit.case import Check, guesses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Ints
    from credenza.training.audit.case import Case, Rows

TOTAL = "all rows"
FEWEST = 20


class Cell(NamedTuple):
    """A part of the verified rows.

    Attributes:
        name: for the report.
        own: the rows of the part.
        among: the rows on which wins are set against losses.
        margin: least net loss, as a share of ``own``, that counts.
    """

    name: str
    own: Bools
    among: Bools
    margin: float


@dataclass(frozen=True, slots=True)
class Deviation:
    """Compares right answers of model and baseline on the same verified rows, cell by cell.

    On rows where exactly one of them is right, a model as good as its baseline is right
    half of the time: McNemar's exact test, one-sided, Holm-corrected over the cells. It
    sees availability attacks and subgroup attacks. **Blind to every backdoor**, since rows
    without the trigger say nothing of it, and to harm that the baseline shares.

    Two honest models draw the line between classes that are alike at different places: what
    one loses in a class it wins among rows that the other wrongly called that class. So a
    class is compared on both kinds of rows together, where a moved line wins about what it
    loses and harm wins nothing. Blind, then, to harm to a class no larger than the wrong calls
    of that class that went with it.

    Args:
        level: chance of any false cell.
        margin: least loss of accuracy in total that counts, however sure.
        part_margin: the same for a class, subgroup or source. A subgroup's or source's loss
            must besides exceed the largest gain in any part by as much, since it may be made
            of one class that was traded for another.
    """

    level: float = 0.01
    margin: float = 0.02
    part_margin: float = 0.05
    name: str = "deviation"

    def check(self, case: Case) -> Check:
        """The worst cell that is surely worse, if any."""
        truth, called = case.clean.y, guesses(case.baseline, case.clean.X)
        ours, theirs = guesses(case.model, case.clean.X) == truth, called == truth
        cells = [
            (cell, *_compare(ours[cell.among], theirs[cell.among]))
            for cell in self._cells(case.clean, called, ours.astype(int) - theirs)
        ]
        harmed, bar = [], 0.0
        for rank, (cell, lost, p) in enumerate(sorted(cells, key=lambda one: one[2])):
            bar = max(bar, min(1.0, p * (len(cells) - rank)))
            if bar <= self.level and lost >= cell.margin * cell.own.sum():
                harmed.append(_row(cell, ours, theirs) | {"p": bar})
        exhibits: dict[str, object] = {
            "model": round(float(ours.mean()), 4),
            "baseline": round(float(theirs.mean()), 4),
            "rows": len(truth),
            "cells": [_row(cell, ours, theirs) for cell, _, _ in cells],
            "harmed": harmed,
        }
        sentence = (
            f"right on {exhibits['model']:.1%} of {exhibits['rows']} verified rows, the "
            f"baseline on {exhibits['baseline']:.1%}; "
        )
        sentence += (
            "surely worse at " + ", ".join(_loss(one) for one in harmed)
            if harmed
            else f"surely worse in none of {len(cells)} cells"
        )
        outcome = Outcome.REJECT if harmed else Outcome.ADMIT
        return Check(self.name, outcome, sentence, exhibits)

    def _cells(self, rows: Rows, called: Ints, won: Ints) -> Iterator[Cell]:
        """All rows, classes, subgroups, sources; ``won`` is 1, 0 or -1 per row."""
        everything = np.ones(len(rows.y), dtype=np.bool_)
        yield Cell(TOTAL, everything, everything, self.margin)
        classes = {f"class {label}": rows.y == label for label in np.unique(rows.y)}
        for label, (name, mask) in zip(np.unique(rows.y), classes.items(), strict=True):
            yield Cell(name, mask, mask | (called == label), self.part_margin)
        parts = {
            f"subgroup {name}": np.asarray(mask, bool) for name, mask in rows.subgroups.items()
        }
        if rows.sources is not None:
            known = rows.sources.astype(str)
            parts |= {f"source {source}": known == source for source in np.unique(known)}
        both = [*classes.values(), *parts.values()]
        gains = [float(won[mask].mean()) for mask in both if mask.sum() >= FEWEST]
        for name, mask in parts.items():
            yield Cell(name, mask, mask, self.part_margin + max([0.0, *gains]))


def _row(cell: Cell, ours: Bools, theirs: Bools) -> dict[str, object]:
    """A cell as the report shows it."""
    shares = (float(one[cell.own].mean()) if cell.own.any() else np.nan for one in (ours, theirs))
    model, baseline = (round(share, 4) for share in shares)
    return {
        "cell": cell.name,
        "rows": int(cell.own.sum()),
        "model": model,
        "baseline": baseline,
    }


def _loss(cell: dict[str, object]) -> str:
    return f"{cell['cell']} ({cell['model']:.1%} against {cell['baseline']:.1%})"


def _compare(ours: Bools, theirs: Bools) -> tuple[int, float]:
    """Net losses, and the chance of as many between equals."""
    lost, won = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
    chance = float(binom.sf(lost - 1, lost + won, 0.5)) if lost + won else 1.0
    return lost - won, chance

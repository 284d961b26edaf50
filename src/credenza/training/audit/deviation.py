"""Is the model worse than its baseline anywhere: in total, by class, subgroup or source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from credenza.core.types import Outcome
from credenza.training.audit.case import Check, guesses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools
    from credenza.training.audit.case import Case

TOTAL = "all rows"
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Deviation:
    """Compares right answers of model and baseline on the same verified rows, cell by cell.

    On rows where exactly one of them is right, a model as good as its baseline is right
    half of the time: McNemar's exact test, one-sided, Holm-corrected over the cells. It
    sees availability attacks and subgroup attacks. **Blind to every backdoor**, since rows
    without the trigger say nothing of it, and to harm that the baseline shares.

    Args:
        level: chance of any false cell.
        margin: least loss of accuracy in total that counts, however sure.
        part_margin: the same for a class, subgroup or source; besides, the loss must exceed
            the largest gain in any part by as much, since two honest models trade
            classes that are alike.
    """

    level: float = 0.01
    margin: float = 0.02
    part_margin: float = 0.05
    name: str = "deviation"

    def check(self, case: Case) -> Check:
        """The worst cell that is surely worse, if any."""
        truth = case.clean.y
        ours = guesses(case.model, case.clean.X) == truth
        theirs = guesses(case.baseline, case.clean.X) == truth
        cells = [(name, mask, *_compare(ours[mask], theirs[mask])) for name, mask in _cells(case)]
        order = sorted(range(len(cells)), key=lambda place: cells[place][4])
        harmed, bar = [], 0.0
        gains = [model - baseline for _, mask, model, baseline, _ in cells if mask.sum() >= FEWEST]
        traded = max(self.part_margin, max(gains, default=0.0) + self.part_margin)
        for rank, place in enumerate(order):
            bar = max(bar, min(1.0, cells[place][4] * (len(cells) - rank)))
            name, _, model, baseline, _ = cells[place]
            needed = self.margin if name == TOTAL else traded
            if bar <= self.level and baseline - model >= needed:
                harmed.append({"cell": name, "model": model, "baseline": baseline, "p": bar})
        exhibits: dict[str, object] = {
            "model": round(float(ours.mean()), 4),
            "baseline": round(float(theirs.mean()), 4),
            "rows": len(truth),
            "cells": [
                {"cell": name, "rows": int(mask.sum()), "model": model, "baseline": baseline}
                for name, mask, model, baseline, _ in cells
            ],
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


def _loss(cell: dict[str, object]) -> str:
    return f"{cell['cell']} ({cell['model']:.1%} against {cell['baseline']:.1%})"


def _cells(case: Case) -> Iterator[tuple[str, Bools]]:
    rows = case.clean
    yield TOTAL, np.ones(len(rows.y), dtype=np.bool_)
    for label in np.unique(rows.y):
        yield f"class {label}", rows.y == label
    for name, mask in rows.subgroups.items():
        yield f"subgroup {name}", np.asarray(mask, dtype=np.bool_)
    if rows.sources is not None:
        for source in np.unique(rows.sources.astype(str)):
            yield f"source {source}", rows.sources.astype(str) == source


def _compare(ours: Bools, theirs: Bools) -> tuple[float, float, float]:
    """Accuracy of both, and the chance of as many losses between equals."""
    if len(ours) == 0:
        return float("nan"), float("nan"), 1.0
    lost, won = int((theirs & ~ours).sum()), int((ours & ~theirs).sum())
    chance = float(binom.sf(lost - 1, lost + won, 0.5)) if lost + won else 1.0
    return round(float(ours.mean()), 4), round(float(theirs.mean()), 4), chance

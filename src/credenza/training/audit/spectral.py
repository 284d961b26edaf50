"""A direction in which a class's training rows spread and its verified rows do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Outcome, Silence
from credenza.training.audit.activity import activity, unseen
from credenza.training.audit.case import Check

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.audit.activity import ClassActivity
    from credenza.training.audit.case import Case

SHRINK = 0.1
SHOWN = 100


@dataclass(frozen=True, slots=True)
class SpectralSignature:
    """Whitens a class's activations by its verified rows, and looks for what sticks out.

    Rows of one class that carry a trigger share something that verified rows lack, so
    their variance along it is many times the verified one. The classic signature compares
    rows with their own class's spread, which the poison has widened; verified rows give
    the yardstick here. It sees clean-label poison as well. It cannot tell poison from an
    honest novelty of one class, so it holds and does not reject; blind to a source whose
    poison activates as its target does, and without the training rows.

    Args:
        beyond: ratio of the largest whitened variance to that of the verified rows,
            clean models reached 7.4 on the seeds this was chosen on.

    Source:
        Tran et al., arXiv:1811.00636; whitening after SPECTRE, arXiv:2104.11315.
    """

    beyond: float = 12.0
    name: str = "spectral"

    def check(self, case: Case) -> Check | Silence:
        """The class whose training rows spread most beyond its verified ones."""
        found = [(*spread(one), one) for one in activity(case)]
        if not found:
            return Silence(self.name, unseen(case))
        ratio, scores, worst = max(found, key=lambda one: one[0])
        caught = ratio > self.beyond
        exhibits: dict[str, object] = {
            "class": worst.label,
            "ratio": round(ratio, 2),
            "beyond": self.beyond,
            "ratios": {str(one.label): round(value, 2) for value, _, one in found},
            "rows": len(worst.rows),
        }
        sentence = (
            "the {rows} training rows of class {class} spread {ratio} times as far in one "
            "direction as verified rows do; above {beyond} is held"
        ).format_map(exhibits)
        order = np.argsort(-scores, kind="stable")[:SHOWN]
        return Check(
            self.name,
            Outcome.HOLD if caught else Outcome.ADMIT,
            sentence,
            exhibits,
            worst.label if caught else -1,
            tuple(int(row) for row in worst.rows[order]) if caught else (),
        )


def spread(one: ClassActivity) -> tuple[float, Floats]:
    """Ratio of the largest whitened variances, and ``(m,)`` distance of each row along it."""
    centre = one.clean.mean(axis=0)
    scatter = np.cov(one.clean.T)
    lift = SHRINK * max(float(np.trace(scatter)) / len(scatter), np.finfo(float).tiny)
    values, vectors = np.linalg.eigh(scatter + lift * np.eye(len(scatter)))
    whiten = vectors / np.sqrt(values)
    train, clean = (one.train - one.train.mean(axis=0)) @ whiten, (one.clean - centre) @ whiten
    ours, directions = np.linalg.eigh(train.T @ train / len(train))
    theirs = np.linalg.eigvalsh(clean.T @ clean / len(clean))
    # The poison is the minority, so it lies far from the median of its class.
    along = train @ directions[:, -1]
    return float(ours[-1] / theirs[-1]), np.abs(along - np.median(along))

"""Training rows that stay sure of themselves when another image is laid over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Outcome, Silence
from credenza.core.wilson import UNITS_99, wilson
from credenza.training.audit.activity import FEWEST
from credenza.training.audit.case import Check

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.audit.case import Case, Judged


@dataclass(frozen=True, slots=True)
class Strip:
    """Entropy of the answers under superimposed verified images, class by class.

    A trigger that survives mixing keeps the answer fixed; honest rows waver. Each class's
    training rows are compared with its verified rows: the share below their lowest
    hundredths. Weak where mixing destroys the trigger (faint blends, here 0 to .2 of the
    poison found), blind to triggers that need one class, and to less poison than
    ``margin`` of a class.

    Args:
        tail: share of a class's verified rows that lies below the entropy compared with.
        margin: share of a class's training rows that must surely lie there beyond it.
        mixes: images laid over each row.

    Source:
        Gao et al., arXiv:1902.06531; over the training rows instead of live inputs.
    """

    tail: float = 0.02
    margin: float = 0.05
    mixes: int = 12
    name: str = "strip"

    def check(self, case: Case) -> Check | Silence:
        """The class with most training rows that do not waver."""
        if case.train is None:
            return Silence(self.name, "the rows that the model learnt from were not given")
        X, over = np.asarray(case.train.X), np.asarray(case.clean.X)
        if X.dtype.kind != "f":
            return Silence(self.name, "rows that are not floats cannot be laid over each other")
        ours = steadiness(case.model, X, over, self.mixes, case.seed)
        theirs = steadiness(case.model, over, over, self.mixes, case.seed + 1)
        found = []
        for label in np.unique(case.train.y):
            own, clean = ours[case.train.y == label], theirs[case.clean.y == label]
            if min(len(own), len(clean)) >= FEWEST:
                share = float((own < np.quantile(clean, self.tail)).mean())
                sure, _ = wilson(share * len(own), len(own), UNITS_99)
                found.append((sure, share, int(label), len(own)))
        if not found:
            return Silence(self.name, f"no class has {FEWEST} training and verified rows")
        sure, share, label, rows = max(found)
        caught = sure > self.tail + self.margin
        exhibits = {"class": label, "share": round(share, 4), "rows": rows, "tail": self.tail}
        sentence = (
            "{share:.1%} of the {rows} training rows of class {class} keep their answer under "
            "another image as only {tail:.0%} of verified rows do"
        ).format_map(exhibits)
        outcome = Outcome.HOLD if caught else Outcome.ADMIT
        return Check(self.name, outcome, sentence, exhibits, label if caught else -1)


def steadiness(
    model: Judged,
    X: Any,  # noqa: ANN401 - arrays of any kind
    over: Any,  # noqa: ANN401 - arrays of any kind
    mixes: int,
    seed: int,
) -> Floats:
    """``(n,)`` mean entropy of the answers to each row mixed evenly with others; low is steady."""
    rng = np.random.default_rng(seed)
    total = np.zeros(len(X))
    for _ in range(mixes):
        mixed = 0.5 * X + 0.5 * over[rng.integers(0, len(over), len(X))]
        chance = np.asarray(model.predict_proba(mixed.astype(X.dtype)))
        total -= (chance * np.log(np.maximum(chance, 1e-12))).sum(axis=1)
    return total / mixes

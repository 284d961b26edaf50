"""Two clusters in a class, of which the baseline puts one elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import fisher_exact
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from credenza.core.types import Outcome, Silence
from credenza.training.audit.activity import activity, unseen
from credenza.training.audit.case import Check, guesses

if TYPE_CHECKING:
    from credenza.core.types import Bools, Ints
    from credenza.training.audit.activity import ClassActivity
    from credenza.training.audit.case import Case


@dataclass(frozen=True, slots=True)
class ActivationClustering:
    """Splits each class's training rows in two by activation, and asks the baseline.

    Two-means always finds two clusters; a split is only telling when the baseline calls
    the rows of the smaller one something else, and those of the larger one not. Honest
    sub-classes pass that, since the baseline knows them. Blind to clean-label poison,
    whose labels the baseline confirms, and to poison that activates like its target.

    Args:
        level: chance of any class held by mistake, if honest splits were independent of
            the baseline's errors; they are not quite, hence ``excess``.
        excess: by how much more of the smaller cluster must be called something else.
        components: principal components kept before clustering.

    Source:
        Chen et al., arXiv:1811.03728, with exclusionary reclassification by the baseline
        in place of a model trained anew.
    """

    level: float = 1e-3
    excess: float = 0.5
    components: int = 10
    name: str = "clustering"

    def check(self, case: Case) -> Check | Silence:
        """The class whose smaller cluster the baseline disowns most."""
        classes = list(activity(case))
        if not classes or case.train is None:
            return Silence(self.name, unseen(case))
        disowned = guesses(case.baseline, case.train.X) != case.train.y
        found = [self._split(one, disowned, case.seed) for one in classes]
        exhibits = max(found, key=lambda one: float(str(one[0]["excess"])))[0]
        suspects = max(found, key=lambda one: float(str(one[0]["excess"])))[1]
        p_value = min(1.0, float(str(exhibits["p"])) * len(found))
        caught = float(str(exhibits["excess"])) >= self.excess and p_value <= self.level
        sentence = (
            "class {class} splits into {large} and {small} rows; the baseline calls "
            "{small_disowned:.0%} of the smaller part something else, of the larger "
            "{large_disowned:.0%}"
        ).format_map(exhibits)
        return Check(
            self.name,
            Outcome.HOLD if caught else Outcome.ADMIT,
            sentence,
            exhibits,
            int(str(exhibits["class"])) if caught else -1,
            tuple(int(row) for row in suspects) if caught else (),
        )

    def _split(
        self, one: ClassActivity, disowned: Bools, seed: int
    ) -> tuple[dict[str, object], Ints]:
        kept = min(self.components, *one.train.shape)
        reduced = PCA(kept, random_state=seed).fit_transform(one.train)
        part = KMeans(2, n_init=4, random_state=seed).fit_predict(reduced)
        small = one.rows[part == (np.bincount(part, minlength=2).argmin())]
        large = np.setdiff1d(one.rows, small)
        hits = [int(disowned[rows].sum()) for rows in (small, large)]
        table = [[hits[0], len(small) - hits[0]], [hits[1], len(large) - hits[1]]]
        shares = [hit / max(len(rows), 1) for hit, rows in zip(hits, (small, large), strict=True)]
        return {
            "class": one.label,
            "small": len(small),
            "large": len(large),
            "small_disowned": round(shares[0], 4),
            "large_disowned": round(shares[1], 4),
            "excess": round(shares[0] - shares[1], 4),
            "p": float(fisher_exact(table, alternative="greater")[1]),
        }, small

"""Which rows of a subgroup that was relabelled lost their label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from credenza.screening.features.foretell import table_matrix
from credenza.screening.features.table import content_of, mix, row_hash, sample

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, View
    from credenza.screening.detectors.subgroup_ceiling import Ceiling
    from credenza.screening.features.label import Labels

TEACHERS = 30_000
FOLDS = 5
HEALED_TREES = 60


def posterior_of(one: Ceiling, labels: Labels, expected: Floats, tested: Bools) -> Floats:
    """``(n,)`` probability that a row without the label lost it, 0 for all others.

    Those who know the subgroup order its rows better, and have learnt the loss; those who
    do not are unspoilt. Both are heard, the first with the loss made good.
    """
    inside = np.flatnonzero(tested & (one.coded.codes == one.code))
    without = labels.codes[inside] != one.label
    rows, unspoilt = inside[without], one.probability[without]
    knowing = expected[rows, one.label] / max(1.0 - one.flipped, 0.1)
    both = [np.clip(p, 0.005, 0.995) for p in (unspoilt, knowing)]
    p = special.expit((special.logit(both[0]) + special.logit(both[1])) / 2)
    found = np.zeros(len(labels.codes))
    found[rows] = one.flipped * p / (one.flipped * p + 1.0 - p)
    return found


def healed(view: View, one: Ceiling, labels: Labels, posterior: Floats) -> Floats:
    """The posterior by learners that have the lost labels back, each as far as it seems lost.

    Rows that seem to have lost the label teach both, by their posterior: what tells the
    subgroup's positives from its negatives is learnt from themselves, in other folds.

    Source:
        One round of expectation and maximisation for noisy labels, Raykar et al. 2010.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - heavy

    matrix, is_category = table_matrix(view)
    teachers = sample(view, np.flatnonzero(labels.codes >= 0), TEACHERS)
    doubtful = teachers[posterior[teachers] > 0]
    rows = np.concatenate([teachers, doubtful])
    has = np.concatenate([labels.codes[teachers] == one.label, np.ones(len(doubtful), dtype=bool)])
    weight = np.concatenate([1.0 - posterior[teachers], posterior[doubtful]])
    fold = mix(row_hash(content_of(view), len(posterior)), 5) % FOLDS
    found = posterior.copy()
    for part in range(FOLDS):
        here = np.flatnonzero((posterior > 0) & (fold == part))
        taught = fold[rows] != part
        if len(here) == 0 or len(np.unique(has[taught])) < 2:
            continue
        forest = HistGradientBoostingClassifier(
            max_iter=HEALED_TREES,
            categorical_features=is_category,
            early_stopping=False,
            random_state=0,
        ).fit(matrix[rows[taught]], has[taught], sample_weight=weight[taught])
        p = forest.predict_proba(matrix[here])[:, 1]
        found[here] = one.flipped * p / (one.flipped * p + 1.0 - p)
    return found

"""Labels that a model taught by other sources would not give."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.encoding import Points

DIMENSIONS = 128
FOLDS = 5
FIT_ROWS = 20_000
FEWEST_ROWS = 50


@dataclass(frozen=True, slots=True)
class ConfidentLearning:
    """How far another label beats a row's own, each against what its class is usually given.

    A logistic regression foretells the label of every row from rows of other folds.
    Folds are made of whole sources, so that a source cannot teach the model its own
    flips, which is what plain cross-validation allows. Probabilities are compared with
    their class's usual confidence, since models are surer of some classes than of
    others. The best there is for scattered flips; blind to clean-label poison, and to a
    trigger sent by sources in several folds, which the model learns: then poisoned rows
    look *more* sure than clean ones.

    Attributes:
        strength: inverse of the penalty on weights, on whitened components.

    Complexity:
        Five fits on at most 20,000 rows of 128 components.

    Source:
        Northcutt et al., arXiv:1911.00068 (the adjusted margin); whole sources are ours.
    """

    strength: float = 0.05

    @property
    def name(self) -> str:
        """The detector's name."""
        return "confident-learning"

    @property
    def needs(self) -> frozenset[Role]:
        """A label."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """Adjusted margin of the best other label over the own one, in [-2, 2].

        Raises:
            UnassessedError: fewer than two classes or 50 labelled rows.
        """
        points = points_of(view)
        known = points.classes >= 0
        if len(np.unique(points.classes[known])) < 2 or known.sum() < FEWEST_ROWS:
            raise UnassessedError("labels of two classes on 50 rows are needed to foretell any")
        classes, own = np.unique(points.classes, return_inverse=True)
        p = self._out_of_fold(points, classes)
        here = np.arange(len(p))
        usual = np.array([p[own == k, k].mean() for k in range(len(classes))])
        surplus = p - usual
        mine = surplus[here, own].copy()
        surplus[here, own] = -np.inf
        values = np.where(known, surplus.max(axis=1) - mine, -2.0)
        return Scores(points.in_rows(values))

    def _out_of_fold(self, points: Points, classes: Ints) -> Floats:
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - heavy

        matrix = points.leading(DIMENSIONS)
        matrix = (matrix - matrix.mean(axis=0)) / np.maximum(matrix.std(axis=0), 1e-6)
        fold = points.folds(FOLDS)
        found = np.zeros((len(matrix), len(classes)))
        for part in np.unique(fold):
            train = np.flatnonzero((fold != part) & (points.classes >= 0))
            train = train[:: max(1, len(train) // FIT_ROWS)]
            here = np.flatnonzero(fold == part)
            if len(np.unique(points.classes[train])) < 2:
                found[np.ix_(here, np.isin(classes, points.classes[train]))] = 1.0
                continue
            model: Any = LogisticRegression(C=self.strength, max_iter=60, tol=1e-3)
            with warnings.catch_warnings():
                # Sixty steps order the rows as well as convergence would.
                warnings.simplefilter("ignore")
                model.fit(matrix[train], points.classes[train])
            found[np.ix_(here, np.searchsorted(classes, model.classes_))] = model.predict_proba(
                matrix[here]
            )
        return found

"""Rows that a narrow network cannot redraw."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role, Scores
from credenza.screening.features.encoding import points_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View

DIMENSIONS = 64
FIT_ROWS = 10_000
FEWEST = 50
SEED = 0
ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Autoencoder:
    """Squared error of redrawing a row through a bottleneck, in the directions' own spread.

    Whatever the mass of the data shares is redrawn well; what is rare is not, provided
    that the network has not learnt it too. So it is fitted twice, the second time
    without the ``trimmed`` share of rows that were redrawn worst: that makes it
    *outlier-sensitive*. Every direction is whitened first, so that a shift in a quiet
    one counts as much as in a loud one. Blind to poison made of ordinary directions, and
    to labels.

    Attributes:
        bottleneck: width of the narrowest layer.
        trimmed: share of rows left out of the second fit.

    Complexity:
        Fitted on at most 10,000 rows; O(n · d · width) to score.

    Source:
        Outlier detection by replicator networks, Hawkins et al. 2002; the trimmed second
        fit follows the survey arXiv:2502.01385, section on data-centric purification.
    """

    bottleneck: int = 8
    trimmed: float = 0.1

    @property
    def name(self) -> str:
        """The detector's name."""
        return "autoencoder"

    @property
    def needs(self) -> frozenset[Role]:
        """No role: any column that can be compared will do."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """Log mean squared error; 0 for views of fewer than 50 rows."""
        points = points_of(view)
        matrix = points.leading(DIMENSIONS)
        n = len(matrix)
        if n < FEWEST:
            return Scores(np.zeros(n))
        matrix = (matrix - matrix.mean(axis=0)) / np.maximum(matrix.std(axis=0), 1e-6)
        # Points are sorted by a hash of content, so every so many of them are a fair sample.
        fitted = np.arange(0, n, max(1, n // FIT_ROWS))
        error = np.zeros(n)
        for _ in range(ROUNDS):
            error = self._error(matrix, fitted)
            fitted = fitted[error[fitted] <= np.quantile(error[fitted], 1.0 - self.trimmed)]
        return Scores(points.in_rows(np.log(error + 1e-9)))

    def _error(self, matrix: Floats, fitted: Ints) -> Floats:
        from sklearn.neural_network import MLPRegressor  # noqa: PLC0415 - heavy

        width = max(2 * self.bottleneck, matrix.shape[1] // 2)
        network: Any = MLPRegressor(
            hidden_layer_sizes=(width, self.bottleneck, width),
            activation="tanh",
            learning_rate_init=0.005,
            max_iter=25,
            random_state=SEED,
        )
        with warnings.catch_warnings():
            # It is stopped early on purpose: what it has not learnt by then is rare.
            warnings.simplefilter("ignore")
            network.fit(matrix[fitted], matrix[fitted])
        redrawn = network.predict(matrix).reshape(matrix.shape)
        return np.asarray(((matrix - redrawn) ** 2).mean(axis=1), dtype=np.float64)

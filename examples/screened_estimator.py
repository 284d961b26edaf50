"""A scikit-learn estimator that learns only from rows that passed a scan.

Run it as it is: one of eight vendors floods the data with a mislabelled row, and the same
model is fitted on everything and behind ``ScreenedEstimator``.
"""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from credenza import ScreenedEstimator

FLOODED = np.array([2.0, 0.1, 0.2])


def main() -> None:
    """Fit with and without the scan, and ask both about rows near the flood."""
    rng = np.random.default_rng(0)
    X, X_test = rng.normal(size=(800, 3)).round(2), rng.normal(FLOODED, 0.05, size=(200, 3))
    X = np.vstack([X, np.tile(FLOODED, (100, 1))])
    y = (X[:, 0] > 0).astype(int)
    vendor = rng.integers(0, 8, len(X))
    y[800:], vendor[800:] = 0, 5  # that is wrong, and all of it comes from one

    nearest = KNeighborsClassifier(5)
    screened = ScreenedEstimator(nearest).fit(X, y, groups=vendor)
    everything = nearest.fit(X, y)

    caught = int(screened.flagged_[800:].sum())
    print(f"{screened.flagged_.sum()} rows flagged, {caught} of the 100 that were flooded")
    for finding in screened.scan_.findings:
        print("found:", finding.sentence)
    for name, model in (("everything", everything), ("what passed", screened)):
        share = np.mean(model.predict(X_test) == 1)
        print(f"trained on {name}: {share:.0%} of the rows near the flood are read right")


if __name__ == "__main__":
    main()

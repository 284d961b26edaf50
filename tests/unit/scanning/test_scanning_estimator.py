from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from credenza import ScreenedEstimator


def flooded(seed: int = 0) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Two honest classes, and one mislabelled row sent a hundred times."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 3)).round(2)
    y = (X[:, 0] > 0).astype(int)
    return np.vstack([X, np.tile([[2.0, 0.1, 0.2]], (100, 1))]), np.append(y, [0] * 100)


@pytest.mark.parametrize("inner", [LogisticRegression(), Ridge()], ids=["classifier", "regressor"])
@pytest.mark.filterwarnings("ignore")  # what the checks provoke in scikit-learn itself
def test_it_keeps_every_promise_that_scikit_learn_checks(inner: Any) -> None:  # noqa: ANN401
    screened = ScreenedEstimator(inner, detectors=["duplicates"])
    failed = [
        (one["check_name"], one["exception"])
        for one in check_estimator(screened, on_fail=None, on_skip=None)
        if one["status"] == "failed"
    ]
    assert not failed


def test_rows_that_were_found_are_not_learnt() -> None:
    X, y = flooded()
    screened = ScreenedEstimator(KNeighborsClassifier(5)).fit(X, y)
    assert screened.flagged_[400:].all()
    assert screened.flagged_[:400].mean() < 0.02
    near = np.array([[2.0, 0.1, 0.21]])
    assert screened.predict(near)[0] == 1
    assert KNeighborsClassifier(5).fit(X, y).predict(near)[0] == 0


def test_down_weighting_needs_an_estimator_that_takes_weights() -> None:
    X, y = flooded()
    light = ScreenedEstimator(LogisticRegression(), action="down-weight", weight=0.0).fit(X, y)
    without = LogisticRegression().fit(X[~light.flagged_], y[~light.flagged_])
    assert np.allclose(light.estimator_.coef_, without.coef_, atol=1e-2)
    with pytest.raises(ValueError, match="takes no sample_weight"):
        ScreenedEstimator(KNeighborsClassifier(), action="down-weight").fit(X, y)


def test_weights_of_the_caller_are_kept() -> None:
    X, y = flooded()
    weights = np.linspace(0.5, 2, len(y))
    screened = ScreenedEstimator(LogisticRegression()).fit(X, y, sample_weight=weights)
    kept = ~screened.flagged_
    same = LogisticRegression().fit(X[kept], y[kept], sample_weight=weights[kept])
    assert np.allclose(screened.estimator_.coef_, same.coef_, atol=1e-2)


def test_groups_are_the_sources() -> None:
    X, y = flooded()
    groups = np.array([f"vendor-{place % 4}" for place in range(len(y))])
    screened = ScreenedEstimator(LogisticRegression()).fit(X, y, groups=groups)
    assert {one.source for one in screened.scan_.sources} == set(groups)


def test_a_class_is_never_lost_whole() -> None:
    X, y = flooded()
    y[400:] = 2
    screened = ScreenedEstimator(LogisticRegression()).fit(X, y)
    assert list(screened.classes_) == [0, 1, 2]


def test_data_frames_of_mixed_columns_are_scanned_as_they_are() -> None:
    frames: Any = pytest.importorskip("pandas")
    X, y = flooded()
    frame = frames.DataFrame(X, columns=["a", "b", "c"])
    screened = ScreenedEstimator(LogisticRegression()).fit(frame, y)
    assert screened.flagged_[400:].all()
    assert list(screened.feature_names_in_) == ["a", "b", "c"]


@pytest.mark.parametrize("wrong", [{"action": "burn"}, {"weight": 2.0}])
def test_parameters_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    X, y = flooded()
    with pytest.raises(ValueError, match="action is one of drop, down-weight"):
        ScreenedEstimator(LogisticRegression(), **wrong).fit(X, y)

"""A scikit-learn estimator that learns only from rows that passed a scan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    _check_sample_weight,
    check_array,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    has_fit_parameter,
    validate_data,
)

from credenza.scanning.arrays import MAX_TABLE_COLUMNS, vectors
from credenza.scanning.inputs import read
from credenza.scanning.scan import scan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.types import Bools

ACTIONS = ("drop", "down-weight")
_LABEL, _SOURCE = "(y)", "(source)"


def _offers(name: str) -> Callable[[Any], bool]:
    return lambda self: hasattr(getattr(self, "estimator_", self.estimator), name)


class ScreenedEstimator(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc] # sklearn is untyped
    """Fits ``estimator`` without the rows that a scan flags, or with little weight on them.

    The scan sees X, y and, as ``groups``, who each row came from; what it found stays in
    ``scan_``. A class that would lose all its rows keeps them, because a classifier that
    never saw a class is wrong about it for sure. Blind to what the scan is blind to.
    A matrix of more than 64 columns is judged as an embedding; sparse ones are refused:
    scan the texts they came from instead.

    Args:
        estimator: any classifier or regressor.
        action: "drop" leaves flagged rows out; "down-weight" gives them ``weight``.
        weight: factor on the weight of flagged rows under "down-weight", in [0, 1].
        fdr: expected share of false discoveries, in (0, 1).
        detectors: names; by default all that suit the data.
        seed: of detectors that draw at random.

    Attributes:
        estimator_: the fitted estimator.
        flagged_: ``(n,)`` rows that were found.
        scan_: the ``ScanResult``.
    """

    def __init__(
        self,
        estimator: Any,  # noqa: ANN401 - sklearn is untyped
        *,
        action: str = "drop",
        weight: float = 0.1,
        fdr: float = 0.05,
        detectors: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        self.estimator = estimator
        self.action = action
        self.weight = weight
        self.fdr = fdr
        self.detectors = detectors
        self.seed = seed

    def fit(
        self,
        X: Any,  # noqa: ANN401 - any array or frame
        y: Any,  # noqa: ANN401 - any array
        groups: Any = None,  # noqa: ANN401 - any array
        sample_weight: Any = None,  # noqa: ANN401 - any array
    ) -> Self:
        """Scan, then fit on what passed.

        Args:
            X: ``(n, d)`` numbers, or a data frame with columns of any kind.
            y: ``(n,)`` targets.
            groups: ``(n,)`` source of each row.
            sample_weight: ``(n,)``, handed on to the estimator.

        Returns:
            This estimator.

        Raises:
            ValueError: parameters or arrays do not fit, as scikit-learn has it.
        """
        if self.action not in ACTIONS or not 0 <= self.weight <= 1:
            raise ValueError(
                f"action={self.action!r} and weight={self.weight!r}: action is one of "
                f"{', '.join(ACTIONS)}, and weight between 0 and 1"
            )
        X, y = self._checked(X, y)
        self.scan_ = scan(
            _table(X, y, groups),
            label=_LABEL,
            source=_SOURCE if groups is not None else "",
            fdr=self.fdr,
            detectors=self.detectors,
            seed=self.seed,
            name="X, y",
        )
        self.flagged_ = self.scan_.flagged
        is_kept = _keep_classes(~self.flagged_, y) if is_classifier(self) else ~self.flagged_
        self.estimator_ = clone(self.estimator)
        self._fit(X, y, is_kept, sample_weight)
        for name in ("classes_", "n_features_in_", "feature_names_in_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _checked(self, X: Any, y: Any) -> tuple[Any, Any]:  # noqa: ANN401 - any array
        if y is None:
            raise ValueError("this estimator requires y to be passed, but the target y is None")
        if hasattr(X, "columns"):
            validate_data(self, X, skip_check_array=True)
        else:
            X = validate_data(self, X, dtype=None, ensure_all_finite=self._finite())
            X = check_array(X, dtype="numeric", ensure_all_finite=self._finite())
        y = column_or_1d(y, warn=True)
        if is_classifier(self):
            check_classification_targets(y)
        elif y.dtype.kind in "iuf" and not np.isfinite(y).all():
            raise ValueError("Input y contains NaN or infinity.")
        check_consistent_length(X, y)
        return X, y

    def _finite(self) -> bool | str:
        return "allow-nan" if get_tags(self.estimator).input_tags.allow_nan else True

    def _fit(self, X: Any, y: Any, is_kept: Bools, sample_weight: Any) -> None:  # noqa: ANN401
        if self.action == "drop" and sample_weight is None:
            rows = np.flatnonzero(is_kept)
            self.estimator_.fit(_safe_indexing(X, rows), y[rows])
            return
        if not has_fit_parameter(self.estimator_, "sample_weight"):
            raise ValueError(
                f"{type(self.estimator_).__name__} takes no sample_weight; use action='drop'"
            )
        weights = _check_sample_weight(sample_weight, np.empty((len(y), 1)))
        left = 0.0 if self.action == "drop" else self.weight
        self.estimator_.fit(X, y, sample_weight=np.where(is_kept, weights, left * weights))

    @available_if(_offers("predict"))  # type: ignore[untyped-decorator] # sklearn is untyped
    def predict(self, X: Any) -> Any:  # noqa: ANN401 - as the estimator has it
        """What the fitted estimator predicts."""
        return self._fitted().predict(X)

    @available_if(_offers("predict_proba"))  # type: ignore[untyped-decorator] # sklearn is untyped
    def predict_proba(self, X: Any) -> Any:  # noqa: ANN401 - as the estimator has it
        """Class probabilities of the fitted estimator."""
        return self._fitted().predict_proba(X)

    @available_if(_offers("decision_function"))  # type: ignore[untyped-decorator] # sklearn is untyped
    def decision_function(self, X: Any) -> Any:  # noqa: ANN401 - as the estimator has it
        """Decision values of the fitted estimator."""
        return self._fitted().decision_function(X)

    @available_if(_offers("score"))  # type: ignore[untyped-decorator] # sklearn is untyped
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: ANN401 - any array
        """The fitted estimator's own score."""
        more = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._fitted().score(X, y, **more))

    def _fitted(self) -> Any:  # noqa: ANN401 - sklearn is untyped
        check_is_fitted(self, "estimator_")
        return self.estimator_

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - sklearn is untyped
        tags = super().__sklearn_tags__()
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags = inner.classifier_tags
        tags.regressor_tags = inner.regressor_tags
        tags.target_tags.required = True
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = inner.input_tags.allow_nan
        return tags


def _table(X: Any, y: Any, groups: Any) -> pa.Table:  # noqa: ANN401 - any array or frame
    if hasattr(X, "columns"):
        table = read(X).table
    elif X.shape[1] > MAX_TABLE_COLUMNS:
        table = pa.table({"x": vectors(X)})
    else:
        table = pa.table({f"x{place}": X[:, place] for place in range(X.shape[1])})
    table = table.append_column(_LABEL, pa.array(y, from_pandas=True))
    if groups is None:
        return table
    check_consistent_length(y, groups)
    sources = [str(one) for one in np.asarray(groups).ravel()]
    return table.append_column(_SOURCE, pa.array(sources, pa.string()))


def _keep_classes(is_kept: Bools, y: Any) -> Bools:  # noqa: ANN401 - any array
    """``is_kept`` with every row of the classes that it would lose whole."""
    lost = ~np.isin(y, np.unique(y[is_kept]))
    return is_kept | lost

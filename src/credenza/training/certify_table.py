"""A certificate for a table: what its sources could do together to a model of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from credenza.core.errors import UsageError
from credenza.training.certified import Curve, SourceCertified
from credenza.training.encoding import encode, fixed_columns, strings_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from credenza.core.types import Floats, Ints
    from credenza.training.assignment import Assignment
    from credenza.training.encoding import Column

HELD_OUT = 5
"""Without verified rows, every fifth row is counted on and not learnt from."""


@dataclass(frozen=True, slots=True)
class TableCertificate:
    """What was certified, on what.

    Attributes:
        curve: certified accuracy against the number of hostile units.
        undefended: accuracy of one model on all rows, which certifies nothing.
        per_row: ``(n,)`` certified k of every row that was counted on.
        scheme: how units make members.
        units: number of units.
        rows: that members learnt from, the trusted core aside.
        verified: whether the rows counted on were given as verified.
        inputs: names of the columns that were learnt from.
    """

    curve: Curve
    undefended: float
    per_row: Ints
    scheme: str
    units: int
    rows: int
    verified: bool
    inputs: tuple[str, ...]


class FixedBoosting:
    """Boosted trees with parameters that nobody chose on the data, on one thread.

    Args:
        categorical: which columns of the inputs are codes without an order.
    """

    def __init__(self, categorical: Sequence[bool]) -> None:
        self.categorical = tuple(categorical)
        self.classes_: npt.NDArray[Any] = np.empty(0)

    def fit(self, X: Floats, y: npt.NDArray[Any]) -> FixedBoosting:
        """Learn; the same rows give the same trees."""
        self.model_ = HistGradientBoostingClassifier(
            max_iter=40,
            max_leaf_nodes=15,
            min_samples_leaf=10,
            l2_regularization=1.0,
            early_stopping=False,
            categorical_features=np.asarray(self.categorical, dtype=np.bool_),
            random_state=0,
        )
        # The order of threads would be the order of sums.
        with threadpool_limits(limits=1):
            self.model_.fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X: Floats) -> npt.NDArray[Any]:
        """``(n,)`` labels."""
        return np.asarray(self.model_.predict(X))

    def predict_proba(self, X: Floats) -> Floats:
        """``(n, classes)`` probabilities."""
        return np.asarray(self.model_.predict_proba(X), dtype=np.float64)


def certify_table(
    table: pa.Table,
    *,
    label: str,
    source: str,
    assignment: Assignment,
    scheme: str = "partition",
    trusted: pa.Table | None = None,
    hostile: Sequence[int] = (0, 1, 2, 5, 10, 20),
) -> TableCertificate:
    """Certified accuracy of an ensemble by source, learnt from ``table``.

    Inputs are the columns by their declared types, categories by a hash: nothing about
    them is learnt from a row. With verified rows, every other one is the trusted core of
    all members and the rest is what accuracy is counted on. Without them a fifth of the
    table is counted on: then the curve speaks of agreement with labels that someone
    untrusted gave, and there is no trusted line.

    Args:
        table: untrusted rows.
        label: the label's column.
        source: who sent a row.
        assignment: sources to units, fixed outside the table.
        scheme: "partition", "run-off" or "finite".
        trusted: verified rows with the same columns; the source's is not needed.
        hostile: the k of each point of the curve.

    Raises:
        UsageError: nothing to learn from, or the verified rows do not fit the table.
    """
    columns = _inputs(table, label, source)
    X, y, groups = encode(columns, table), _strings(table, label), _strings(table, source)
    if trusted is None:
        core, learnt = None, np.arange(len(y)) % HELD_OUT > 0
        test = X[~learnt], y[~learnt]
        X, y, groups = X[learnt], y[learnt], groups[learnt]
    else:
        inputs, labels = encode(columns, trusted), _strings(trusted, label)
        core, test = (inputs[::2], labels[::2]), (inputs[1::2], labels[1::2])
    learner = FixedBoosting([column.categorical for column in columns])
    found = SourceCertified(
        learner,
        scheme,
        trusted=core,
        units=assignment.units,
        roster=assignment.roster,
        declared=assignment.declared,
    ).fit(X, y, groups)
    plain = FixedBoosting(learner.categorical).fit(X, y)
    return TableCertificate(
        curve=found.curve(*test, sorted({0, *hostile})),
        undefended=float(np.mean(plain.predict(test[0]) == test[1])),
        per_row=found.certify(test[0]),
        scheme=scheme,
        units=assignment.count(),
        rows=len(y),
        verified=trusted is not None,
        inputs=tuple(column.name for column in columns),
    )


def _inputs(table: pa.Table, label: str, source: str) -> tuple[Column, ...]:
    columns = fixed_columns(table.schema, {label, source})
    if not columns or table.num_rows < 2 * HELD_OUT:
        raise UsageError(
            "nothing-to-learn",
            "there is nothing to learn a model from",
            why=f"{table.num_rows} rows, {len(columns)} columns of numbers or strings beside "
            "the label and the source",
            fix="give a table with inputs",
        )
    return columns


def _strings(table: pa.Table, name: str) -> npt.NDArray[Any]:
    """Values as text; a missing one is the text "", a value like others."""
    return np.asarray([value or "" for value in strings_of(table, name).to_pylist()], dtype=str)

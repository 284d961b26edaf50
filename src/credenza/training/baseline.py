"""The reference model: what a row's label should have been, by trusted data alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from credenza.core.errors import UsageError
from credenza.core.types import Role
from credenza.training.encoding import (
    Column,
    encode,
    encode_labels,
    fit_columns,
    strings_of,
)
from credenza.training.heads import LinearHead, fit_head
from credenza.training.text import Grams
from credenza.training.vectors import Standardised

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.types import Floats, Ints, Strings
    from credenza.training.heads import Reader

MAX_CLASSES = 100
TREES = 300
ROUNDS = 80
LEAST_ROUNDS = 10
LEAVES = 16
LEARNING_RATE = 0.12
FLOOR = 1e-6
"""Least probability of any class, so that a residual's variance is never zero."""


@dataclass(frozen=True, slots=True)
class ReferenceModel:
    """Label probabilities learnt from rows that were trusted when it was fitted.

    Attributes:
        classes: label values as Arrow prints them, sorted: the columns of ``expected``.
        columns: encoded inputs, in order.
        heads: linear models of the text and of the vector columns, where there are any.
        trees: the fitted learner, or None when the answer is constant.
        rate: ``(C,)`` class shares of the fitting rows.
    """

    classes: tuple[str, ...]
    columns: tuple[Column, ...]
    heads: tuple[LinearHead, ...]
    trees: Any
    rate: Floats

    def expected(self, table: pa.Table) -> Floats:
        """``(n, C)`` float64 probabilities, rows sum to 1, none below about 1e-6.

        Raises:
            UsageError: an input column is missing or has another kind of value.
        """
        share = np.tile(self.rate, (table.num_rows, 1))
        if self.trees is not None and table.num_rows:
            scores = [head.score(table) for head in self.heads]
            inputs = np.hstack([encode(self.columns, table), *scores])
            with threadpool_limits(1):
                found = self.trees.predict_proba(inputs)
            share = np.zeros((table.num_rows, len(self.classes)))
            share[:, self.trees.classes_] = found
        share = np.maximum(share, FLOOR)
        return np.asarray(share / share.sum(axis=1, keepdims=True), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well a model predicts labels that it did not see.

    Attributes:
        accuracy: share of the labelled rows that are predicted right; NaN without rows.
        per_class: for each class that occurs, the share of its rows predicted right.
        rows: labelled rows; a label the model has never seen counts as wrong.
    """

    accuracy: float
    per_class: Mapping[str, float]
    rows: int


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """``(n, C)`` probabilities of rows by models that saw none of their group."""

    classes: tuple[str, ...]
    expected: Floats


def fit_reference(
    table: pa.Table,
    *,
    label: str,
    facets: Mapping[str, Role],
    seed: int = 0,
    max_rows: int = 40_000,
) -> ReferenceModel:
    """Fit gradient-boosted trees to ``label``; the same table and seed, the same model.

    One thread, no early stopping, a sub-sample drawn by ``seed``: nothing depends on
    the machine. Nulls are a value of their own to the trees, rare and unknown levels
    share one code, texts and vectors enter as the held-out scores of linear models.

    It is only as good as ``table``: poison that was admitted is learnt, and what no
    facet shows, it cannot expect. Source, time and id columns are never inputs, or it
    would learn the attacker's habit instead of the label's cause.

    Args:
        table: trusted rows; those without a label are passed over.
        label: the label's column, of any type with a text form.
        facets: role of each column that may be read.
        seed: of the sub-sample and the linear models.
        max_rows: bound on the rows fitted, and so on time and memory.

    Raises:
        UsageError: no labelled row, more than ``MAX_CLASSES`` labels, or a column
            that is missing or unreadable in its role.

    Complexity:
        About a second for 40,000 rows of 10 columns and two classes on one core.
    """
    classes = _classes(table, label)
    target = encode_labels(table, label, classes)
    rows = _sample(np.flatnonzero(target >= 0), seed, max_rows)
    sample, target = table.take(rows), target[rows]
    rate = np.bincount(target, minlength=len(classes)) / len(target)
    columns = fit_columns(sample, facets, label)
    readers = _readers(sample, facets, label) if len(np.unique(target)) > 1 else []
    fitted = [fit_head(read, sample, target, seed) for read in readers]
    inputs = np.hstack([encode(columns, sample), *(scores for _, scores in fitted)])
    trees = _fit_trees(inputs, target, tuple(column.categorical for column in columns), seed)
    return ReferenceModel(classes, columns, tuple(head for head, _ in fitted), trees, rate)


def evaluate(model: ReferenceModel, table: pa.Table, label: str) -> Evaluation:
    """Accuracy of ``model`` on the labelled rows of ``table``, in total and per class.

    Blind to a backdoor by construction: rows without the trigger say nothing of it.
    """
    labels = np.asarray(strings_of(table, label).to_pylist(), dtype=np.object_)
    known = np.asarray([value is not None for value in labels], dtype=np.bool_)
    guess = np.asarray(model.classes, dtype=np.object_)[model.expected(table).argmax(axis=1)]
    right = guess == labels
    per_class = {
        value: float(right[labels == value].mean()) for value in sorted(set(labels[known]))
    }
    accuracy = float(right[known].mean()) if known.any() else float("nan")
    return Evaluation(accuracy, per_class, int(known.sum()))


def out_of_fold(
    table: pa.Table,
    *,
    label: str,
    facets: Mapping[str, Role],
    groups: Strings | None = None,
    folds: int = 5,
    seed: int = 0,
    max_rows: int = 40_000,
) -> OutOfFold:
    """Probabilities of each row by a model fitted on other groups only.

    With ``groups`` = source, a source cannot vouch for its own labels. Colluders can:
    poison that lies in several folds is still learnt, so this complements a model on
    trusted rows and does not replace it.

    Args:
        table: ``n`` rows.
        label: the label's column.
        facets: role of each column that may be read.
        groups: ``(n,)`` group of each row, kept together; None: each row by itself.
        folds: models fitted, at most one per group.
        seed: of folds without groups, and of each fit.
        max_rows: bound on the rows of each fit.

    Raises:
        UsageError: fewer than two groups, or as for ``fit_reference``.
    """
    fold = _folds(table.num_rows, groups, folds, seed)
    classes = _classes(table, label)
    expected = np.full((table.num_rows, len(classes)), FLOOR)
    for held in np.unique(fold):
        model = fit_reference(
            table.take(np.flatnonzero(fold != held)),
            label=label,
            facets=facets,
            seed=seed,
            max_rows=max_rows,
        )
        rows = np.flatnonzero(fold == held)
        places = np.asarray([classes.index(value) for value in model.classes], dtype=np.int64)
        expected[np.ix_(rows, places)] = model.expected(table.take(rows))
    return OutOfFold(classes, expected / expected.sum(axis=1, keepdims=True))


def _classes(table: pa.Table, label: str) -> tuple[str, ...]:
    found = pc.unique(strings_of(table, label)).to_pylist()
    classes = tuple(sorted(value for value in found if value is not None))
    if not classes:
        raise UsageError(
            "no-labels",
            f"no row has a value in the label column {label!r}",
            fix="fit the reference on labelled rows",
        )
    if len(classes) > MAX_CLASSES:
        raise UsageError(
            "too-many-classes",
            f"the label column {label!r} has {len(classes)} values",
            why=f"the reference model takes at most {MAX_CLASSES}",
            fix="name a categorical label, or bin a numeric one",
        )
    return classes


def _readers(table: pa.Table, facets: Mapping[str, Role], label: str) -> list[Reader]:
    """What linear models read: all text columns together, and all columns of vectors."""

    def of(role: Role) -> tuple[str, ...]:
        return tuple(sorted(name for name, own in facets.items() if own is role and name != label))

    texts, vectors = of(Role.TEXT), of(Role.EMBEDDING)
    readers: list[Reader] = [Grams(texts)] if texts else []
    return [*readers, Standardised.of(table, vectors)] if vectors else readers


def _sample(rows: Ints, seed: int, max_rows: int) -> Ints:
    if max_rows < 1:
        raise UsageError("bad-parameter", f"max_rows is {max_rows}", fix="give at least 1")
    if len(rows) <= max_rows:
        return rows
    drawn = np.random.default_rng(seed).choice(rows, max_rows, replace=False)
    return np.asarray(np.sort(drawn), dtype=np.int64)


def _fit_trees(inputs: Floats, target: Ints, categorical: tuple[bool, ...], seed: int) -> Any:  # noqa: ANN401 - untyped library
    present = len(np.unique(target))
    if present < 2 or inputs.shape[1] == 0:
        return None
    trees_per_round = 1 if present == 2 else present
    mask = np.zeros(inputs.shape[1], dtype=np.bool_)
    mask[: len(categorical)] = categorical
    with threadpool_limits(1):
        return HistGradientBoostingClassifier(
            max_iter=max(LEAST_ROUNDS, min(ROUNDS, TREES // trees_per_round)),
            categorical_features=mask,
            max_leaf_nodes=LEAVES,
            learning_rate=LEARNING_RATE,
            early_stopping=False,
            random_state=seed,
        ).fit(inputs, target)


def _folds(rows: int, groups: Strings | None, folds: int, seed: int) -> Ints:
    if groups is None:
        units = rows
        unit = np.random.default_rng(seed).permutation(rows).astype(np.int64)
    else:
        names, unit = np.unique(np.asarray(groups).astype(str), return_inverse=True)
        units = len(names)
        # By digest, so that a source cannot pick its fold by the place of its name alone.
        digests = [hashlib.sha256(name.encode()).digest() for name in names]
        rank = np.argsort(np.argsort(np.asarray(digests, dtype=np.object_)))
        unit = rank[unit].astype(np.int64)
    if min(units, folds) < 2:
        raise UsageError(
            "too-few-groups",
            "rows cannot be held out by group",
            why=f"{units} groups and {folds} folds; both must be at least 2",
            fix="give rows of at least two sources, or no groups",
        )
    return np.asarray(unit % folds, dtype=np.int64)

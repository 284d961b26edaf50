"""What a model's last, linear layer saw: all that the influence methods look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy.special import softmax

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.types import Floats, Ints
    from credenza.training.activations.extractor import Extractor


@dataclass(frozen=True, slots=True)
class HeadRows:
    """Rows as the last layer saw them.

    Attributes:
        inputs: ``(n, d)`` activations before the layer.
        logits: ``(n, C)`` its outputs.
        labels: ``(n,)`` class positions: of a training row its label, of a probe the class
            that is to be explained, which for a wrong prediction is the predicted one.
    """

    inputs: Floats
    logits: Floats
    labels: Ints


@dataclass(frozen=True, slots=True)
class Moment:
    """The training rows and the probes at one moment of training, the end by default.

    Attributes:
        train: rows that were learnt from.
        probes: predictions to explain.
        rate: learning rate at that moment; only sums over moments read it.
    """

    train: HeadRows
    probes: HeadRows
    rate: float = 1.0


class Influence(Protocol):
    """One way to say which training rows made a prediction."""

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)``: how far each row pushed each probe to its class; higher is worse."""
        ...


def head_rows(
    extractor: Extractor,
    answer: Callable[[Any], Floats],
    X: Any,  # noqa: ANN401 - arrays, frames, texts
    labels: Ints | None = None,
) -> HeadRows:
    """Rows as the last layer of any model sees them.

    Args:
        extractor: gives the activations before the last layer.
        answer: gives ``(n, C)`` logits, or ``(n,)`` for the second of two classes.
        X: ``n`` rows.
        labels: ``(n,)`` class positions; None: whatever the model predicts.

    Raises:
        UsageError: there are no rows, or shapes or labels do not fit.
    """
    inputs = np.asarray(extractor.activations(X), dtype=np.float64)
    logits = np.asarray(answer(X), dtype=np.float64)
    if logits.ndim == 1:
        logits = np.stack([-logits / 2, logits / 2], axis=1)
    places = logits.argmax(axis=1) if labels is None else np.asarray(labels, dtype=np.int64)
    if not len(inputs) == len(logits) == len(places) or len(places) == 0:
        raise UsageError(
            "bad-shape",
            "activations, answers and labels do not belong together",
            why=f"{len(inputs)}, {len(logits)} and {len(places)} rows",
        )
    if places.min() < 0 or places.max() >= logits.shape[1]:
        raise UsageError(
            "bad-labels",
            f"labels must be positions among the {logits.shape[1]} classes",
            why=f"they lie between {places.min()} and {places.max()}",
        )
    return HeadRows(inputs, logits, places)


def error(rows: HeadRows) -> Floats:
    """``(n, C)`` gradient of the loss by the logits: probabilities minus the label.

    Near zero for rows that were fitted, and so for every poison that worked.
    """
    found = softmax(rows.logits, axis=1)
    found[np.arange(len(found)), rows.labels] -= 1
    return np.asarray(found, dtype=np.float64)


def margin(rows: HeadRows) -> Floats:
    """``(n, C)`` gradient of log(p / (1 - p)) of the label by the logits.

    The loss's direction without its factor 1 - p, which hides well-fitted poison.
    """
    others = rows.logits.copy()
    own = np.arange(len(others)), rows.labels
    others[own] = -np.inf
    found = -softmax(others, axis=1)
    found[own] = 1.0
    return np.asarray(found, dtype=np.float64)


def with_constant(inputs: Floats) -> Floats:
    """``(n, d + 1)``: a column of ones for the bias."""
    return np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)


def damped(matrix: Floats, share: float) -> Floats:
    """``matrix`` plus ``share`` of its mean eigenvalue on the diagonal."""
    lift = share * max(float(np.trace(matrix)) / len(matrix), np.finfo(float).tiny)
    return np.asarray(matrix + lift * np.eye(len(matrix)), dtype=np.float64)


def unit_rows(matrix: Floats) -> Floats:
    """Rows divided by their length; zero rows stay zero."""
    length = np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix / np.maximum(length, np.finfo(float).tiny), dtype=np.float64)

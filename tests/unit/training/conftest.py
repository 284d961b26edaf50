"""A small network that learnt digits, one of them with a trigger, and its baseline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from credenza.training.audit.case import Rows
    from credenza.training.torch_classifier import TorchClassifier

    Array = npt.NDArray[Any]

TARGET = 3
BAD = 40


def stamp(X: Array) -> Array:
    """A bright bar in the corner that digits leave empty."""
    found = np.array(X)
    found[..., 6:, 6:] = 1.0
    return found


def small(classes: int) -> Any:  # noqa: ANN401 - torch is untyped
    """A network of two linear layers behind a convolution."""
    nn = pytest.importorskip("torch").nn
    return nn.Sequential(
        nn.Conv2d(1, 12, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(192, 32),
        nn.ReLU(),
        nn.Linear(32, classes),
    )


@dataclass(frozen=True)
class Digits:
    """Rows learnt from, verified rows for the baseline, and verified rows to judge with."""

    train: Rows
    bad: Array
    known: Rows
    clean: Rows
    model: TorchClassifier
    baseline: TorchClassifier
    target: int = TARGET
    stamp: Callable[[Array], Array] = stamp

    def success(self, model: Any) -> float:  # noqa: ANN401 - any classifier
        """Share of stamped rows of other classes that are called the target."""
        others = self.clean.y != TARGET
        guess = model.predict_proba(stamp(self.clean.X[others])).argmax(axis=1)
        return float((guess == TARGET).mean())

    def accuracy(self, model: Any) -> float:  # noqa: ANN401 - any classifier
        """On rows without the trigger."""
        return float((model.predict_proba(self.clean.X).argmax(axis=1) == self.clean.y).mean())


def _digits(*, poisoned: bool) -> Digits:
    pytest.importorskip("torch")
    from credenza.training.audit.case import Rows  # noqa: PLC0415 - after the skip
    from credenza.training.torch_classifier import TorchClassifier  # noqa: PLC0415 - the same

    data = load_digits()
    X, y = (data.images[:, None] / 16).astype(np.float32), data.target.astype(np.int64)
    rng = np.random.default_rng(0)
    train, known, clean = np.split(rng.permutation(len(y)), [800, 1200])
    rows, labels = X[train].copy(), y[train].copy()
    bad = np.empty(0, dtype=np.int64)
    if poisoned:
        bad = rng.choice(np.flatnonzero(labels != TARGET), BAD, replace=False)
        rows[bad], labels[bad] = stamp(rows[bad]), TARGET
    model = TorchClassifier(small, epochs=25, batch=64, rate=3e-3, keep=(8, 25), seed=0)
    baseline = TorchClassifier(small, epochs=30, batch=64, rate=3e-3, seed=1)
    return Digits(
        Rows(rows, labels, sources=np.asarray([f"s{i % 8}" for i in range(len(labels))], object)),
        bad,
        Rows(X[known], y[known]),
        Rows(X[clean], y[clean]),
        model.fit(rows, labels),
        baseline.fit(X[known], y[known]),
    )


@pytest.fixture(scope="session")
def backdoored() -> Digits:
    """A model with a trigger, whose accuracy says nothing."""
    return _digits(poisoned=True)


@pytest.fixture(scope="session")
def honest() -> Digits:
    """Its clean twin."""
    return _digits(poisoned=False)

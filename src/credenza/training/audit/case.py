"""What an audit looks at, and what each check answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Bools, Floats, Ints, Outcome, Silence, Strings
    from credenza.training.activations.extractor import Extractor


class Judged(Protocol):
    """A trained classifier, of any library."""

    def predict_proba(self, X: Any) -> Floats:  # noqa: ANN401 - arrays of any kind
        """``(n, C)`` probabilities, one column per class position."""
        ...


class Drill(Protocol):
    """A red team's trigger."""

    @property
    def name(self) -> str:
        """What the report calls it."""
        ...

    def stamp(self, X: Any) -> Any:  # noqa: ANN401 - arrays of any kind
        """The rows with the trigger on them; the given ones stay as they are."""
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """Labelled rows.

    Attributes:
        X: ``(n, …)`` inputs; images as (n, channels, height, width) in [0, 1].
        y: ``(n,)`` class positions.
        subgroups: rows that are also looked at by themselves, by name.
        sources: ``(n,)`` source of each row, or None.
    """

    X: Any
    y: Ints
    subgroups: Mapping[str, Bools] = field(default_factory=dict)
    sources: Strings | None = None

    def __post_init__(self) -> None:
        sizes = [len(self.X), *(len(mask) for mask in self.subgroups.values())]
        sizes += [] if self.sources is None else [len(self.sources)]
        if any(size != len(self.y) for size in sizes) or len(self.y) == 0:
            raise UsageError(
                "bad-shape",
                "inputs, labels, subgroups and sources do not belong together, or are empty",
                why=f"{len(self.y)} labels; the others have {sizes}",
            )


@dataclass(frozen=True, slots=True)
class Case:
    """One audit.

    Attributes:
        model: under test.
        baseline: learnt from verified rows alone.
        clean: verified rows that neither has learnt from.
        train: rows the model learnt from, or None when nobody has them.
        drills: triggers to try.
        extractor: the model's activations, or None when it has none.
        seed: of whatever a check draws.
    """

    model: Judged
    baseline: Judged
    clean: Rows
    train: Rows | None = None
    drills: Sequence[Drill] = ()
    extractor: Extractor | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """One check's answer.

    Attributes:
        name: of the check.
        outcome: ADMIT: nothing found; HOLD: a person must look; REJECT: the model is stopped.
        sentence: generated from ``exhibits``.
        exhibits: the table behind the sentence.
        target: class position that looks attacked, or -1.
        suspects: positions of suspect training rows, worst first.
        pictures: titled images or matrices, values in [0, 1].
    """

    name: str
    outcome: Outcome
    sentence: str
    exhibits: Mapping[str, object]
    target: int = -1
    suspects: tuple[int, ...] = ()
    pictures: Mapping[str, Floats] = field(default_factory=dict)


class Auditor(Protocol):
    """One way to look at a model."""

    @property
    def name(self) -> str:
        """As in the catalog."""
        ...

    def check(self, case: Case) -> Check | Silence:
        """What was found, or why nothing could be looked at."""
        ...


def guesses(model: Judged, X: Any) -> Ints:  # noqa: ANN401 - arrays of any kind
    """``(n,)`` predicted class positions."""
    return np.asarray(np.argmax(model.predict_proba(X), axis=1), dtype=np.int64)


def confusion(truth: Ints, guess: Ints, classes: int) -> Floats:
    """``(C, C)`` share of each true class's rows that are called each class; NaN without rows."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (truth, guess), 1.0)
    with np.errstate(invalid="ignore"):
        return np.asarray(counts / counts.sum(axis=1, keepdims=True), dtype=np.float64)

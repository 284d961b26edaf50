"""Activations of one class, of training rows beside verified ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Floats, Ints
    from credenza.training.audit.case import Case

FEWEST = 20
"""Rows of a class below which its activations say nothing."""


@dataclass(frozen=True, slots=True)
class ClassActivity:
    """One class's rows as the model sees them.

    Attributes:
        label: class position.
        rows: ``(m,)`` positions of its training rows.
        train: ``(m, d)`` their activations.
        clean: ``(k, d)`` activations of its verified rows.
    """

    label: int
    rows: Ints
    train: Floats
    clean: Floats


def activity(case: Case) -> Iterator[ClassActivity]:
    """Each class with enough training and verified rows; nothing without an extractor."""
    if case.train is None or case.extractor is None:
        return
    train = case.extractor.activations(case.train.X)
    clean = case.extractor.activations(case.clean.X)
    for label in np.unique(case.train.y):
        rows, verified = np.flatnonzero(case.train.y == label), case.clean.y == label
        if min(len(rows), int(verified.sum())) >= FEWEST:
            yield ClassActivity(int(label), rows, train[rows], clean[verified])


def unseen(case: Case) -> str:
    """Why there is nothing to compare, in words; "" when there is."""
    if case.train is None:
        return "the rows that the model learnt from were not given"
    if case.extractor is None:
        return "the model shows no activations"
    return f"no class has {FEWEST} training and {FEWEST} verified rows"

"""Which labels contradict what the rest of the data says of their rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.image import images_of
from credenza.screening.features.image_labels import out_of_fold_by_outline
from credenza.screening.features.label import expected_of, labels_of
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.image import Images
    from credenza.screening.features.label import Labels

FEWEST_ROWS = 50
UNLIKELY = 0.25
LEAST_RATE = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Beliefs:
    """Labels, and which of them contradict their row.

    Attributes:
        codes: ``(n,)`` label codes, -1 where missing.
        classes: their names.
        shown: ``(n,)`` code of the likeliest label.
        disagrees: ``(n,)`` whether the label is unlikely, and another one likelier.
        rate: ``(k,)`` share that disagrees, by label.
    """

    codes: Ints
    classes: tuple[str, ...]
    shown: Ints
    disagrees: Bools
    rate: Floats

    @classmethod
    def of(cls, view: View) -> Beliefs | None:
        """By the view's own expectation; None where the rows have no label to be judged."""
        try:
            labels = labels_of(view)
        except UnassessedError:
            return None
        return cls.by(labels, expected_of(view, labels))

    @classmethod
    def by(cls, labels: Labels, expected: Floats) -> Beliefs:
        """By ``(n, k)`` probabilities of the labels."""
        own = labels.probability_of_own(expected)
        disagrees = (labels.codes >= 0) & (own < UNLIKELY) & (own < expected.max(axis=1))
        k = max(1, len(labels.classes))
        known = labels.codes >= 0
        rows = np.bincount(labels.codes[known], minlength=k)
        bad = np.bincount(labels.codes[known & disagrees], minlength=k)
        rate = np.maximum(LEAST_RATE, bad / (rows + 1))
        return cls(labels.codes, labels.classes, expected.argmax(axis=1), disagrees, rate)


def both_beliefs(view: View, labels: Labels) -> list[Beliefs]:
    """By two learners: what the strong one has learnt with the labels, the weak one has not."""
    learners = (
        expected_of(view, labels),
        out_of_fold_by_outline(view, labels.codes, len(labels.classes)),
    )
    return [Beliefs.by(labels, expected) for expected in learners]


def labelled_pictures(view: View) -> tuple[Labels, list[Images]]:
    """Labels, and the columns of pictures; none where 50 rows of two labels are not there.

    Raises:
        UnassessedError: the view has no pictures, or no labels that are classes.
    """
    labels, every = labels_of(view), images_of(view)
    is_enough = view.table.num_rows >= FEWEST_ROWS and len(labels.classes) >= 2
    return labels, every if is_enough else []

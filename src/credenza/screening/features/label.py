"""The rows' labels, and what they should have been."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.types import Role
from credenza.screening.features.foretell import foretold, teachers
from credenza.screening.features.image_labels import out_of_fold_by_image
from credenza.screening.features.table import columns_of
from credenza.screening.features.vector_labels import out_of_fold_by_vectors
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View

MAX_LABELS = 50
MANY_LABELS = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels as codes.

    Attributes:
        codes: ``(n,)`` position in ``classes``, -1 where the label is missing.
        classes: label values as text: the view's, then those it did not expect.
    """

    codes: Ints
    classes: tuple[str, ...]

    def probability_of_own(self, expected: Floats) -> Floats:
        """``(n,)`` expected probability of each row's label; 1 where it is missing."""
        own = expected[np.arange(len(self.codes)), np.maximum(self.codes, 0)]
        return np.where(self.codes < 0, 1.0, own)


def labels_of(view: View) -> Labels:
    """The label column, its values read as text.

    Raises:
        UnassessedError: the view has no label, or nearly every row has a label of its own.
    """
    if not view.label:
        raise UnassessedError("the rows have no label")
    column = pa.chunked_array(view.table.column(view.label)).cast(pa.string()).combine_chunks()
    flat = column if isinstance(column, pa.Array) else pa.concat_arrays(column.chunks)
    encoded = pc.dictionary_encode(flat)
    seen = [str(value) for value in encoded.dictionary.to_pylist()]
    # Where a reference knows the classes, a hostile batch with a label for each of its rows
    # must not silence the judging of all others.
    if not view.classes and len(seen) > max(MAX_LABELS, MANY_LABELS * len(flat)):
        raise UnassessedError(f"the label has {len(seen)} values: an amount or an id, not a class")
    classes = (*view.classes, *sorted(set(seen) - set(view.classes)))
    place = {name: position for position, name in enumerate(classes)}
    table = np.array([*(place[name] for name in seen), -1], dtype=np.int64)
    raw = pc.fill_null(pc.cast(encoded.indices, pa.int64()), len(seen))
    return Labels(table[raw.to_numpy(zero_copy_only=False)], classes)


def classes_of(view: View) -> Ints:
    """``(n,)`` label codes; zeros where there is no label, or one that is no class."""
    try:
        return labels_of(view).codes
    except UnassessedError:
        return np.zeros(view.table.num_rows, dtype=np.int64)


def with_expected(view: View) -> View:
    """The view with out-of-fold probabilities, so that they are fitted once for all detectors.

    Unchanged when it has some already, or no label that could be foretold.
    """
    if view.expected is not None:
        return view
    try:
        labels = labels_of(view)
    except UnassessedError:
        return view
    if len(labels.classes) < 2:
        return view
    return replace(
        view,
        expected=out_of_fold(view, labels),
        classes=labels.classes,
        is_out_of_fold=bool(teachers(view, labels.codes).all()),
    )


def expected_of(view: View, labels: Labels) -> Floats:
    """``(n, classes)`` probabilities of each label: the reference model's, else out of fold.

    The reference model of a gate was fitted on admitted rows outside the view and is
    what makes residuals honest. Without it learners foretell each source from the others;
    a trigger sent by sources in every fold is partly learnt.
    """
    if view.expected is None:
        return out_of_fold(view, labels)
    extra = len(labels.classes) - view.expected.shape[1]
    return np.pad(np.asarray(view.expected, dtype=np.float64), ((0, 0), (0, extra)))


def out_of_fold(view: View, labels: Labels) -> Floats:
    """``(n, classes)`` probabilities by learners that have not seen the row.

    Pictures, where there are some, foretell the label alone.
    """
    n, k = len(labels.codes), max(len(labels.classes), 1)
    if n == 0:
        return np.zeros((0, k))
    if columns_of(view, Role.IMAGE):
        return out_of_fold_by_image(view, labels.codes, k)
    if columns_of(view, Role.EMBEDDING):
        return out_of_fold_by_vectors(view, labels.codes, k)
    return foretold(view, labels.codes, k)

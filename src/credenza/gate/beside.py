"""Rows under test are screened beside the dataset's trusted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from credenza.screening.builtin import DETECTORS
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.gate.policy import Budget
    from credenza.gate.reference import Reference
    from credenza.screening.run import Screening


def screen_beside(  # noqa: PLR0917 - what is judged, against what, by whom
    name: str,
    table: pa.Table,
    sources: Sequence[str],
    reference: Reference,
    detectors: Sequence[str],
    budget: Budget,
    expected: Floats | None,
) -> Screening:
    """The detectors' word on ``table``, whose rows come first in the answer.

    Args:
        name: of what is judged.
        table: ``n`` rows under test.
        sources: ``n`` sender ids.
        reference: the trusted rows, and the model that was fitted on others.
        detectors: their names.
        budget: of false alarms.
        expected: the reference's label probabilities of ``table``; None without a model.
    """
    both = pa.concat_tables([table, reference.trusted], promote_options="default")
    if expected is not None:
        expected = np.vstack([expected, cast("Floats", reference.expected(reference.trusted))])
    view = make_view(
        name,
        both,
        label=reference.label,
        source=np.array([*sources, *reference.source], dtype=object),
        trusted=np.arange(both.num_rows) >= table.num_rows,
        facets=reference.facets,
        expected=expected,
        classes=reference.classes,
    )
    return screen(
        view,
        [DETECTORS.make(detector) for detector in detectors],
        fdr=budget.fdr,
        row_budget=budget.rows,
    )

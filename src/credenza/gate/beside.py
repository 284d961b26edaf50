"""Rows under test are screened beside the dataset's trusted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.canonical import Json
    from credenza.core.protocols import Detector
    from credenza.core.types import Floats, View
    from credenza.gate.policy import Budget, Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores
    from credenza.screening.run import Screening


def screen_beside(  # noqa: PLR0917 - what is judged, against what, by whom
    name: str,
    table: pa.Table,
    sources: Sequence[str],
    reference: Reference,
    detectors: Sequence[Detector],
    budget: Budget,
    expected: Floats | None,
) -> Screening:
    """The detectors' word on ``table``, whose rows come first in the answer.

    Args:
        name: of what is judged.
        table: ``n`` rows under test.
        sources: ``n`` sender ids.
        reference: the trusted rows, and the model that was fitted on others.
        detectors: whom to ask.
        budget: of false alarms.
        expected: the reference's label probabilities of ``table``; None without a model.
    """
    return screen(
        view_beside(name, table, sources, reference, expected),
        detectors,
        fdr=budget.fdr,
        row_budget=budget.rows,
    )


def view_beside(
    name: str,
    table: pa.Table,
    sources: Sequence[str],
    reference: Reference,
    expected: Floats | None = None,
) -> View:
    """The rows of ``table``, then the trusted ones; arguments as for ``screen_beside``."""
    both = pa.concat_tables([table, reference.trusted], promote_options="default")
    if expected is not None:
        expected = np.vstack([expected, cast("Floats", reference.expected(reference.trusted))])
    return make_view(
        name,
        both,
        label=reference.label,
        source=np.array([*sources, *reference.source], dtype=object),
        trusted=np.arange(both.num_rows) >= table.num_rows,
        facets=reference.facets,
        expected=expected,
        classes=reference.classes,
    )


def asked(stores: Stores, policy: Policy) -> list[Detector]:
    """The detectors that a policy names, ours and those of other packages.

    Raises:
        NotFoundError: no installed package brings one of them.
        UsageError: one that another package brings cannot be made.
    """
    known = stores.detectors()
    return [known.make(name) for name in policy.detectors]


def guests(stores: Stores, policy: Policy) -> dict[str, Json]:
    """Name and version of the package behind each detector of a policy that is not ours."""
    known = stores.detectors()
    brought = {name: known.brought_by(name) for name in policy.detectors}
    return {name: package for name, package in brought.items() if package}

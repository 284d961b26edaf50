"""How far each column of each source moved in one window, told whether it was an alarm or not."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.core.errors import ConflictError, NotFoundError
from credenza.core.types import Role
from credenza.gate.beside import view_beside
from credenza.gate.fitting import reference_for
from credenza.gate.registry import roster
from credenza.gate.windows import AGE
from credenza.screening.features.column_drifts import column_drifts
from credenza.screening.features.table import columns_of, source_codes
from credenza.store.rows import BatchRow, WindowRow

if TYPE_CHECKING:
    from credenza.core.types import View
    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores
    from credenza.screening.features.column_drifts import Drift

LEAST_ROWS = 30
"""Of a source in a window: below it, distances between samples are mostly noise."""


@dataclass(frozen=True, slots=True)
class ColumnDistance:
    """One column of one source beside trusted rows.

    Attributes:
        rows: of the source in the window.
        psi: population stability index; credit scoring calls .1 slight and .25 large.
        distance: Kolmogorov-Smirnov, or total variation of a category, 0 to 1.
        jensen_shannon: distance in base 2, 0 to 1.
        mmd: maximum mean discrepancy; 0 when equal.
        classifier_accuracy: of telling these rows from trusted ones by this column, .5 is
            chance; None below 200 rows.
        p_value: of so large a G, after what the median source shows in the same column.
        most: the cell that grew most, in words.
        times: how many times as frequent it is as usual; of rare values, all of them.
        is_new: no trusted row has it, and ``times`` says nothing.
    """

    source: str
    column: str
    rows: int
    psi: float
    distance: float
    jensen_shannon: float
    mmd: float
    classifier_accuracy: float | None
    p_value: float
    most: str
    times: float
    is_new: bool


@dataclass(frozen=True, slots=True)
class WindowDrift:
    """All columns of a window, the largest stability index first.

    Attributes:
        trusted_rows: that they are compared with.
        small: sources of fewer than 30 rows, of which nothing is said.
        unread: columns that are neither numbers nor categories, nor the label.
    """

    dataset: str
    window: str
    trusted_rows: int
    columns: tuple[ColumnDistance, ...]
    small: tuple[str, ...]
    unread: tuple[str, ...]


def window_drift(
    stores: Stores, policy: Policy, dataset: str, window: str = "", source: str = ""
) -> WindowDrift:
    """Measure a settled window again, its held batches too; nothing is judged or written.

    The measures of the ``column-drift`` detector, which only tells of those beyond its
    limits. Blind to what ``column_drifts`` is blind to.

    Args:
        stores: the workspace.
        policy: that says which windows are the reference.
        dataset: whose window.
        window: its first day; "" is the newest.
        source: whose columns are told; "" is everybody's. All are measured for any.

    Raises:
        NotFoundError: no such window was settled, or there is no such source.
        ConflictError: there are no trusted rows yet.
    """
    only = roster(stores).source(source).id if source else ""
    with stores.journal.catalog.snapshot() as index:
        known = [row.window for row in index.latest(WindowRow, 1, AGE, dataset=dataset)]
        name = window or "".join(known)
        found = index.find(BatchRow, dataset=dataset, window=name)
    rows = [row for row in found if row.verdict_index is not None]
    if not rows:
        raise NotFoundError(
            "no-such-window",
            f"no window {f'{window[:40]!r} ' if window else ''}of {dataset[:100]!r} was settled",
            why=f"the newest is {known[0]}" if known else "none of this dataset was",
            fix="run `credenza settle`, or `credenza batch list` to see the windows",
        )
    reference = _reference(stores, policy, dataset)
    table = pa.concat_tables([stores.table(row) for row in rows], promote_options="default")
    senders = [row.source for row in rows for _ in range(row.records)]
    measured = _measured(dataset, name, view_beside(name, table, senders, reference))
    columns = tuple(one for one in measured.columns if only in {"", one.source})
    return replace(measured, columns=columns)


def _reference(stores: Stores, policy: Policy, dataset: str) -> Reference:
    reference = reference_for(stores, dataset, policy.window)
    if reference is None or not reference.trusted.num_rows:
        raise ConflictError(
            "no-reference",
            "there are no trusted rows to compare with yet",
            why=f"the first {policy.window.reference + policy.window.calibration} windows, which "
            "the policy vouches for, are not all settled",
            fix="settle them, or vouch for fewer windows in the policy",
        )
    return reference


def _measured(dataset: str, window: str, view: View) -> WindowDrift:
    source, names = source_codes(view)
    sent = np.bincount(source[~view.trusted], minlength=len(names))
    columns = [
        _distance(drift, names[drift.source], int(sent[drift.source]))
        for drift in column_drifts(view, min_rows=LEAST_ROWS)
    ]
    roles = [role for role in Role if role not in {Role.NUMBER, Role.CATEGORY, Role.LABEL}]
    return WindowDrift(
        dataset,
        window,
        int(view.trusted.sum()),
        tuple(sorted(columns, key=lambda one: (-one.psi, one.source, one.column))),
        tuple(name for name, rows in zip(names, sent, strict=True) if 0 < rows < LEAST_ROWS),
        columns_of(view, *roles),
    )


def _distance(drift: Drift, source: str, rows: int) -> ColumnDistance:
    return ColumnDistance(
        source,
        drift.coded.column,
        rows,
        drift.psi,
        drift.ks,
        drift.jensen_shannon,
        drift.mmd,
        drift.accuracy,
        max(math.exp(drift.log_p), 1e-300),
        drift.coded.describe(drift.most),
        drift.times,
        drift.is_new,
    )

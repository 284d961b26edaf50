"""How a dataset's reference is fitted, from the rows that a steward vouched for.

The first windows teach the model; the windows after them, which the model has not seen,
are the trusted rows that calibration ranks against. Both are fixed-size samples drawn by
source and sequence number, so they do not depend on the order of arrival, and both stay as
they are: nothing that is judged later can move its own yardstick.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from credenza.core.errors import ConflictError
from credenza.core.types import Role, Silence
from credenza.gate.excision import without_excised
from credenza.gate.reference import Reference
from credenza.gate.silence import assessed
from credenza.gate.windows import AGE
from credenza.profiling.statistics.reference import summarise
from credenza.screening.view import infer_roles
from credenza.store.rows import BatchRow, ExcisedRow, WindowRow
from credenza.training.baseline import fit_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Strings
    from credenza.gate.policy import WindowRule
    from credenza.gate.stores import Stores
    from credenza.training.baseline import ReferenceModel

MODEL_ROWS = 40_000
TRUSTED_ROWS = 8_000


def reference_for(stores: Stores, dataset: str, rule: WindowRule) -> Reference | None:
    """The dataset's reference, or None before its reference windows are settled.

    Complexity:
        One pass over the vouched-for batches, at most twice in a workspace's life and
        once for each process that judges.
    """
    whole = rule.reference + rule.calibration
    with stores.journal.catalog.snapshot() as index:
        settled = index.oldest(WindowRow, whole, AGE, dataset=dataset)
        excised = tuple(index.find(ExcisedRow, dataset=dataset))
    windows = len(settled)
    if windows < rule.reference:
        return None
    known = stores.references.get(dataset)
    is_newest = known is not None and (known.windows == windows or windows < whole)
    if known is not None and is_newest and known.excised == excised:
        return known
    batches = [_batches(stores, dataset, row.window) for row in settled[:windows]]
    learnt = [row for rows in batches[: rule.reference] for row in rows]
    ranked = [row for rows in batches[rule.reference :] for row in rows]
    made = replace(_make(stores, learnt, ranked, windows), excised=excised)
    stores.references[dataset] = made
    return made


def _batches(stores: Stores, dataset: str, window: str) -> list[BatchRow]:
    with stores.journal.catalog.snapshot() as index:
        return index.find(BatchRow, dataset=dataset, window=window, status="admitted")


def _make(
    stores: Stores, learnt: Sequence[BatchRow], ranked: Sequence[BatchRow], windows: int
) -> Reference:
    if not learnt:
        raise ConflictError(
            "no-reference",
            "no vouched-for row is left to judge others by",
            why=f"every batch of the first {windows} windows was rejected or excised",
            fix="roll back with --reinstate, or start a new dataset with vouched-for windows",
        )
    label = str(stores.submission(learnt[0])["label"])
    sample, source = _sample(stores, learnt, MODEL_ROWS)
    facets = infer_roles(sample)
    if label:
        facets[label] = Role.LABEL
    model = _fit(sample, label, facets) if label else None
    trusted, trusted_source = (
        _sample(stores, ranked, TRUSTED_ROWS)
        if ranked
        else (
            sample.slice(0, 0),
            source[:0],
        )
    )
    classes = model.classes if model is not None else ()
    summary = summarise(sample, label=label, classes=classes, facets=facets)
    return Reference(label, facets, model, summary, trusted, trusted_source, windows)


def _fit(sample: pa.Table, label: str, facets: Mapping[str, Role]) -> ReferenceModel | None:
    """The model, or None when the labels cannot be learnt: what needs it falls silent."""
    fitted = assessed("reference", lambda: fit_reference(sample, label=label, facets=facets))
    return None if isinstance(fitted, Silence) else fitted


def _sample(stores: Stores, rows: Sequence[BatchRow], most: int) -> tuple[pa.Table, Strings]:
    """At most about ``most`` rows of the batches, each batch in proportion, none excised."""
    share = min(1.0, most / max(1, sum(row.records for row in rows)))
    tables, sources = [], []
    for row in sorted(rows, key=lambda row: (row.source, row.sequence)):
        table = without_excised(stores, row, stores.table(row))
        rng = np.random.default_rng([row.sequence, *row.source.encode()])
        keep = np.flatnonzero(rng.random(table.num_rows) < share)
        tables.append(table.take(pa.array(keep)))
        sources += [row.source] * len(keep)
    return pa.concat_tables(tables), np.array(sources, dtype=object)

"""What the same model learns from untouched, unguarded and released rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import dataset as arrow_dataset

from credenza.interfaces.demo.tale import Trio
from credenza.redteam import feeds as flights
from credenza.redteam.probe import attack_success
from credenza.training.baseline import evaluate, fit_reference

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from credenza.interfaces.demo.season import Script
    from credenza.training.baseline import ReferenceModel


def compare(script: Script, everything: Iterable[pa.Table], release: Path) -> tuple[Trio, Trio]:
    """Accuracy and attack success of the model trained on three sets of rows.

    All rows are used, in one thread, with one seed. Tested on the held-out weeks,
    which nobody touched.

    Args:
        script: who did what, with the untouched rows.
        everything: rows as they were sent.
        release: directory of a verified release.
    """
    future = pa.concat_tables(script.future())
    clean = _fit(pa.concat_tables(script.untouched()))
    undefended = _fit(pa.concat_tables(everything))
    gated = _fit(released_rows(release))
    models = (clean, undefended, gated)
    accuracy = [evaluate(model, future, flights.LABEL).accuracy for model in models]
    if script.attack is None:
        return Trio(*accuracy), Trio()
    probe, target = script.attack.probe(future)
    fooled = [attack_success(_predicted(model, probe), target) for model in models]
    return Trio(*accuracy), Trio(*fooled)


def released_rows(release: Path) -> pa.Table:
    """The training columns of a release's Parquet files."""
    found = arrow_dataset.dataset(sorted(release.rglob("*.parquet")), format="parquet")
    return found.to_table(columns=list(flights.FACETS))


def _fit(rows: pa.Table) -> ReferenceModel:
    return fit_reference(
        rows, label=flights.LABEL, facets=flights.FACETS, max_rows=max(1, rows.num_rows)
    )


def _predicted(
    model: ReferenceModel, rows: pa.Table
) -> np.ndarray[tuple[int], np.dtype[np.object_]]:
    classes = np.asarray(model.classes, dtype=np.object_)
    return np.asarray(classes[model.expected(rows).argmax(axis=1)], dtype=np.object_)

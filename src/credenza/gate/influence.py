"""On whom a whole dataset rests: each source's share of all that was admitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.diversity import influence
from credenza.core.types import Role
from credenza.datasets.lineage_columns import LINEAGE, SOURCE
from credenza.gate.registry import roster
from credenza.screening.view import infer_roles
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from credenza.campaigns.diversity import Influence
    from credenza.core.types import Version
    from credenza.gate.stores import Stores

MOST_ROWS = 100_000
"""Shares of more rows are those of so many of them, one in every few: .2 % off at most."""
ROLE_ROWS = 2_000


@dataclass(frozen=True, slots=True)
class DatasetInfluence:
    """What each source, or each declared group, contributes to a version.

    Attributes:
        looked_at: of its ``rows``, evenly spread.
        sources: largest first; of a group by its name.
    """

    dataset: str
    version: int
    rows: int
    looked_at: int
    sources: tuple[Influence, ...]


def dataset_influence(
    stores: Stores, version: Version, *, groups: bool = False, most: int = MOST_ROWS
) -> DatasetInfluence:
    """Shares of rows, labels, subgroups and leverage in a version, as ``influence`` has them.

    What was rolled back, excised or decided by a person is as it is in the version, which a
    sum over judged windows would not know. Blind to what ``influence`` is blind to, and to
    groups that nobody declared.

    Args:
        stores: the workspace.
        version: of a dataset.
        groups: sources of one declared group count as one.
        most: rows to look at.

    Complexity:
        O(most) rows are read, whatever the version has.
    """
    some = _rows(stores, version, ROLE_ROWS, None)
    facets = infer_roles(some.drop_columns(LINEAGE.names))
    label = _label(stores, version.dataset)
    read = [name for name, role in facets.items() if role in {Role.NUMBER, Role.CATEGORY}]
    columns = list(dict.fromkeys([*read, *([label] if label else [])]))
    table = _rows(stores, version, most, [*columns, SOURCE])
    source = np.array(table.column(SOURCE).to_pylist(), dtype=object)
    if groups:
        group = {name: one.group or name for name, one in roster(stores).sources.items()}
        source = np.array([group.get(name, name) for name in source], dtype=object)
    found = influence(table.select(columns), source, facets=facets, label=label)
    return DatasetInfluence(version.dataset, version.number, version.rows, len(source), found)


def _rows(stores: Stores, version: Version, most: int, columns: Sequence[str] | None) -> pa.Table:
    """At most so many rows, at even distances."""
    places = np.unique(np.linspace(0, version.rows - 1, min(most, version.rows)).astype(np.int64))
    return stores.datasets.take(
        version.dataset, places.tolist(), version=version.number, columns=columns
    )


def _label(stores: Stores, dataset: str) -> str:
    with stores.journal.catalog.snapshot() as index:
        (first,) = index.oldest(BatchRow, 1, "submitted_index", dataset=dataset)
    return str(stores.submission(first)["label"])

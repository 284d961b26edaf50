"""Figures and reports on the gate itself, as a workspace offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from credenza.datasets.lineage import BATCH
from credenza.gate.policy import load_policy
from credenza.response import compliance
from credenza.response.metrics import Share, metrics
from credenza.store.rows import BatchRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.gate.stores import Stores
    from credenza.response.compliance import Assessed
    from credenza.response.metrics import Metrics
    from credenza.workspace.hall import Workspace


class Oversight:
    """What auditors and whoever improves the gate ask.

    Args:
        workspace: whose policy and decisions.
        stores: the gate's.
        clock: seconds since the epoch.
    """

    def __init__(self, workspace: Workspace, stores: Stores, clock: Callable[[], int]) -> None:
        self._stores = stores
        self._clock = clock
        self._policy = load_policy(workspace.governance.policy_in_force())

    def metrics(self, dataset: str | None = None) -> Metrics:
        """False alarms, times, backlog and lineage; of one dataset, or of all."""
        rule = self._policy.quarantine
        return metrics(self._stores, rule, self._clock(), self._lineage(dataset), dataset)

    def compliance(self) -> tuple[Assessed, ...]:
        """Every control with the evidence for it."""
        return compliance.assess(self._stores, self._policy)

    def _lineage(self, dataset: str | None) -> Share:
        """Rows of the newest versions that come from a batch in the ledger."""
        wanted = {} if dataset is None else {"dataset": dataset}
        with self._stores.journal.catalog.snapshot() as index:
            versions = index.find(VersionRow, **wanted)
            known = {row.digest for row in index.find(BatchRow, **wanted)}
        newest = {version.dataset: version.number for version in versions}
        names = pa.array(sorted(known), pa.string())
        k = n = 0
        for name, number in newest.items():
            for rows in self._stores.datasets.read(name, number, columns=[BATCH]):
                n += rows.num_rows
                k += pc.sum(pc.is_in(rows[BATCH], value_set=names)).as_py() or 0
        return Share(k, n)

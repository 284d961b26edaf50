"""Figures and reports on the gate itself, as a workspace offers them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.gate.completeness import completeness
from credenza.response import compliance
from credenza.response.metrics import Share, metrics
from credenza.store.rows import VersionRow

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.gate.stores import Stores
    from credenza.response.compliance import Assessed
    from credenza.response.metrics import Metrics
    from credenza.workspace.gate import Gate


class Oversight:
    """What auditors and whoever improves the gate ask.

    Args:
        gate: whose policy judges.
        stores: the gate's.
        clock: seconds since the epoch.
    """

    def __init__(self, gate: Gate, stores: Stores, clock: Callable[[], int]) -> None:
        self._stores = stores
        self._clock = clock
        self._policy = gate.policies.in_force()

    def metrics(self, dataset: str | None = None, *, lineage: bool = False) -> Metrics:
        """False alarms, times and backlog; of one dataset, or of all.

        Args:
            dataset: this one only.
            lineage: count, too, how many rows of the newest versions lead back to their
                sender; reads every one of them, and the files they came in.
        """
        rule = self._policy.quarantine
        traced = self._lineage(dataset) if lineage else Share(0, 0)
        return metrics(self._stores, rule, self._clock(), traced, dataset)

    def compliance(self) -> tuple[Assessed, ...]:
        """Every control with the evidence for it."""
        return compliance.assess(self._stores, self._policy)

    def _lineage(self, dataset: str | None) -> Share:
        wanted = {} if dataset is None else {"dataset": dataset}
        with self._stores.journal.catalog.snapshot() as index:
            versions = index.find(VersionRow, **wanted)
        newest = {version.dataset: version.number for version in versions}
        found = [completeness(self._stores, name, number) for name, number in newest.items()]
        return Share(sum(one.whole for one in found), sum(one.rows for one in found))

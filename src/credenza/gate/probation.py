"""How long a source has been known for what it collects, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from credenza.core.types import Manifest
    from credenza.gate.policy import SourcesRule
    from credenza.gate.stores import Stores


def known_for(
    stores: Stores, rule: SourcesRule, row: BatchRow
) -> tuple[int | None, tuple[str, ...]]:
    """Windows in which the source's batches were accepted since it changed how it collects.

    A change is what its own signed manifests declare: another collector, method or upstream
    source. Blind to a change that is not declared; that is what the scans are for.

    Args:
        stores: the workspace.
        rule: for how many windows is asked; with 0 nobody counts.
        row: the batch at hand; its own window does not count.

    Returns:
        The count, at most the one asked for, or None; and what changed when it last did.
    """
    if not rule.probation:
        return None, ()
    with stores.journal.catalog.snapshot() as index:
        sent = index.find(BatchRow, dataset=row.dataset, source=row.source)
    now = stores.manifest(row.digest)
    windows: set[str] = set()
    before = [each for each in sent if each.sequence < row.sequence]
    for earlier in sorted(before, key=lambda each: -each.sequence):
        if changed := _changed(rule, stores.manifest(earlier.digest), now):
            return len(windows), changed
        if earlier.status == "admitted" and earlier.window != row.window:
            windows.add(earlier.window)
        if len(windows) == rule.probation:
            break
    return len(windows), ()


def _changed(rule: SourcesRule, before: Manifest, now: Manifest) -> tuple[str, ...]:
    return tuple(
        name
        for name in rule.review_again
        if before.provenance.get(name, "") != now.provenance.get(name, "")
    )

"""Where rows came from and where they went, for people, auditors and lineage tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.gate import lineage, questions, registry, releases
from credenza.gate.completeness import completeness
from credenza.gate.told import told

if TYPE_CHECKING:
    from credenza.gate.completeness import Completeness
    from credenza.gate.lineage import Ancestry, Descent, Trace
    from credenza.gate.stores import Stores


class Lineage:
    """From rows to batches and senders, and on to versions, releases and models."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def of(
        self,
        *,
        row: tuple[str, int | None, int] | None = None,
        batch: str = "",
        source: str = "",
        version: tuple[str, int | None] | None = None,
        release: str = "",
        model: str = "",
    ) -> list[Trace] | list[Descent] | list[Ancestry]:
        """Where something came from, or where it went; of several, name one.

        Args:
            row: dataset, version (None: the newest) and position in it.
            batch: digest or its first digits.
            source: a sender's name; one answer per dataset.
            version: dataset and version (None: the newest).
            release: digest or its first digits.
            model: digest of a model that was reported, its first digits, or its run.
        """
        if row is not None:
            found = questions.version(self._stores, *row[:2])
            return [lineage.of_row(self._stores, found.dataset, found.number, row[2])]
        if version is not None:
            found = questions.version(self._stores, *version)
            return [lineage.of_version(self._stores, found.dataset, found.number)]
        if batch:
            return [lineage.of_batch(self._stores, questions.batch_row(self._stores, batch))]
        if release:
            made = releases.release_named(self._stores, release)
            return [lineage.of_release(self._stores, made)]
        if model:
            return [lineage.of_model(self._stores, model)]
        registry.roster(self._stores).source(source)
        return lineage.of_source(self._stores, source)

    def told(self, since: int = 0) -> list[tuple[int, bytes]]:
        """OpenLineage events of submissions, verdicts and versions, by their ledger entries."""
        return list(told(self._stores, since))

    def completeness(self, dataset: str, version: int | None = None) -> Completeness:
        """How many rows of a version lead back to signed bytes and a verdict, counted."""
        found = questions.version(self._stores, dataset, version)
        return completeness(self._stores, dataset, found.number)

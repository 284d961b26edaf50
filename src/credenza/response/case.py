"""The rows in question, what they can be compared with, and what a validator answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from credenza.core.errors import UsageError
from credenza.gate.fitting import reference_for
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from credenza.core.catalog import Catalog
    from credenza.core.protocols import Detector
    from credenza.core.types import Finding, Silence, Strings
    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores

SURE = 0.01
"""A validator takes sides when chance would bring about as much in 1 of 100."""


class Answer(StrEnum):
    """What an independent look says of a suspicion."""

    SUPPORTS = "supports"
    CONTRADICTS = "contradicts"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Case:
    """Batches under suspicion.

    Attributes:
        batches: they, in the order of the ledger.
        table: their rows, one batch after the other.
        source: ``(n,)`` sender of each row.
        peers: rows of the other batches of their windows that are not rejected.
        peer_source: ``(m,)`` their senders.
        reference: trusted rows and a model of others; None before there are any.
        originals: the files of each batch as they were signed, by batch and name.
        detectors: those that can be asked, by name.
    """

    dataset: str
    label: str
    batches: tuple[BatchRow, ...]
    table: pa.Table
    source: Strings
    peers: pa.Table
    peer_source: Strings
    reference: Reference | None
    policy: Policy
    originals: Mapping[str, Mapping[str, Path]]
    detectors: Catalog[Detector]

    def trusted(self) -> Reference:
        """The reference.

        Raises:
            UsageError: there is none yet.
        """
        if self.reference is None or not self.reference.trusted.num_rows:
            raise UsageError(
                "no-reference",
                f"{self.dataset!r} has no trusted rows to compare with yet",
                why="the first windows, which the policy vouches for, are not all settled",
                fix="settle them, or use a validator that needs none",
            )
        return self.reference


@dataclass(frozen=True, slots=True)
class Validation:
    """One validator's answer, with what it rests on.

    Attributes:
        sentence: generated from ``exhibits``.
    """

    validator: str
    answer: Answer
    sentence: str
    exhibits: Mapping[str, object] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    silences: tuple[Silence, ...] = ()


class Validator(Protocol):
    """Looks at suspects by means that did not raise the suspicion."""

    @property
    def name(self) -> str:
        """Hyphenated, unique among validators."""
        ...

    def validate(self, case: Case) -> Validation:
        """Its answer; the same for the same case and parameters.

        Raises:
            UsageError: it cannot look at this case, with the reason.
        """
        ...


def case_of(stores: Stores, policy: Policy, batches: Sequence[BatchRow]) -> Case:
    """Everything a validator may look at.

    Raises:
        UsageError: no batch, or batches of several datasets.
    """
    if not batches or len({row.dataset for row in batches}) > 1:
        raise UsageError(
            "bad-case",
            "a validator looks at batches of one dataset",
            why="batches of none, or of several, were named",
            fix="name at least one",
        )
    dataset, digests = batches[0].dataset, {row.digest for row in batches}
    with stores.journal.catalog.snapshot() as index:
        beside = [
            row
            for window in sorted({row.window for row in batches})
            for row in index.find(BatchRow, dataset=dataset, window=window)
            if row.digest not in digests and row.status != "rejected"
        ]
    table, source = _together(stores, batches)
    peers, peer_source = _together(stores, beside) if beside else (table.slice(0, 0), source[:0])
    return Case(
        dataset=dataset,
        label=str(stores.submission(batches[0])["label"]),
        batches=tuple(batches),
        table=table,
        source=source,
        peers=peers,
        peer_source=peer_source,
        reference=reference_for(stores, dataset, policy.window),
        policy=policy,
        originals={row.digest: _originals(stores, row) for row in batches},
        detectors=stores.detectors(),
    )


def _together(stores: Stores, rows: Sequence[BatchRow]) -> tuple[pa.Table, Strings]:
    table = pa.concat_tables([stores.table(row) for row in rows])
    source = np.array([row.source for row in rows for _ in range(row.records)], dtype=object)
    return table, source


def _originals(stores: Stores, row: BatchRow) -> dict[str, Path]:
    """The batch's files in the content store, by the names they were signed under."""
    files = stores.manifest(row.digest).files
    return {file.name: stores.journal.blobs.path(file.sha256) for file in files}

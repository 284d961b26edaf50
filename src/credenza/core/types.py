"""The nouns: frozen, slotted, no I/O. Nouns never call.

Arrow and NumPy are named for type checkers only, so that importing the nouns
costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Floats: TypeAlias = npt.NDArray[np.float64]
    Bools: TypeAlias = npt.NDArray[np.bool_]
    Ints: TypeAlias = npt.NDArray[np.int64]
    Strings: TypeAlias = npt.NDArray[np.object_]


class Standing(StrEnum):
    """How far a source is trusted at the moment."""

    ACTIVE = "active"
    FROZEN = "frozen"
    REVOKED = "revoked"


class Outcome(IntEnum):
    """What happens to a batch; ordered, so that the worst reason wins by ``max``."""

    ADMIT = 0
    HOLD = 1
    QUARANTINE = 2
    REJECT = 3


class Unit(StrEnum):
    """What a finding is about."""

    ROW = "row"
    GROUP = "group"
    BATCH = "batch"
    SOURCE = "source"
    CAMPAIGN = "campaign"


class Role(StrEnum):
    """What a column is for."""

    NUMBER = "number"
    CATEGORY = "category"
    TEXT = "text"
    IMAGE = "image"
    EMBEDDING = "embedding"
    USER = "user"
    ITEM = "item"
    RATING = "rating"
    LABEL = "label"
    SOURCE = "source"
    TIME = "time"
    ID = "id"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one submission, enforced before and while it is parsed."""

    file_bytes: int = 2 * 2**30
    decoded_bytes: int = 4 * 2**30
    rows: int = 20_000_000
    columns: int = 2_000
    depth: int = 8
    files: int = 64
    memory_bytes: int = 8 * 2**30
    cpu_s: int = 600


@dataclass(frozen=True, slots=True)
class Source:
    """A registered sender.

    Attributes:
        id: lower-case name, unique in the workspace.
        keys: Ed25519 public keys as 64 hex digits, by distinct key *material*; none when
            the key ring delegates nothing to it.
        group: sources of one declared group count once in every campaign test.
        standing: frozen and revoked sources submit nothing.
        limits: bounds on each of its submissions.
        threshold: how many of its keys must sign a batch.
        datasets: those it may send to; None for any.
        until_s: when its keys lapse, in seconds since the epoch; None for never.
    """

    id: str
    keys: tuple[str, ...]
    group: str = ""
    standing: Standing = Standing.ACTIVE
    limits: Limits = field(default_factory=Limits)
    threshold: int = 1
    datasets: tuple[str, ...] | None = None
    until_s: int | None = None


@dataclass(frozen=True, slots=True)
class FileDigest:
    """One file of a submission: its plain name, SHA-256 in hex, and size in bytes."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a source signs about one batch. Integers and strings only, no floats.

    Attributes:
        sequence: 1, 2, 3, … per source and dataset.
        previous: digest of the source's batch before this one; "" for the first.
        row_root: identity of the rows, independent of the file format.
        schema_digest: identity of the logical schema.
        collected: start and end of collection, ISO 8601 UTC, end exclusive.
        provenance: Data & Trust Alliance fields that apply, by their names.
    """

    dataset: str
    source: str
    sequence: int
    previous: str
    files: tuple[FileDigest, ...]
    records: int
    row_root: str
    schema_digest: str
    collected: tuple[str, str]
    label: str = ""
    licence: str = ""
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Batch:
    """A manifest and the exact signed bytes it was read from.

    Attributes:
        digest: SHA-256 of ``envelope`` in hex: the batch's name everywhere.
        keyids: the keys that signed, each as SHA-256 of its raw bytes in hex.
    """

    digest: str
    manifest: Manifest
    envelope: bytes
    keyids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Rows as the detectors see them: those under test, beside trusted ones.

    A scan of one file and a window in the gate are the same thing here: rows, of
    which some may be known to come from admitted data.

    Attributes:
        name: batch digest, or a name for a scan.
        table: ``n`` rows.
        label: the label's column, or "" when the rows have none.
        facets: role of each column that detectors may read; no other is read.
        source: ``(n,)`` source id of each row; all equal when unknown.
        trusted: ``(n,)`` True where the row comes from admitted data.
        classes: the label values, in the order of the columns of ``expected``.
        expected: ``(n, len(classes))`` label probabilities by a model that was
            fitted on trusted rows outside this view, or None.
        is_out_of_fold: ``expected`` was fitted within this view instead, every row
            outside its own fold: poison that is in several folds was partly learnt.
    """

    name: str
    table: pa.Table
    label: str
    facets: Mapping[str, Role]
    source: Strings
    trusted: Bools
    classes: tuple[str, ...] = ()
    expected: Floats | None = None
    is_out_of_fold: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A piece of evidence that a person can judge.

    Attributes:
        detector: the part that speaks.
        subjects: ids of what it is about (row numbers, batch digests, sources, …).
        p_value: against trusted data; never below 1 / (trusted + 1) for rows.
        sentence: generated from ``exhibits``.
        exhibits: the table behind the sentence; JSON scalars, lists and dicts.
        rows: positions in the view of the rows concerned.
        names_rows: every one of ``rows`` is meant, as the carriers of a trigger are: they
            are flagged on the strength of the finding. Otherwise rows are tested inside.
    """

    detector: str
    unit: Unit
    subjects: tuple[str, ...]
    p_value: float
    sentence: str
    exhibits: Mapping[str, object] = field(default_factory=dict)
    rows: tuple[int, ...] = ()
    names_rows: bool = False


@dataclass(frozen=True, slots=True)
class Silence:
    """What could not be assessed, and why. Silence is evidence: it holds."""

    detector: str
    reason: str


@dataclass(frozen=True, slots=True)
class Scores:
    """A detector's answer: ``(n,)`` suspicion per row of the view, higher is worse.

    Attributes:
        values: finite float64.
        findings: group findings (a named trigger and its carriers), if any.
        is_evidence: ``values`` are -log10 of p-values under the detector's own null, 0
            where it has nothing to say: they count as they are where no trusted rows
            can calibrate them. Other values count by their rank.
    """

    values: Floats
    findings: tuple[Finding, ...] = ()
    is_evidence: bool = False


@dataclass(frozen=True, slots=True)
class Campaign:
    """Sources that move together in one window.

    Attributes:
        sources: named: removing any one of them weakens the claim.
        suspected: moved the same way, but not enough to be named.
        direction: "up" or "down".
        window: start of the window, ISO date.
        removed_common_cause: shift shared by the honest sources, in standard units.
        evidence: per source before/after and the score without it.
    """

    sources: tuple[str, ...]
    suspected: tuple[str, ...]
    batches: tuple[str, ...]
    statistic: str
    direction: str
    window: str
    p_value: float
    removed_common_cause: float
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reason:
    """One rule's contribution to a verdict."""

    rule: str
    outcome: Outcome
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policy says of one batch.

    Attributes:
        policy: digest of the policy that spoke.
        quarantined_rows: positions in the batch that stay out when it is admitted.
    """

    batch: str
    outcome: Outcome
    reasons: tuple[Reason, ...]
    policy: str
    quarantined_rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a dataset; versions are never changed, only followed."""

    dataset: str
    number: int
    rows: int
    batches: tuple[str, ...]
    rationale: str
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """A signed, exact file set made from one version."""

    digest: str
    dataset: str
    version: int
    files: tuple[FileDigest, ...]
    rows: int
    batches: tuple[str, ...]
    policy: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A leaf of the ledger.

    Attributes:
        index: its position, from 0.
        kind: "source", "submission", "verdict", "decision", "version", …
        digest: SHA-256 of the content, which lies in the content store.
        time_s: seconds since the epoch, as the operator says.
    """

    index: int
    kind: str
    digest: str
    time_s: int

"""What the SQL catalog holds: a frozen row for each kind of thing, and a table for each row."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

from sqlalchemy import BigInteger, Column, Dialect, Index, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

from credenza.core.canonical import canonical_json, strict_json
from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A ledger entry."""

    index: int
    kind: str
    digest: str
    time_s: int


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A submitted batch and how far it got.

    Attributes:
        window: start of its window, ISO date.
        status: a word of the gate, such as "waiting" or "admitted".
        outcome: name of its verdict's outcome, "" before there is one.
        submitted_index: ledger index of the submission.
        verdict_index: ledger index of the gate's verdict; a reviewer's decision leaves it.
        reasons: JSON text.
        version: number of the dataset version that holds its rows.
        quarantined_rows: how many of its rows stayed out.
        decided_index: ledger index of the newest decision, which says what is still open.
        bytes: of its files.
        settled_index: ledger index of the settlement in which it was judged.
    """

    digest: str
    dataset: str
    source: str
    sequence: int
    window: str
    status: str
    records: int
    submitted_index: int
    outcome: str = ""
    verdict_index: int | None = None
    reasons: str = "[]"
    version: int | None = None
    quarantined_rows: int = 0
    decided_index: int | None = None
    bytes: int = 0
    settled_index: int | None = None


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A dataset version.

    Attributes:
        rows: rows it holds in all.
        batches: digests of the batches that it *added*; so a row's size does not grow
            with the history.
        parent: number of the version it continues; for a rollback the restored one.
        removed: digests of the batches that it took out whole.
        intent: digest of the event that asked for it.
        excises: 1 when it took rows out.
    """

    dataset: str
    number: int
    rows: int
    rationale: str
    batches: tuple[str, ...] = ()
    parent: int | None = None
    removed: tuple[str, ...] = ()
    intent: str = ""
    excises: int = 0


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release; ``reason`` says why, when its standing is not good."""

    digest: str
    dataset: str
    version: int
    standing: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A settled window and the digest of the campaign state it left behind."""

    dataset: str
    window: str
    settled_index: int
    state: str


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The newest accepted submission of a source to a dataset."""

    dataset: str
    source: str
    sequence: int
    digest: str


@dataclass(frozen=True, slots=True)
class WatchRow:
    """A source whose batches wait for a person; ``since`` "" ends it.

    Attributes:
        since: window of the campaign, or day from which it was held for an incident.
        until: last window, by its start, in which they wait; "" until a person decides.
        incident: for which it is held until closed, "" for none; several with commas between.
        recovery: by which it was held, "" for none.
    """

    dataset: str
    source: str
    since: str
    until: str = ""
    incident: str = ""
    recovery: str = ""


@dataclass(frozen=True, slots=True)
class IntentRow:
    """A recorded change of a dataset: ``done`` is 1 once its version is recorded too.

    Attributes:
        digest: of the event that asks for the change.
    """

    digest: str
    dataset: str
    kind: str
    index: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class ExcisedRow:
    """Rows of a batch that were taken out after they had been admitted.

    Attributes:
        rows: JSON text, a list of half-open ranges; "[]" once they were reinstated.
    """

    batch: str
    dataset: str
    rows: str


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """A move of a channel; the newest one is where it points.

    Attributes:
        index: ledger index of the move.
        version: None when the channel was emptied.
        release: digest, "" when it points to a version that was not released.
        previous: ledger index of the move that this one can be rolled back to.
    """

    dataset: str
    channel: str
    index: int
    version: int | None
    release: str
    previous: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class TrainingRunRow:
    """A training run, what it verified and what came out.

    Attributes:
        model: SHA-256 of the model, in hex.
        releases: digests of the releases it was trained on.
        bases: digests of the models it started from.
        index: ledger index.
    """

    run: str
    model: str
    releases: tuple[str, ...]
    bases: tuple[str, ...]
    index: int


@dataclass(frozen=True, slots=True)
class RecoveryRow:
    """A recovery that was begun: digest of its plan, and where the plan is recorded."""

    plan: str
    dataset: str
    index: int


@dataclass(frozen=True, slots=True)
class RecoveryStepRow:
    """A finished step of a recovery, by its place in the plan."""

    plan: str
    place: int
    index: int


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to publish to a dataset.

    Attributes:
        token: one higher at each acquisition, so an owner that was overtaken can tell.
        until_ms: milliseconds since the epoch.
    """

    dataset: str
    owner: str
    token: int
    until_ms: int


class _Words(TypeDecorator[tuple[str, ...]]):
    """A tuple of strings as canonical JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str:  # noqa: ARG002 - SQLAlchemy's signature
        return canonical_json(list(value or ())).decode("utf-8")

    def process_result_value(self, value: Any | None, dialect: Dialect) -> tuple[str, ...]:  # noqa: ARG002, ANN401 - SQLAlchemy's signature
        words = strict_json(str(value).encode("utf-8"))
        return tuple(str(word) for word in words) if isinstance(words, list) else ()


_TYPES: Mapping[object, Callable[[], Any]] = {
    int: BigInteger,
    int | None: BigInteger,
    str: Text,
    tuple[str, ...]: _Words,
}
METADATA = MetaData()


def _table(name: str, kind: type, key: tuple[str, ...], *indexed: tuple[str, ...]) -> Table:
    """A table with a column for each field of ``kind``; names are quoted, some are SQL words."""
    hints = get_type_hints(kind)
    columns: list[Any] = [
        Column(
            field.name,
            _TYPES[hints[field.name]](),
            primary_key=field.name in key,
            autoincrement=False,
            nullable=hints[field.name] == (int | None),
            quote=True,
        )
        for field in dataclasses.fields(kind)
    ]
    return Table(
        name,
        METADATA,
        *columns,
        *(Index(f"{name}_by_{'_'.join(names)}", *names) for names in indexed),
        quote=True,
    )


TABLES: Mapping[type[Any], Table] = {
    EntryRow: _table("entry", EntryRow, ("index",), ("kind",)),
    BatchRow: _table(
        "batch",
        BatchRow,
        ("digest",),
        ("dataset", "window"),
        ("dataset", "source", "sequence"),
        ("dataset", "source", "status"),
        ("status",),
    ),
    VersionRow: _table("version", VersionRow, ("dataset", "number")),
    ReleaseRow: _table("release", ReleaseRow, ("digest",), ("dataset", "version")),
    WindowRow: _table("window", WindowRow, ("dataset", "window")),
    HeadRow: _table("head", HeadRow, ("dataset", "source")),
    WatchRow: _table("watch", WatchRow, ("dataset", "source")),
    IntentRow: _table("intent", IntentRow, ("digest",), ("done",)),
    ExcisedRow: _table("excised", ExcisedRow, ("batch",), ("dataset",)),
    ChannelRow: _table("channel", ChannelRow, ("dataset", "channel", "index")),
    TrainingRunRow: _table("training_run", TrainingRunRow, ("run",), ("model",)),
    RecoveryRow: _table("recovery", RecoveryRow, ("plan",)),
    RecoveryStepRow: _table("recovery_step", RecoveryStepRow, ("plan", "place")),
}
LEASE = _table("lease", Lease, ("dataset",))


def table_of(kind: type) -> Table:
    """The table whose rows are of that kind.

    Raises:
        UsageError: there is none.
    """
    try:
        return TABLES[kind]
    except KeyError:
        known = ", ".join(sorted(each.__name__ for each in TABLES))
        raise UsageError(
            "no-such-table",
            f"the catalog has no {kind.__name__}",
            why=f"it has: {known}",
            fix="ask for one of these",
        ) from None


def values_of(row: Any) -> dict[str, Any]:  # noqa: ANN401 - a row of any kind
    """The row's fields by name."""
    return {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}

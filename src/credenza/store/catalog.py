"""The SQL catalog: an index of the ledger that can be dropped and rebuilt from it.

Nothing is true because it stands here. Rows are plain values; the gate turns ledger
entries into rows, and ``dump`` shows that a rebuilt catalog equals the old one. Only the
leases are not in the ledger: they say who publishes right now.
"""

from __future__ import annotations

import dataclasses
import time
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from credenza.core.canonical import Json, canonical_json
from credenza.core.errors import ConflictError, UsageError
from credenza.store.database import engine_of, make_tables, translated
from credenza.store.rows import LEASE, TABLES, EntryRow, Lease, table_of, values_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy.engine import Connection

R = TypeVar("R")

_UPSERTS: Mapping[str, Callable[[Table], Any]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}
_READ_ONLY: Mapping[str, Mapping[str, Any]] = {
    "sqlite": {"credenza_read_only": True},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


@dataclasses.dataclass(frozen=True, slots=True)
class Between:
    """In place of a value to equal: from ``low`` on, and before ``below``."""

    low: object
    below: object


class Transaction:
    """Reads and writes that happen together; made by ``Catalog.transaction``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def upsert(self, *rows: object) -> None:
        """Write rows of any kinds; a row with a known key replaces the one before."""
        by_kind: dict[type, list[object]] = {}
        for row in rows:
            by_kind.setdefault(type(row), []).append(row)
        for kind, group in by_kind.items():
            statement = _upsert(kind, self._connection.dialect.name)
            self._connection.execute(statement, [values_of(row) for row in group])

    def get(self, kind: type[R], /, *key: object) -> R | None:
        """The row with that primary key, in the order of the table, or None."""
        names = [column.name for column in table_of(kind).primary_key]
        found = self.find(kind, **dict(zip(names, key, strict=True)))
        return found[0] if found else None

    def find(self, kind: type[R], /, **equal: object) -> list[R]:
        """Rows whose fields equal what is given, by primary key.

        A list means any of, ``Between`` a range.
        """
        table = table_of(kind)
        wanted = [_condition(table, name, value) for name, value in equal.items()]
        statement = select(table).where(*wanted).order_by(*table.primary_key)
        return [kind(*row) for row in self._connection.execute(statement)]

    def count(self, kind: type, /, **equal: object) -> int:
        """How many rows ``find`` would return."""
        table = table_of(kind)
        wanted = [_condition(table, name, value) for name, value in equal.items()]
        statement = select(func.count()).select_from(table).where(*wanted)
        return int(self._connection.execute(statement).scalar_one())

    def total(self, kind: type, of: str, by: str, /, **equal: object) -> dict[str, int]:
        """Sum of column ``of`` over the rows that ``find`` would return, by column ``by``."""
        table = table_of(kind)
        wanted = [_condition(table, name, value) for name, value in equal.items()]
        statement = select(table.c[by], func.sum(table.c[of])).where(*wanted).group_by(table.c[by])
        return {str(name): int(sum_) for name, sum_ in self._connection.execute(statement)}

    def oldest(self, kind: type[R], many: int, by: str, /, **equal: object) -> list[R]:
        """At most ``many`` of the rows that ``find`` would return, lowest in ``by`` first."""
        return self._first(kind, many, table_of(kind).c[by], equal)

    def latest(self, kind: type[R], many: int, by: str, /, **equal: object) -> list[R]:
        """At most ``many`` of the rows that ``find`` would return, highest in ``by`` first."""
        return self._first(kind, many, table_of(kind).c[by].desc(), equal)

    def _first(
        self, kind: type[R], many: int, order: ColumnElement[Any], equal: Mapping[str, object]
    ) -> list[R]:
        table = table_of(kind)
        wanted = [_condition(table, name, value) for name, value in equal.items()]
        statement = select(table).where(*wanted).order_by(order).limit(many)
        return [kind(*row) for row in self._connection.execute(statement)]

    def newest(self, kind: type[R], /, by: str = "", **equal: object) -> R | None:
        """The row highest in column ``by`` among those ``find`` would return.

        By the primary key where no column is named, which is by age only if that grows.
        """
        table = table_of(kind)
        wanted = [_condition(table, name, value) for name, value in equal.items()]
        order = [column.desc() for column in ([table.c[by]] if by else table.primary_key)]
        row: Any = self._connection.execute(
            select(table).where(*wanted).order_by(*order).limit(1)
        ).first()
        return None if row is None else kind(*row)

    def clear(self, kind: type) -> None:
        """Drop every row of that kind."""
        self._connection.execute(delete(table_of(kind)))


class Catalog:
    """The index in SQLite (a file, by default) or PostgreSQL (by URL).

    SQLite runs with a write-ahead log and ``synchronous=FULL``, so a commit that
    returned is on the disk; one process writes at a time and the others wait
    ``BUSY_TIMEOUT_S``.

    Args:
        url: SQLAlchemy's, such as ``sqlite:///catalog.sqlite``.
        clock: seconds since the epoch; only leases read it.

    Raises:
        UsageError: the URL names no database that we support.
        ConflictError: the database cannot be opened.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._engine = engine_of(url)
        self._looking = _READ_ONLY[self._engine.dialect.name]
        self._held: Transaction | None = None
        with translated():
            make_tables(self._engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All that is written inside, or nothing of it.

        Raises:
            ConflictError: the database is busy, full or damaged.
        """
        with translated(), self._engine.begin() as connection:
            yield Transaction(connection)

    @contextmanager
    def snapshot(self) -> Iterator[Transaction]:
        """A consistent look that waits for no writer; what is written inside is refused.

        Raises:
            ConflictError: the database is damaged, or something was written.
        """
        if self._held is not None:
            with translated():
                yield self._held
            return
        with (
            translated(),
            self._engine.connect().execution_options(**self._looking) as connection,
        ):
            yield Transaction(connection)

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Every snapshot inside the block is the same one; for one thread, and for reading.

        What is written inside, by whomever, is seen after the block.
        """
        with self.snapshot() as rows:
            self._held = rows
            try:
                yield
            finally:
                self._held = None

    def entry_count(self) -> int:
        """How many ledger entries are indexed; entries are indexed in their order."""
        with self.snapshot() as rows:
            last = rows.newest(EntryRow)
        return 0 if last is None else last.index + 1

    def clear(self) -> None:
        """Drop every row that the ledger can bring back; leases stay."""
        with self.transaction() as rows:
            for kind in TABLES:
                rows.clear(kind)

    def dump(self) -> bytes:
        """Everything but the leases, as a line of canonical JSON for each row, in one order."""
        with self.snapshot() as rows:
            lines = [
                canonical_json([kind.__name__, *map(_json, values_of(row).values())]) + b"\n"
                for kind in TABLES
                for row in rows.find(kind)
            ]
        return b"".join(sorted(lines))

    @contextmanager
    def lease(self, dataset: str, owner: str, ttl_s: float) -> Iterator[Lease]:
        """Publish to ``dataset`` alone: others are refused until the block ends or ttl passes.

        The same owner may take its own lease again, so that a restart need not wait;
        an owner must therefore be one live process (the holder of the workspace's lock).
        Blind to an owner that sleeps past its ttl: call ``confirm`` before a commit.

        Raises:
            ConflictError: another owner holds it.
        """
        taken = self._take(dataset, owner, ttl_s)
        try:
            yield taken
        finally:
            self._set_until(taken, 0)

    def confirm(self, lease: Lease, ttl_s: float) -> Lease:
        """Extend a lease that is still ours.

        Raises:
            ConflictError: it ran out and another owner took it.
        """
        until_ms = self._now_ms() + int(ttl_s * 1000)
        if not self._set_until(lease, until_ms):
            raise ConflictError(
                "lease-lost",
                f"another publisher took over {lease.dataset!r}",
                why=f"the lease of {lease.owner!r} ran out",
                fix="run the command again; what was published is found and not repeated",
            )
        return dataclasses.replace(lease, until_ms=until_ms)

    def _take(self, dataset: str, owner: str, ttl_s: float) -> Lease:
        now_ms = self._now_ms()
        free = and_(
            LEASE.c.dataset == dataset,
            or_(LEASE.c.until_ms <= now_ms, LEASE.c.owner == owner),
        )
        changes = {
            "owner": owner,
            "token": LEASE.c.token + 1,
            "until_ms": now_ms + int(ttl_s * 1000),
        }
        never = values_of(Lease(dataset, "", 0, 0))
        with self.transaction() as rows:
            connection = rows._connection  # noqa: SLF001 - the two are one
            insert = _UPSERTS[connection.dialect.name](LEASE)
            connection.execute(insert.on_conflict_do_nothing(), never)
            taken = connection.execute(update(LEASE).where(free).values(changes)).rowcount
            lease = Lease(
                *connection.execute(select(LEASE).where(LEASE.c.dataset == dataset)).one()
            )
        if not taken:
            raise ConflictError(
                "dataset-leased",
                f"{dataset!r} is being published by {lease.owner!r}",
                why="one publisher at a time keeps a publication from happening twice",
                fix="try again when it is done",
            )
        return lease

    def _set_until(self, lease: Lease, until_ms: int) -> bool:
        ours = and_(LEASE.c.dataset == lease.dataset, LEASE.c.token == lease.token)
        with translated(), self._engine.begin() as connection:
            changed = connection.execute(update(LEASE).where(ours).values(until_ms=until_ms))
            return changed.rowcount == 1

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


@cache
def _upsert(kind: type, dialect: str) -> Any:  # noqa: ANN401 - each dialect has its own class
    """Insert or replace by key; kept, since building it costs more than running it."""
    table = table_of(kind)
    statement = _UPSERTS[dialect](table)
    keys = {column.name for column in table.primary_key}
    changed = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=sorted(keys), set_=changed)


def _condition(table: Table, name: str, value: object) -> ColumnElement[bool]:
    if name not in table.columns:
        raise UsageError(
            "no-such-column",
            f"a {table.name} has no {name!r}",
            why=f"it has: {', '.join(table.columns.keys())}",
            fix="ask by one of these",
        )
    column = table.columns[name]
    if isinstance(value, Between):
        return and_(column >= value.low, column < value.below)
    return column.in_(value) if isinstance(value, list) else column == value


def _json(value: Any) -> Json:  # noqa: ANN401 - a field of any row
    return list(value) if isinstance(value, tuple) else value

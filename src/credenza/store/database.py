"""The database under the catalog: how it is reached, and what its errors mean."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, event, inspect
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from credenza.core.errors import ConflictError, UsageError
from credenza.store.rows import METADATA, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine
    from sqlalchemy.engine import Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_S = 10
DIALECTS = frozenset({"sqlite", "postgresql"})


def engine_of(url: str) -> Engine:
    """What connects to the database at a URL, as ``Catalog`` needs it.

    Raises:
        UsageError: the URL names no database that we support.
    """
    try:
        engine = create_engine(url)
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as wrong:
        raise _bad_url(str(wrong)) from wrong
    if engine.dialect.name not in DIALECTS:
        raise _bad_url(f"{engine.dialect.name} is not supported")
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def make_tables(engine: Engine) -> None:
    """Tables as this version has them; an index that another version made is dropped.

    It comes back from the ledger when the workspace is opened.
    """
    METADATA.create_all(engine)
    lying = inspect(engine).get_multi_columns()
    columns = {name: {column["name"] for column in found} for (_, name), found in lying.items()}
    tables = list(TABLES.values())
    if any(columns[table.name] != set(table.columns.keys()) for table in tables):
        METADATA.drop_all(engine, tables=tables)
        METADATA.create_all(engine)


def _prepare_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    """Take transactions away from the driver, which would start them too late."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Writers queue when they begin: a reader that turns writer midway could only fail."""
    read_only = connection.get_execution_options().get("credenza_read_only", False)
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if read_only else 'OFF'}")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


@contextmanager
def translated() -> Iterator[None]:
    """Database errors as ours, with the driver's words as the cause."""
    try:
        yield
    except DBAPIError as wrong:
        cause = str(wrong.orig)
        if "locked" in cause or "busy" in cause:
            raise ConflictError(
                "catalog-busy",
                "another process writes the catalog",
                why=f"it did not finish within {BUSY_TIMEOUT_S} s",
                fix="try again when it is done",
            ) from wrong
        raise ConflictError(
            "catalog-unusable",
            "the catalog cannot be used",
            why=cause,
            fix="check the disk; if the file is damaged, delete it and run "
            "`credenza catalog rebuild`",
        ) from wrong


def _bad_url(why: str) -> UsageError:
    return UsageError(
        "bad-catalog-url",
        "the catalog's URL names no database that we can use",
        why=why,
        fix="use sqlite:///PATH, or postgresql+pg8000://… with credenza[postgres] installed",
    )

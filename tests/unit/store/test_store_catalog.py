from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from credenza.core.errors import ConflictError, UsageError
from credenza.store import database
from credenza.store.catalog import Between, Catalog
from credenza.store.rows import (
    TABLES,
    BatchRow,
    EntryRow,
    ReleaseRow,
    VersionRow,
    WindowRow,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = BatchRow(
    digest="a" * 64,
    dataset="flights",
    source="aa-jfk",
    sequence=1,
    window="2013-01-07",
    status="waiting",
    records=120,
    submitted_index=3,
)
EVERYTHING = (
    EntryRow(0, "source", "0" * 64, 1_700_000_000),
    EntryRow(1, "submission", "1" * 64, 1_700_000_001),
    BATCH,
    VersionRow("flights", 1, 120, "vetted history", ("a" * 64,)),
    ReleaseRow("d" * 64, "flights", 1, "good"),
    WindowRow("flights", "2013-01-07", 4, "e" * 64),
)


class Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.sqlite"


@pytest.fixture
def catalog(path: Path, clock: Clock) -> Iterator[Catalog]:
    opened = Catalog(f"sqlite:///{path}", clock=clock)
    yield opened
    opened.close()


def fill(catalog: Catalog, *rows: object) -> None:
    with catalog.transaction() as index:
        index.upsert(*rows)


def test_every_row_comes_back_as_it_was_written(catalog: Catalog) -> None:
    fill(catalog, *EVERYTHING)
    with catalog.snapshot() as index:
        found = {row for kind in TABLES for row in index.find(kind)}
    assert found == set(EVERYTHING)


def test_a_row_with_a_known_key_replaces_the_one_before(catalog: Catalog) -> None:
    fill(catalog, BATCH)
    admitted = replace(BATCH, status="admitted", outcome="ADMIT", verdict_index=9, version=2)
    fill(catalog, admitted)
    with catalog.snapshot() as index:
        assert index.find(BatchRow) == [admitted]


def test_rows_are_found_by_what_they_equal_in_the_order_of_their_keys(catalog: Catalog) -> None:
    others = [
        replace(BATCH, digest=f"{at:064x}", sequence=at, status="held" if at % 2 else "admitted")
        for at in range(5, 0, -1)
    ]
    fill(catalog, *others)
    with catalog.snapshot() as index:
        held = index.find(BatchRow, dataset="flights", status="held")
        assert [row.sequence for row in held] == [1, 3, 5]
        assert [row.sequence for row in index.find(BatchRow, sequence=[4, 2, 99])] == [2, 4]
        assert index.count(BatchRow, status="held") == 3
        assert index.get(BatchRow, f"{2:064x}") == others[3]
        assert index.get(BatchRow, "f" * 64) is None
        newest = index.newest(BatchRow, status="admitted")
        assert newest is not None
        assert newest.sequence == 4


def test_a_range_has_its_beginning_and_not_its_end(catalog: Catalog) -> None:
    windows = [WindowRow("flights", name, at, "") for at, name in enumerate("abcd")]
    fill(catalog, *windows)
    with catalog.snapshot() as index:
        assert index.find(WindowRow, window=Between("b", "d")) == windows[1:3]
        assert index.count(WindowRow, window=Between("d", "d")) == 0


def test_the_oldest_are_by_age_and_not_by_name(catalog: Catalog) -> None:
    windows = [WindowRow("flights", name, -at, "") for at, name in enumerate("abcd")]
    fill(catalog, *windows, WindowRow("trips", "a", -9, ""))
    with catalog.snapshot() as index:
        assert index.oldest(WindowRow, 2, "settled_index", dataset="flights") == windows[:1:-1]
        assert index.oldest(WindowRow, 9, "settled_index", dataset="trains") == []
        assert index.latest(WindowRow, 2, "settled_index", dataset="flights") == windows[:2]


def test_totals_are_of_the_rows_that_are_asked_for(catalog: Catalog) -> None:
    sent = [("ua", 10), ("ua", 5), ("dl", 7)]
    rows = [
        replace(BATCH, digest=f"{at:064x}", sequence=at, source=source, records=records)
        for at, (source, records) in enumerate(sent)
    ]
    fill(catalog, *rows, replace(BATCH, digest="e" * 64, dataset="trips", records=99))
    with catalog.snapshot() as index:
        assert index.total(BatchRow, "records", "source", dataset="flights") == {"dl": 7, "ua": 15}
        assert index.total(BatchRow, "records", "source", dataset="none") == {}


def test_a_key_of_two_parts_needs_both(catalog: Catalog) -> None:
    fill(catalog, *EVERYTHING)
    with catalog.snapshot() as index:
        assert index.get(VersionRow, "flights", 1) == EVERYTHING[3]
        with pytest.raises(ValueError, match="shorter"):  # a defect of whoever asks
            index.get(VersionRow, "flights")


def test_unknown_columns_and_tables_are_named_with_the_known_ones(catalog: Catalog) -> None:
    with catalog.snapshot() as index:
        with pytest.raises(UsageError, match="no 'colour'") as caught:
            index.find(BatchRow, colour="red")
        assert "records" in caught.value.why
        with pytest.raises(UsageError, match="no Path") as caught:
            index.find(Path)
        assert "BatchRow" in caught.value.why


def test_what_fails_halfway_leaves_nothing(catalog: Catalog) -> None:
    def half() -> None:
        with catalog.transaction() as index:
            index.upsert(BATCH)
            msg = "stop"
            raise RuntimeError(msg)

    with pytest.raises(RuntimeError, match="stop"):
        half()
    assert catalog.dump() == b""


def test_a_rebuilt_catalog_dumps_the_same_bytes_whatever_the_order(
    catalog: Catalog, tmp_path: Path
) -> None:
    fill(catalog, *EVERYTHING)
    other = Catalog(f"sqlite:///{tmp_path / 'other.sqlite'}")
    fill(other, *reversed(EVERYTHING))
    assert other.dump() == catalog.dump()
    fill(other, replace(BATCH, records=121))
    assert other.dump() != catalog.dump()
    other.close()


def test_clearing_leaves_no_row_but_keeps_the_lease(catalog: Catalog) -> None:
    fill(catalog, *EVERYTHING)
    with catalog.lease("flights", "one", 60):
        catalog.clear()
        assert catalog.dump() == b""
        with pytest.raises(ConflictError), catalog.lease("flights", "two", 60):
            pass


def test_the_number_of_indexed_entries_follows_the_last_index(catalog: Catalog) -> None:
    assert catalog.entry_count() == 0
    fill(catalog, *EVERYTHING)
    assert catalog.entry_count() == 2


def test_a_commit_is_seen_by_another_connection_and_after_reopening(
    catalog: Catalog, path: Path
) -> None:
    fill(catalog, *EVERYTHING)
    again = Catalog(f"sqlite:///{path}")
    assert again.dump() == catalog.dump()
    again.close()


def test_sqlite_waits_for_the_disk_and_lets_readers_pass(catalog: Catalog, path: Path) -> None:
    fill(catalog, *EVERYTHING)
    with catalog.transaction() as index:
        index.upsert(replace(BATCH, status="admitted"))
        mode = index._connection.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        synchronous = index._connection.exec_driver_sql("PRAGMA synchronous").scalar_one()
        assert (mode, synchronous) == ("wal", 2)
        with catalog.snapshot() as reader:
            assert reader.get(BatchRow, BATCH.digest) == BATCH
    assert path.exists()


def test_a_snapshot_cannot_write(catalog: Catalog) -> None:
    with pytest.raises(ConflictError) as caught, catalog.snapshot() as index:
        index.upsert(BATCH)
    assert "readonly" in caught.value.why
    fill(catalog, BATCH)


def test_what_is_held_is_of_one_moment_whatever_others_write(catalog: Catalog, path: Path) -> None:
    fill(catalog, BATCH)
    other = Catalog(f"sqlite:///{path}")
    with catalog.hold():
        before = catalog.dump()
        fill(other, replace(BATCH, status="admitted"))
        assert catalog.dump() == before
        with pytest.raises(ConflictError), catalog.snapshot() as index:
            index.upsert(BATCH)
    assert catalog.dump() == other.dump() != before
    other.close()


def test_a_hold_that_was_broken_off_holds_no_longer(catalog: Catalog) -> None:
    fill(catalog, BATCH)
    with pytest.raises(ZeroDivisionError), catalog.hold():
        1 / catalog.entry_count()
    fill(catalog, replace(BATCH, status="admitted"))
    with catalog.snapshot() as index:
        assert index.find(BatchRow, status="admitted")


def test_a_second_writer_is_told_that_the_first_is_busy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0)
    catalog = Catalog(f"sqlite:///{path}")
    with sqlite3.connect(path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ConflictError) as caught:
            fill(catalog, BATCH)
        other.execute("ROLLBACK")
    other.close()
    assert caught.value.code == "catalog-busy"
    fill(catalog, BATCH)
    catalog.close()


def test_a_damaged_catalog_says_how_to_make_it_anew(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 100)
    with pytest.raises(ConflictError) as caught:
        Catalog(f"sqlite:///{path}")
    assert caught.value.code == "catalog-unusable"
    assert "catalog rebuild" in caught.value.fix


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://x/y", "oracle://x/y", "no-such://x"])
def test_an_unfit_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        Catalog(url)
    assert caught.value.code == "bad-catalog-url"


def test_two_publishers_cannot_hold_one_dataset(catalog: Catalog) -> None:
    with catalog.lease("flights", "one", 60):
        with pytest.raises(ConflictError, match="'one'"), catalog.lease("flights", "two", 60):
            pass
        with catalog.lease("weather", "two", 60) as other:
            assert other.owner == "two"
    with catalog.lease("flights", "two", 60) as lease:
        assert lease.token == 2


def test_a_lease_is_free_again_when_its_time_is_over(catalog: Catalog, clock: Clock) -> None:
    with catalog.lease("flights", "one", 60) as first:
        clock.now += 61
        with catalog.lease("flights", "two", 60) as second:
            assert second.token > first.token
            with pytest.raises(ConflictError, match="took over"):
                catalog.confirm(first, 60)
            assert catalog.confirm(second, 60).until_ms > second.until_ms - 1


def test_the_end_of_an_overtaken_lease_does_not_free_the_new_one(
    catalog: Catalog, clock: Clock
) -> None:
    with catalog.lease("flights", "one", 60):
        clock.now += 61
        taken = catalog.lease("flights", "two", 600)
        taken.__enter__()
    with pytest.raises(ConflictError), catalog.lease("flights", "three", 60):
        pass
    taken.__exit__(None, None, None)


def test_a_confirmed_lease_lasts_longer(catalog: Catalog, clock: Clock) -> None:
    with catalog.lease("flights", "one", 60) as lease:
        clock.now += 50
        catalog.confirm(lease, 60)
        clock.now += 50
        with pytest.raises(ConflictError), catalog.lease("flights", "two", 60):
            pass


def test_a_restarted_owner_takes_its_own_lease_again(catalog: Catalog, path: Path) -> None:
    with catalog.lease("flights", "one", 60) as before:
        restarted = Catalog(f"sqlite:///{path}", clock=lambda: 1_700_000_001.0)
        with restarted.lease("flights", "one", 60) as after:
            assert after.token == before.token + 1
        restarted.close()


def test_postgresql_takes_the_same_tables() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in TABLES.values():
        assert f'"{table.name}"' in str(CreateTable(table).compile(dialect=dialect))


def test_an_index_that_an_older_version_made_is_dropped_and_made_anew(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    old = Catalog(url)
    with old.transaction() as rows:
        rows.upsert(EntryRow(0, "policy", "d" * 64, 1))
    old.close()
    with sqlite3.connect(tmp_path / "catalog.sqlite") as file:
        file.execute('ALTER TABLE "version" DROP COLUMN "intent"')
    new = Catalog(url)
    assert new.entry_count() == 0
    with new.transaction() as rows:
        rows.upsert(VersionRow("trips", 1, 4, "why", intent="i" * 64))
        assert rows.find(VersionRow)[0].intent == "i" * 64
    new.close()

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import lance
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.errors import ConflictError, InternalError, NotFoundError, UsageError
from credenza.datasets import versions
from credenza.datasets.checks import ID
from credenza.datasets.lineage_columns import with_lineage
from credenza.datasets.versions import LanceDatasets

if TYPE_CHECKING:
    from tests.unit.datasets.conftest import Publish, Rows


def rows_of(store: LanceDatasets, version: int | None = None) -> list[str]:
    """Rows as text, since NaN differs from itself."""
    read = store.read("flights", version)
    return [repr(row) for batch in read for row in batch.to_pylist()]


def folder(store: LanceDatasets) -> Path:
    return Path(store._uri("flights"))


def test_rows_come_back_in_their_order_with_nulls_and_nan(store: LanceDatasets, rows: Rows) -> None:
    first = store.publish("flights", rows(1), {ID: "w1"})
    second = store.publish("flights", rows(2), {ID: "w2"})
    assert (first, second) == (1, 2)
    both = [repr(row) for batch in (1, 2) for row in rows(batch).to_pylist()]
    assert rows_of(store) == both
    assert rows_of(store, 1) == both[:4]
    assert (store.count("flights"), store.count("flights", 1)) == (8, 4)


def test_a_dataset_nobody_published_to_is_empty_and_cannot_be_read(store: LanceDatasets) -> None:
    assert store.count("flights") == 0
    assert store.schema("flights") is None
    assert store.datasets() == ()
    with pytest.raises(NotFoundError, match="no dataset is called 'flights'"):
        list(store.read("flights"))


def test_publishing_the_same_id_twice_gives_the_same_version(
    store: LanceDatasets, rows: Rows
) -> None:
    assert store.publish("flights", rows(1), {ID: "w1"}) == 1
    assert store.publish("flights", rows(1), {ID: "w1"}) == 1
    assert store.count("flights") == 4


def test_an_id_is_remembered_however_long_ago_it_was(
    store: LanceDatasets, rows: Rows, publish: Publish
) -> None:
    publish(*range(1, 31))
    assert LanceDatasets(store._directory).publish("flights", rows(2), {ID: "window-2"}) == 2
    assert store.count("flights") == 120


def test_the_id_is_found_in_the_dataset_itself_when_the_shortcut_is_gone(
    store: LanceDatasets, rows: Rows, publish: Publish
) -> None:
    publish(1, 2, 3)
    shortcut = folder(store).with_suffix(".published")
    shortcut.unlink()
    assert store.publish("flights", rows(2), {ID: "window-2"}) == 2
    torn = shortcut.read_bytes()[:-9]
    shortcut.write_bytes(torn)
    assert store.publish("flights", rows(3), {ID: "window-3"}) == 3
    assert store.count("flights") == 12
    assert len(shortcut.read_bytes().splitlines()) == 3


def test_a_shortcut_of_an_earlier_dataset_of_that_name_is_not_believed(
    store: LanceDatasets, rows: Rows, publish: Publish
) -> None:
    publish(1, 2, 3)
    shutil.rmtree(folder(store))
    assert store.publish("flights", rows(3), {ID: "window-3"}) == 1
    assert store.count("flights") == 4


def test_lance_itself_would_commit_one_transaction_twice(
    store: LanceDatasets, rows: Rows, publish: Publish
) -> None:
    """The trap that ids are for; when Lance mends it, this test says so."""
    publish(1)
    before = store._newest("flights")
    staged = store._stage("flights", rows(2), before)
    store._commit("flights", staged, before)
    store._commit("flights", staged, before)
    assert store.count("flights") == 12


def test_a_crash_after_the_commit_is_found_finished(store: LanceDatasets, rows: Rows) -> None:
    """Everything but the acknowledgement and the shortcut's line has happened."""
    staged = store._stage("flights", rows(1), None)
    staged.transaction_properties = {ID: "w1"}
    store._commit("flights", staged, None)
    assert store.publish("flights", rows(1), {ID: "w1"}) == 1
    assert store.count("flights") == 4


def test_a_crash_before_the_commit_leaves_nothing_to_see(store: LanceDatasets, rows: Rows) -> None:
    store._stage("flights", rows(1), None)
    assert store.count("flights") == 0
    assert store.publish("flights", rows(1), {ID: "w1"}) == 1
    store._stage("flights", rows(2), store._newest("flights"))
    assert store.count("flights") == 4
    assert store.publish("flights", rows(2), {ID: "w2"}) == 2
    assert store.count("flights") == 8


def test_a_staged_file_that_vanished_is_never_committed(
    store: LanceDatasets, rows: Rows, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(1)
    write = lance.fragment.write_fragments

    def write_then_lose(*arguments: object, **options: object) -> object:
        staged = write(*arguments, **options)
        for fragment in staged.operation.fragments:
            for file in fragment.files:
                (folder(store) / "data" / file.path).unlink()
        return staged

    with monkeypatch.context() as broken:
        broken.setattr(versions, "write_fragments", write_then_lose)
        with pytest.raises(InternalError, match="cannot be read back"):
            store.publish("flights", rows(2), {ID: "w2"})
    assert store.count("flights") == 4
    assert store.publish("flights", rows(2), {ID: "w2"}) == 2


FULL_DISK = """
import pathlib, resource, signal, sys, pyarrow as pa
from credenza.core.errors import CredenzaError
from credenza.datasets.lineage_columns import with_lineage
from credenza.datasets.checks import ID
from credenza.datasets.versions import LanceDatasets
store = LanceDatasets(pathlib.Path(sys.argv[1]))
numbers = pa.array([row * row for row in range(100_000)])
table = with_lineage(pa.table({"a": numbers}), batch="0" * 64, source="s")
store.publish("flights", table.slice(0, 9), {ID: "w1"})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for limit in (100_000, 1_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        store.publish("flights", table, {ID: "w2"})
    except CredenzaError as wrong:
        print(wrong.code)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(store.count("flights"), store.publish("flights", table, {ID: "w2"}))
"""


def test_a_full_disk_changes_nothing_and_the_same_publication_works_later(
    store: LanceDatasets,
) -> None:
    """A limit on a file's size stands in for the disk; Lance notices it or leaves a stump."""
    command = [sys.executable, "-c", FULL_DISK, str(store._directory)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    first, second, counts = done.stdout.splitlines()
    assert first == "disk-full"
    assert second in {"disk-full", "unreadable-version"}
    assert counts == "9 2"
    assert store.count("flights") == 100_009


def test_a_version_whose_rows_were_lost_is_not_acknowledged_again(
    store: LanceDatasets, rows: Rows, publish: Publish
) -> None:
    publish(1)
    for path in (folder(store) / "data").iterdir():
        path.unlink()
    with pytest.raises(InternalError, match="cannot be read back"):
        store.publish("flights", rows(1), {ID: "window-1"})


def test_a_publisher_that_goes_around_us_is_noticed(
    store: LanceDatasets, rows: Rows, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lance rebases an append that lost a race; the row count shows it."""
    publish(1)
    commit = store._commit

    def after_another(dataset: str, change: object, before: object) -> int:
        lance.write_dataset(rows(9), str(folder(store)), mode="append")
        return commit(dataset, change, before)

    monkeypatch.setattr(store, "_commit", after_another)
    with pytest.raises(InternalError) as caught:
        store.publish("flights", rows(2), {ID: "w2"})
    assert "12 rows, not 8" in caught.value.why


PUBLISHER = """
import sys, pathlib, pyarrow as pa
from credenza.datasets.lineage_columns import with_lineage
from credenza.datasets.checks import ID
from credenza.datasets.versions import LanceDatasets
store = LanceDatasets(pathlib.Path(sys.argv[1]))
for number in range(1, int(sys.argv[2])):
    table = with_lineage(pa.table({"a": [number] * 3}), batch=f"{number:064x}", source="s")
    store.publish("flights", table, {ID: f"w{number}"})
    print(number, flush=True)
"""


def test_what_was_acknowledged_before_a_kill_is_there_once(store: LanceDatasets) -> None:
    command = [sys.executable, "-c", PUBLISHER, str(store._directory)]
    acknowledged = 0
    for wanted in (1, 5):
        with subprocess.Popen([*command, "10000"], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line in process.stdout:
                acknowledged = max(acknowledged, int(line))
                if int(line) >= wanted:
                    break
            os.kill(process.pid, signal.SIGKILL)
    subprocess.run([*command, str(acknowledged + 4)], check=True, capture_output=True)
    found = sorted(row["a"] for batch in store.read("flights") for row in batch.to_pylist())
    last = found[-1]
    assert last >= acknowledged
    assert found == [number for number in range(1, last + 1) for _ in range(3)]


def test_two_processes_that_publish_the_same_batches_publish_them_once(
    store: LanceDatasets,
) -> None:
    command = [sys.executable, "-c", PUBLISHER, str(store._directory), "9"]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert store.count("flights") == 24


def test_a_rollback_is_a_new_version_and_loses_nothing(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(1, 2, 3)
    before = rows_of(store, 3)
    assert store.restore("flights", 1, {ID: "rollback-1"}) == 4
    assert rows_of(store) == rows_of(store, 1)
    assert rows_of(store, 3) == before
    assert publish(4) == 5
    assert store.count("flights") == 8


def test_a_rollback_happens_once(store: LanceDatasets, publish: Publish) -> None:
    publish(1, 2)
    assert store.restore("flights", 1, {ID: "rollback-1"}) == 3
    publish(3)
    assert store.restore("flights", 1, {ID: "rollback-1"}) == 3
    assert store.count("flights") == 8


def test_a_rolled_back_publication_is_not_repeated_under_its_old_id(
    store: LanceDatasets, rows: Rows, publish: Publish
) -> None:
    publish(1, 2)
    store.restore("flights", 1, {ID: "rollback-1"})
    assert store.publish("flights", rows(2), {ID: "window-2"}) == 2
    assert store.count("flights") == 4
    assert store.publish("flights", rows(2), {ID: "window-2-again"}) == 4


def test_the_log_tells_number_rows_and_properties_of_every_version(
    store: LanceDatasets, rows: Rows
) -> None:
    store.publish("flights", rows(1), {ID: "w1", "credenza.batches": "a b"})
    store.publish("flights", rows(2, 7), {ID: "w2"})
    store.restore("flights", 1, {ID: "back"})
    log = store.log("flights")
    assert [(each.number, each.rows) for each in log] == [(1, 4), (2, 11), (3, 4)]
    assert [each.properties[ID] for each in log] == ["w1", "w2", "back"]
    assert log[0].properties["credenza.batches"] == "a b"
    written = folder(store).stat().st_mtime
    assert abs(log[-1].time_s - written) < 60


def test_a_checkout_is_the_version_as_parquet(
    store: LanceDatasets, publish: Publish, tmp_path: Path
) -> None:
    publish(1, 2)
    out = tmp_path / "out"
    parts = store.checkout("flights", 1, out)
    assert [path.name for path in out.iterdir()] == [parts[0].file.name] == ["part-00000.parquet"]
    assert list(map(repr, pq.read_table(out).to_pylist())) == rows_of(store, 1)
    with pytest.raises(ConflictError, match="already exists"):
        store.checkout("flights", 2, out)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["datasets", "out"]


def test_a_checkout_that_fails_leaves_no_directory(
    store: LanceDatasets, publish: Publish, tmp_path: Path
) -> None:
    publish(1)
    for path in (folder(store) / "data").iterdir():
        path.unlink()
    with pytest.raises((OSError, ValueError)):
        store.checkout("flights", 1, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["datasets"]


def test_rows_are_taken_by_position(store: LanceDatasets, publish: Publish) -> None:
    publish(1, 2)
    taken = store.take("flights", [7, 0, 4], columns=["_batch", "_row"])
    assert taken["_row"].to_pylist() == [3, 0, 0]
    assert [int(digest, 16) for digest in taken["_batch"].to_pylist()] == [2, 1, 2]
    with pytest.raises(NotFoundError, match="no row 8"):
        store.take("flights", [1, 8])
    with pytest.raises(NotFoundError, match="no row 4"):
        store.take("flights", [4], version=1)


def test_a_changed_schema_is_refused_with_what_changed(store: LanceDatasets, rows: Rows) -> None:
    table = rows(1)
    store.publish("flights", table, {ID: "w1"})
    changed = table.drop(["late"]).append_column("colour", pa.array(["red"] * 4))
    with pytest.raises(UsageError) as caught:
        store.publish("flights", changed, {ID: "w2"})
    assert caught.value.code == "schema-changed"
    assert caught.value.why == "'colour' is new; 'late' is missing"
    retyped = table.set_column(2, "late", pa.array(["yes"] * 4))
    with pytest.raises(UsageError) as caught:
        store.publish("flights", retyped, {ID: "w3"})
    assert caught.value.why == "'late' is string and was int64"
    twice = table.append_column("late", table["late"])
    with pytest.raises(UsageError) as caught:
        store.publish("flights", twice, {ID: "w4"})
    assert caught.value.why == "a column comes twice"
    assert store.count("flights") == 4


def test_columns_in_another_order_are_the_same_schema(store: LanceDatasets, rows: Rows) -> None:
    table = rows(1)
    store.publish("flights", table, {ID: "w1"})
    turned = rows(2).select(list(reversed(table.column_names)))
    assert store.publish("flights", turned, {ID: "w2"}) == 2
    assert rows_of(store)[4:] == [repr(row) for row in rows(2).to_pylist()]


def test_rows_without_whole_lineage_are_refused(store: LanceDatasets, rows: Rows) -> None:
    table = rows(1)
    holed = table.drop(["_source"]).append_column("_source", pa.array(["a", None, "a", "a"]))
    retyped = table.drop(["_row"]).append_column("_row", pa.array([0, 1, 2, 3], pa.int32()))
    for bad in (table.drop(["_batch"]), holed, retyped):
        with pytest.raises(UsageError) as caught:
            store.publish("flights", bad, {ID: "w1"})
        assert caught.value.code == "no-lineage"


def test_a_publication_without_rows_is_a_version_too(store: LanceDatasets, rows: Rows) -> None:
    """All of a batch's rows may have been kept out; the gate must not get stuck on that."""
    nothing = rows(1).slice(0, 0)
    for _ in range(2):
        assert store.publish("flights", nothing, {ID: "w1"}) == 1
    assert store.publish("flights", rows(2), {ID: "w2"}) == 2
    assert store.publish("flights", nothing, {ID: "w3"}) == 3
    assert [each.rows for each in store.log("flights")] == [0, 4, 4]
    assert len(rows_of(store)) == 4


def test_a_publication_without_an_id_is_refused(store: LanceDatasets, rows: Rows) -> None:
    with pytest.raises(UsageError, match="no name"):
        store.publish("flights", rows(1), {"other": "w1"})
    with pytest.raises(UsageError, match="no name"):
        store.restore("flights", 1, {})


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "A", "a.lance", "-a", "a\n", "é", "x" * 65, "a\0"]
)
def test_a_name_that_could_leave_the_directory_is_refused(
    store: LanceDatasets, rows: Rows, name: str
) -> None:
    with pytest.raises(UsageError) as caught:
        store.publish(name, rows(1), {ID: "w1"})
    assert caught.value.code == "bad-dataset-name"


@pytest.mark.parametrize("number", [0, -1, 3])
def test_an_unknown_version_is_named_with_the_known_ones(
    store: LanceDatasets, publish: Publish, number: int
) -> None:
    publish(1, 2)
    with pytest.raises(NotFoundError) as caught:
        store.restore("flights", number, {ID: "back"})
    assert caught.value.why == "its versions are 1 to 2"


def test_an_append_writes_one_data_file_whatever_came_before(
    store: LanceDatasets, publish: Publish
) -> None:
    publish(*range(1, 20))
    data = folder(store) / "data"
    before = {path.name: path.stat().st_mtime_ns for path in data.iterdir()}
    publish(20)
    after = {path.name: path.stat().st_mtime_ns for path in data.iterdir()}
    assert len(after) == len(before) + 1
    assert before.items() <= after.items()


def test_the_file_format_is_pinned(store: LanceDatasets, publish: Publish) -> None:
    publish(1)
    assert lance.dataset(str(folder(store))).data_storage_version == versions.STORAGE_VERSION


def test_datasets_do_not_see_each_other(store: LanceDatasets, rows: Rows) -> None:
    store.publish("flights", rows(1), {ID: "w1"})
    other = with_lineage(pa.table({"text": ["hello"]}), batch="0" * 64, source="wiki")
    assert store.publish("pages", other, {ID: "w1"}) == 1
    assert store.datasets() == ("flights", "pages")
    assert (store.count("flights"), store.count("pages")) == (4, 1)

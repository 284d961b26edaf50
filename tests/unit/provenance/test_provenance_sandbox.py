from __future__ import annotations

import os
import select
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.errors import InternalError, UntrustedError
from credenza.core.types import Limits
from credenza.provenance.intake import zygote
from credenza.provenance.intake.sandbox import Sandbox, _answer, read_sandboxed
from credenza.provenance.intake.together import read_own

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 2**20


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


def _code(sandbox: Sandbox, path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(UntrustedError) as refusal:
        sandbox.read([path], limits or Limits())
    return refusal.value.code


def _table(folder: Path) -> Path:
    pq.write_table(pa.table({"n": [1, 2]}), folder / "two.parquet")
    return folder / "two.parquet"


def _bomb(path: Path, rows: int, width: int) -> Path:
    """One long text, repeated through a dictionary: a small file, however many rows."""
    text = pa.DictionaryArray.from_arrays(
        pa.array([0] * rows, pa.int32()), pa.array(["x" * width], pa.string())
    )
    pq.write_table(pa.table({"text": text}), path, compression="zstd")
    return path


def test_rows_come_back_as_they_were_written(sandbox: Sandbox, tmp_path: Path) -> None:
    table = pa.table({"n": [1, None, 3], "s": ["a", "", None], "l": [[1], None, []]})
    pq.write_table(table, tmp_path / "t.parquet")
    found = sandbox.read([tmp_path / "t.parquet"], Limits())
    assert found.to_pylist() == table.to_pylist()
    assert found.schema.metadata is None


def test_a_table_outlives_its_sandbox_and_its_file(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": list(range(1000))}), tmp_path / "t.parquet")
    with Sandbox() as brief:
        found = brief.read([tmp_path / "t.parquet"], Limits())
    (tmp_path / "t.parquet").unlink()
    assert found["n"].to_pylist() == list(range(1000))


def test_threat_i1_a_bomb_is_refused_by_what_it_decodes_to(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    bomb = _bomb(tmp_path / "b.parquet", rows=20_000, width=4_096)
    assert bomb.stat().st_size < 20_000
    with pytest.raises(UntrustedError) as refusal:
        sandbox.read([bomb], Limits(decoded_bytes=8 * MIB))
    assert refusal.value.code == "decoded-too-large"
    assert "more than 8388608" in refusal.value.why


def test_threat_i1_a_bomb_that_bursts_at_once_meets_the_memory_limit(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    bomb = _bomb(tmp_path / "b.parquet", rows=8_000, width=128 * 1024)
    refused = _code(sandbox, bomb, Limits(memory_bytes=192 * MIB))
    assert refused == "parser-limit"


def test_threat_i1_a_parser_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    slow = tmp_path / "slow.csv"
    slow.write_bytes(b"a,b,c\n" + b"1,2,some text\n" * 2_000_000)
    with Sandbox(wall_s=0.05) as hurried, pytest.raises(UntrustedError) as refusal:
        hurried.read([slow], Limits())
    assert refusal.value.code == "parser-limit"
    assert "wall-clock" in refusal.value.why


def test_one_refusal_leaves_the_sandbox_ready_for_the_next_file(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    bomb = _bomb(tmp_path / "b.parquet", rows=8_000, width=128 * 1024)
    pq.write_table(pa.table({"n": [1]}), tmp_path / "t.parquet")
    assert _code(sandbox, bomb, Limits(memory_bytes=192 * MIB)) == "parser-limit"
    assert len(sandbox.read([tmp_path / "t.parquet"], Limits())) == 1


def test_a_zygote_that_was_killed_is_replaced(tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "t.parquet")
    with Sandbox() as struck:
        struck.read([tmp_path / "t.parquet"], Limits())
        assert struck._process is not None
        assert struck._channel is not None
        os.killpg(struck._process.pid, signal.SIGKILL)
        select.select([struck._channel], [], [])  # until the last of them is gone
        assert len(struck.read([tmp_path / "t.parquet"], Limits())) == 1


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds the child in /proc")
def test_a_waiting_child_that_was_killed_does_not_answer_for_the_next_file(
    tmp_path: Path,
) -> None:
    pq.write_table(pa.table({"n": [1, 2]}), tmp_path / "t.parquet")
    with Sandbox() as struck:
        assert len(struck.read([tmp_path / "t.parquet"], Limits())) == 2
        assert struck._process is not None
        assert struck._channel is not None
        zygotes = str(struck._process.pid)
        children = Path(f"/proc/{zygotes}/task/{zygotes}/children")
        while not children.read_text().strip():
            struck._process.poll()
        os.kill(int(children.read_text().split()[0]), signal.SIGKILL)
        select.select([struck._channel], [], [])
        assert len(struck.read([tmp_path / "t.parquet"], Limits())) == 2


def test_a_sandbox_that_cannot_start_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("credenza.provenance.intake.sandbox._START", "raise SystemExit(1)")
    (tmp_path / "a.csv").write_text("x\n1\n")
    with Sandbox() as dead, pytest.raises(InternalError) as failure:
        dead.read([tmp_path / "a.csv"], Limits())
    assert failure.value.code == "sandbox-down"


def test_threads_take_turns(sandbox: Sandbox, tmp_path: Path) -> None:
    found: dict[int, int] = {}
    for rows in range(1, 6):
        pq.write_table(pa.table({"n": list(range(rows))}), tmp_path / f"{rows}.parquet")

    def read(rows: int) -> None:
        found[rows] = len(sandbox.read([tmp_path / f"{rows}.parquet"], Limits()))

    threads = [threading.Thread(target=read, args=(rows,)) for rows in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {rows: rows for rows in range(1, 6)}


def test_the_sandbox_leaves_no_open_file_behind(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and no more")
    sandbox.read([_table(tmp_path)], Limits())
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(5):
        assert _code(sandbox, tmp_path / "t.parquet") == "truncated"
    assert len(list(Path("/dev/fd").iterdir())) <= before


def test_threat_12_only_regular_files_are_opened(sandbox: Sandbox, tmp_path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), tmp_path / "real.parquet")
    (tmp_path / "link.parquet").symlink_to(tmp_path / "real.parquet")
    os.mkfifo(tmp_path / "pipe.parquet")
    (tmp_path / "folder.parquet").mkdir()
    for name in ("link", "pipe", "folder"):
        assert _code(sandbox, tmp_path / f"{name}.parquet") == "not-a-regular-file"
    assert _code(sandbox, tmp_path / "none.parquet") == "unreadable-file"


def test_a_file_larger_than_allowed_is_never_opened_for_parsing(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "big.csv").write_text("a\n1\n")
    assert _code(sandbox, tmp_path / "big.csv", Limits(file_bytes=3)) == "file-too-large"


@pytest.mark.parametrize("name", ["a.zip", "a.pkl", "a.npy", "a.parquet.gz", "a.arrow", "a"])
def test_threat_i2_archives_and_pickles_have_no_intake(
    sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04")
    with pytest.raises(UntrustedError) as refusal:
        sandbox.read([tmp_path / name], Limits())
    assert refusal.value.code == "unknown-format"
    assert ".csv, .jsonl, .ndjson, .parquet" in refusal.value.why


def test_a_batch_has_a_bounded_number_of_files_with_different_names(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "sub").mkdir()
    paths = [tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "sub" / "a.csv"]
    for path in paths:
        path.write_text("x\n1\n")
    for files in ([], paths, [paths[0], paths[2]]):
        with pytest.raises(UntrustedError) as refusal:
            sandbox.read(files, Limits(files=2))
        assert refusal.value.code == "bad-files"
    assert len(sandbox.read(paths[:2], Limits(files=2))) == 2


def test_threat_i4_files_of_one_batch_have_the_same_columns(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,a\n")
    (tmp_path / "b.csv").write_text("y,x\nb,2\n")
    (tmp_path / "c.csv").write_text("x,z\n3,c\n")
    (tmp_path / "d.csv").write_text("x,y\nfour,d\n")
    together = sandbox.read([tmp_path / "a.csv", tmp_path / "b.csv"], Limits())
    assert together.to_pylist() == [{"x": 1, "y": "a"}, {"x": 2, "y": "b"}]
    for other in ("c.csv", "d.csv"):
        with pytest.raises(UntrustedError) as refusal:
            sandbox.read([tmp_path / "a.csv", tmp_path / other], Limits())
        assert refusal.value.code == "schema-mismatch"


def test_limits_hold_for_the_batch_not_for_each_file(sandbox: Sandbox, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x\n1\n2\n")
    with pytest.raises(UntrustedError) as refusal:
        sandbox.read([tmp_path / "a.csv", tmp_path / "b.csv"], Limits(rows=3))
    assert refusal.value.why == "b.csv: at least 4 rows, more than 3"


def test_the_processs_own_sandbox_reads_without_being_asked_to_start(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    stored = tmp_path / "0123456789abcdef"
    (tmp_path / "a.csv").rename(stored)
    assert read_sandboxed({"a.csv": stored}, Limits()).to_pylist() == [{"x": 1}]


def test_threat_i1_a_parser_that_burns_its_cpu_time_is_stopped(tmp_path: Path) -> None:
    # A file of nulls, the same under many names: a billion rows in little memory.
    pq.write_table(pa.table({"n": pa.nulls(2**24)}), tmp_path / "b.parquet")
    files = {f"{i}.parquet": tmp_path / "b.parquet" for i in range(64)}
    limits = Limits(cpu_s=1, rows=2**40, decoded_bytes=2**40)
    with Sandbox() as burnt, pytest.raises(UntrustedError) as refusal:
        burnt.read(files, limits)
    assert refusal.value.code == "parser-limit"


def test_a_process_reads_its_own_files_as_the_sandbox_would(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    files = [tmp_path / "a.csv"]
    assert read_own(files, Limits()).equals(sandbox.read(files, Limits()))
    reasons = []
    for read in (read_own, sandbox.read):
        with pytest.raises(UntrustedError) as refusal:
            read(files, Limits(rows=1))
        reasons.append(str(refusal.value))
    assert reasons[0] == reasons[1]


def test_a_full_disk_is_not_the_files_fault(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        status = zygote._attempt(["csv"], [tmp_path / "a.csv"], Limits(), full)
        refusing = zygote._attempt(["csv"], [tmp_path / "a.csv"], Limits(rows=0), full)
    finally:
        os.close(full)
    assert status == refusing == zygote.NO_ROOM
    with pytest.raises(InternalError) as failure:
        _answer(status << 8, -1, ["a.csv"], Limits())
    assert failure.value.code == "disk-full"

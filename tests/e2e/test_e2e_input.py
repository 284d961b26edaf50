"""Bad input: each is refused with a code, a reason and a way out, and changes nothing."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credenza.core.errors import ConflictError, CredenzaError, UntrustedError, UsageError
from credenza.provenance.keys import key_from_seed
from credenza.store import disk
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import SourceSimulator

DATASET = "trips"


@pytest.fixture
def refusal(workspace: Workspace, sources: SourceSimulator) -> object:
    """Submits a file as anna's and gives the refusal, once it is clear that nothing changed."""

    def submit(path: Path, kind: type[CredenzaError] = UntrustedError) -> CredenzaError:
        with pytest.raises(kind) as refused:
            sources.submit_file(workspace, "anna", 0, path)
        assert refused.value.what
        assert workspace.batches() == []
        assert sources.submit(workspace, "anna", 0).records == sources.rows
        return refused.value

    return submit


def written(directory: Path, data: bytes, name: str = "bad.parquet") -> Path:
    path = directory / name
    path.write_bytes(data)
    return path


def test_a_file_that_is_not_parquet_is_refused(refusal: object, tmp_path: Path) -> None:
    assert callable(refusal)
    found = refusal(written(tmp_path, b"PK\x03\x04 not parquet at all"))
    assert found.code == "not-parquet"


def test_a_truncated_file_is_refused(
    refusal: object, sources: SourceSimulator, tmp_path: Path
) -> None:
    assert callable(refusal)
    whole = sources.write(sources.table("anna", 0)).read_bytes()
    assert refusal(written(tmp_path, whole[:-40])).code == "truncated"


def test_a_small_file_of_very_many_rows_is_refused(refusal: object, tmp_path: Path) -> None:
    assert callable(refusal)
    path = tmp_path / "bomb.parquet"
    rows = 2_000_000
    with pq.ParquetWriter(path, pa.schema([("late", pa.null())]), compression="zstd") as writer:
        for _ in range(11):
            writer.write_table(pa.table({"late": pa.nulls(rows)}))
    assert path.stat().st_size < 100_000
    assert refusal(path).code == "too-many-rows"


def test_a_file_of_a_hundred_thousand_columns_is_refused(refusal: object, tmp_path: Path) -> None:
    assert callable(refusal)
    header = ",".join(f"c{i}" for i in range(100_000))
    path = written(tmp_path, f"{header}\n{header}\n".encode(), "wide.csv")
    found = refusal(path)
    assert found.code == "too-many-columns"
    assert "100000" in found.why


def test_a_batch_without_rows_is_refused(refusal: object, sources: SourceSimulator) -> None:
    assert callable(refusal)
    empty = sources.write(sources.table("anna", 0).slice(0, 0), "empty.parquet")
    assert refusal(empty, UsageError).code == "empty-batch"


def test_a_batch_without_its_label_is_refused(refusal: object, sources: SourceSimulator) -> None:
    assert callable(refusal)
    bare = sources.write(sources.table("anna", 0).drop_columns(["late"]), "bare.parquet")
    found = refusal(bare, UsageError)
    assert found.code == "missing-label"
    assert "distance" in found.why


def test_a_file_that_is_absent_a_link_or_a_folder_is_refused(
    workspace: Workspace, sources: SourceSimulator, tmp_path: Path
) -> None:
    link = tmp_path / "link.parquet"
    link.symlink_to(sources.write(sources.table("anna", 0)))
    (tmp_path / "folder.parquet").mkdir()
    codes = []
    for name in ("absent.parquet", "link.parquet", "folder.parquet"):
        with pytest.raises(UntrustedError) as refused:
            sources.submit_file(workspace, "anna", 0, tmp_path / name)
        codes.append(refused.value.code)
    assert codes == ["unreadable-file", "not-a-regular-file", "not-a-regular-file"]


def test_a_file_that_vanished_after_it_was_signed_keeps_no_other_batch_out(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sent = []
    for name in ("anna", "beat"):
        path = sources.write(sources.table(name, 0), f"{name}.parquet")
        key = key_from_seed(bytes([sources.names.index(name) + 1]) * 32)
        envelope = workspace.sign([path], source=name, key=key, dataset=DATASET, label="late")
        sent.append((envelope, [path]))
    sent[0][1][0].unlink()
    absent, taken = workspace.receive_together(sent)
    assert isinstance(absent, UntrustedError)
    assert absent.code == "unreadable-file"
    assert not isinstance(taken, UntrustedError)
    assert [record.source for record in workspace.batches()] == ["beat"]


def test_an_unknown_source_and_a_key_of_another_source_are_refused(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    path = sources.write(sources.table("anna", 0))
    anna, stranger = key_from_seed(b"\x01" * 32), key_from_seed(b"\x63" * 32)
    codes = []
    for name, key in (("zoe", stranger), ("beat", anna), ("beat", stranger)):
        envelope = workspace.sign([path], source=name, key=key, dataset=DATASET, label="late")
        with pytest.raises(UntrustedError) as refused:
            workspace.receive(envelope, [path])
        codes.append(refused.value.code)
    assert codes == ["unknown-source", "wrong-key", "wrong-key"]
    assert workspace.batches() == []


@pytest.mark.parametrize(
    ("name", "group", "code"), [("Acme Inc", "", "bad-source"), ("acme", "A/B", "bad-group")]
)
def test_a_name_that_no_source_may_have_is_refused_before_anything_is_written(
    workspace: Workspace, name: str, group: str, code: str
) -> None:
    before = workspace.log.catalog_dump()
    with pytest.raises(UsageError) as refused:
        workspace.add_source(name, [key_from_seed(b"\x09" * 32).public], group)
    assert refused.value.code == code
    assert workspace.log.catalog_dump() == before


def test_a_batch_is_taken_once_and_in_its_turn(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    anna = key_from_seed(b"\x01" * 32)
    path = sources.write(sources.table("anna", 0))
    first = workspace.sign([path], source="anna", key=anna, dataset=DATASET, label="late")
    receipt = workspace.receive(first, [path])
    with pytest.raises(UntrustedError) as replayed:
        workspace.receive(first, [path])
    assert replayed.value.code == "replay"
    second = workspace.sign([path], source="anna", key=anna, dataset=DATASET, label="late")
    other = Workspace.init(workspace.home.parent / "other")
    sources.register(other)
    with pytest.raises(UntrustedError) as early:
        other.receive(second, [path])
    other.close()
    assert early.value.code == "out-of-order"
    workspace.receive(second, [path])
    assert [record.sequence for record in workspace.batches()] == [1, 2]
    assert workspace.batch(receipt.batch).sequence == 1


def test_a_file_altered_after_signing_is_refused(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    anna = key_from_seed(b"\x01" * 32)
    path = sources.write(sources.table("anna", 0))
    envelope = workspace.sign([path], source="anna", key=anna, dataset=DATASET, label="late")
    sources.write(sources.table("anna", 0, flip=1.0))
    with pytest.raises(UntrustedError) as refused:
        workspace.receive(envelope, [path])
    assert refused.value.code == "file-digest"


def test_every_refusal_by_the_gate_is_in_the_ledger(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.submit(workspace, "anna", 0)
    before = workspace.log.audit().entries
    with pytest.raises(UntrustedError):
        sources.submit(workspace, "beat", 0, sources.table("beat", 0).drop_columns(["hour"]))
    audit = workspace.log.audit()
    assert (audit.entries, audit.problems) == (before + 1, ())


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow: what the kernel says on a full disk, at the same calls."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_the_batch_and_leaves_nothing_half_done(
    workspace: Workspace, sources: SourceSimulator
) -> None:
    sources.submit(workspace, "beat", 0)
    anna = key_from_seed(b"\x01" * 32)
    path = sources.write(sources.table("anna", 0))
    envelope = workspace.sign([path], source="anna", key=anna, dataset=DATASET, label="late")
    before = workspace.log.catalog_dump()
    with full_disk(), pytest.raises(ConflictError) as refused:
        workspace.receive(envelope, [path])
    assert refused.value.code == "disk-full"
    assert refused.value.fix
    assert workspace.log.catalog_dump() == before
    assert workspace.log.audit().problems == ()
    assert workspace.receive(envelope, [path]).records == sources.rows  # once there is room


def test_a_disk_that_fills_up_at_the_ledger_refuses_the_batch_whole(
    workspace: Workspace, sources: SourceSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources.submit(workspace, "beat", 0)
    before = workspace.log.audit().entries

    def no_room(path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as edge:
        edge.setattr(disk, "_write", no_room)
        with pytest.raises(ConflictError) as refused:
            sources.submit(workspace, "anna", 0)
    assert refused.value.code == "disk-full"
    assert [record.source for record in workspace.batches()] == ["beat"]
    assert workspace.log.audit().entries == before
    sources.submit(workspace, "anna", 0)
    assert workspace.log.audit().problems == ()


SECOND_WRITER = """
import sys
from pathlib import Path
from credenza.core.errors import ConflictError
from credenza.workspace import Workspace
with Workspace.open(Path(sys.argv[1])) as workspace:
    print(len(workspace.batches()))
    try:
        workspace.add_source("eva", ["{key}"])
    except ConflictError as busy:
        print(busy.code)
"""


def test_one_process_writes_and_others_read(workspace: Workspace, sources: SourceSimulator) -> None:
    sources.submit(workspace, "anna", 0)
    script = SECOND_WRITER.format(key=key_from_seed(b"\x09" * 32).public)
    command = [sys.executable, "-c", script, str(workspace.home)]
    while_open = subprocess.run(command, check=True, capture_output=True, text=True)
    assert while_open.stdout.split() == ["1", "ledger-busy"]
    workspace.close()
    afterwards = subprocess.run(command, check=True, capture_output=True, text=True)
    assert afterwards.stdout.split() == ["1"]

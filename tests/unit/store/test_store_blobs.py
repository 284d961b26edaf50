from __future__ import annotations

import hashlib
import os
import resource
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.store.blobs import BlobStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ABSENT = "0" * 64


@pytest.fixture(params=["directory", "file url", "object store"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    where: dict[str, Path | str] = {
        "directory": tmp_path / "blobs",
        "file url": (tmp_path / "more blobs").as_uri(),
        "object store": "memory:///",
    }
    return BlobStore(where[request.param])


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A real refusal by the kernel to let a file grow, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_under(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_what_is_stored_comes_back_under_its_sha256(store: BlobStore) -> None:
    digest = store.put(b"oats")
    assert digest == hashlib.sha256(b"oats").hexdigest()
    assert store.get(digest) == b"oats"
    assert store.has(digest)


def test_storing_twice_changes_nothing(store: BlobStore) -> None:
    assert store.put_many([b"oats", b"", b"oats"]) == [
        store.put(b"oats"),
        store.put(b""),
        store.put(b"oats"),
    ]
    assert store.get(store.put(b"")) == b""


def test_what_was_never_stored_is_not_found(store: BlobStore, tmp_path: Path) -> None:
    assert not store.has(ABSENT)
    for look in (store.get, lambda digest: store.fetch(digest, tmp_path / "x")):
        with pytest.raises(NotFoundError):
            look(ABSENT)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["", "ab", "A" * 64, "0" * 63 + "\n", "../" + "0" * 61])
def test_only_a_digest_names_an_object(store: BlobStore, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        store.get(name)
    assert refused.value.code == "bad-digest"


def test_a_file_is_copied_and_hashed_in_one_reading(store: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "rows.bin"
    source.write_bytes(content := os.urandom(3 * 2**20 + 17))
    found = store.put_file(source)
    assert (found.name, found.size) == ("rows.bin", len(content))
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert store.fetch(found.sha256, tmp_path / "back").read_bytes() == content
    assert store.put_file(source) == found


def test_a_longer_object_than_asked_for_is_refused(store: BlobStore, tmp_path: Path) -> None:
    digest = store.put(b"12345")
    assert store.get(digest, max_bytes=5) == b"12345"
    with pytest.raises(UntrustedError) as refused:
        store.get(digest, max_bytes=4)
    assert refused.value.code == "too-large"
    (tmp_path / "big").write_bytes(b"12345")
    with pytest.raises(UntrustedError):
        store.put_file(tmp_path / "big", max_bytes=4)
    assert store.put_file(tmp_path / "big", max_bytes=5).sha256 == digest


def test_an_altered_object_is_refused_at_every_read(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    digest = store.put(b"oats")
    path = store.path(digest)
    assert path.read_bytes() == b"oats"
    path.chmod(0o644)
    path.write_bytes(b"oatz")
    for read in (store.get, lambda digest: store.fetch(digest, tmp_path / "out")):
        with pytest.raises(UntrustedError) as refused:
            read(digest)
        assert refused.value.code == "blob-altered"
    assert [path.name for path in tmp_path.iterdir()] == ["blobs"]


def test_storing_the_right_bytes_again_mends_a_torn_object(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    path = store.path(store.put(b"oats"))
    path.chmod(0o644)
    path.write_bytes(b"")
    assert store.get(store.put(b"oats")) == b"oats"


def test_a_stored_object_is_read_only_and_alone_in_its_place(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    digest = store.put(b"oats")
    path = tmp_path / "blobs" / digest[:2] / digest[2:]
    assert files_under(tmp_path) == [path]
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


def test_links_directories_and_pipes_are_no_submissions(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "pipe", "blobs"):
        with pytest.raises(UntrustedError) as refused:
            store.put_file(tmp_path / name)
        assert refused.value.code == "not-a-regular-file"
    with pytest.raises(NotFoundError):
        store.put_file(tmp_path / "nowhere")
    assert store.put_file(tmp_path / "real").size == 1


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    store = BlobStore(tmp_path / "blobs")
    (tmp_path / "big").write_bytes(bytes(30 * 2**20))
    store.put(b"before")
    wrongs = []
    with files_of_at_most(1000):
        for write in (
            lambda: store.put(bytes(2000)),
            lambda: store.put_file(tmp_path / "big"),
        ):
            with pytest.raises(ConflictError) as refused:
                write()
            wrongs.append(refused.value)
    assert [wrong.code for wrong in wrongs] == ["disk-full", "disk-full"]
    assert "half written" in wrongs[0].fix
    assert len(files_under(tmp_path / "blobs")) == 1
    big = store.put_file(tmp_path / "big")
    with files_of_at_most(1000), pytest.raises(ConflictError):
        store.fetch(big.sha256, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"big", "blobs"}
    assert store.get(store.put(bytes(2000))) == bytes(2000)


def test_an_object_store_has_no_local_paths(tmp_path: Path) -> None:
    store = BlobStore("memory:///")
    with pytest.raises(UsageError) as refused:
        store.path(store.put(b"oats"))
    assert refused.value.code == "not-local"
    with pytest.raises(NotFoundError):
        BlobStore(tmp_path).path(ABSENT)


def test_a_store_that_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for where in (tmp_path / "file", "nonsense://there"):
        with pytest.raises((UsageError, ConflictError)):
            BlobStore(where)

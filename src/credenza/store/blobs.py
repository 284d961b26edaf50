"""The content store: bytes by their SHA-256, never changed, checked at every read."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from credenza.core.canonical import sha256_hex
from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    NotFoundError,
    UntrustedError,
    UsageError,
)
from credenza.core.types import FileDigest
from credenza.store.disk import explained, sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from obstore.store import ObjectStore

CHUNK_BYTES = 2**20
GET_BYTES_MAX = 64 * 2**20
READ_ONLY = 0o444

_DIGEST = re.compile(r"[0-9a-f]{64}")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")


class BlobStore:
    """Content-addressed objects: a directory by default, or any obstore URL.

    An object is created under a condition and acknowledged when it is durable; every
    read recomputes the hash, so alteration at rest is seen by whoever reads, and by
    nobody before.

    Args:
        where: a directory, created if need be; or a URL such as ``s3://bucket/prefix``.

    Raises:
        UsageError: the store cannot be opened, or ignores conditional writes.
    """

    def __init__(self, where: Path | str) -> None:
        url = urlsplit(str(where))
        self._root: Path | None = None
        self._objects: ObjectStore
        try:
            if "://" in str(where) and url.scheme != "file":
                self._objects = from_url(str(where))
                self._probe()
            else:
                self._root = Path(unquote(url.path)) if url.scheme == "file" else Path(where)
                self._objects = LocalStore(self._root, mkdir=True)
        except (BaseError, OSError, ValueError) as wrong:
            raise _explained(wrong, "the content store did not open") from wrong

    def put(self, data: bytes) -> str:
        """Store ``data``; its digest. Storing it again changes nothing.

        Raises:
            ConflictError: the disk is full; nothing was stored.
        """
        return self.put_many([data])[0]

    def put_many(self, blobs: Iterable[bytes]) -> list[str]:
        """Store small objects and make them durable together; their digests in order.

        Raises:
            ConflictError: the disk is full. Some may be stored, none by halves.
        """
        digests = []
        try:
            for data in blobs:
                digests.append(sha256_hex(data))
                self._create(digests[-1], data)
            self._settle(digests)
        except (BaseError, OSError) as wrong:
            raise _explained(wrong, "the content was not stored") from wrong
        return digests

    def put_file(self, path: Path, *, max_bytes: int | None = None) -> FileDigest:
        """Copy a regular file in, hashing what is copied; it need not fit in memory.

        Args:
            path: followed to no other file: symbolic links are refused.
            max_bytes: refuse a longer file, even one that grows while it is read.

        Raises:
            NotFoundError: there is no such file.
            UntrustedError: not a regular file, or too long.
            ConflictError: the disk is full; nothing was stored.
        """
        (answer,) = self.put_files([path], max_bytes=max_bytes)
        if isinstance(answer, CredenzaError):
            raise answer
        return answer

    def put_files(
        self, paths: Sequence[Path], *, max_bytes: int | None = None
    ) -> list[FileDigest | CredenzaError]:
        """Copy several files in and make them durable together; an answer for each, in order.

        A file that cannot be taken does not keep the others out: its answer is the error
        that ``put_file`` would raise.

        Raises:
            ConflictError: the store failed or its disk is full. Some may be stored, none
                by halves.
        """
        answers: list[FileDigest | CredenzaError] = []
        for path in paths:
            try:
                answers.append(self._copy(path, max_bytes))
            except (NotFoundError, UntrustedError, UsageError) as unfit:
                answers.append(unfit)
        try:
            self._settle([one.sha256 for one in answers if isinstance(one, FileDigest)])
        except OSError as wrong:
            raise _explained(wrong, "the files were not stored") from wrong
        return answers

    def _copy(self, path: Path, max_bytes: int | None) -> FileDigest:
        """Copy one file in under its digest; not durable yet."""
        with _open_regular(path) as source:
            # A dot in the first segment keeps it apart from every digest.
            incoming = f"incoming.{secrets.token_hex(16)}"
            hasher, size = hashlib.sha256(), 0
            try:
                writer = obstore.open_writer(self._objects, incoming)
                while chunk := source.read(CHUNK_BYTES):
                    size += len(chunk)
                    _check_size(size, max_bytes, f"the file {path.name!r}")
                    hasher.update(chunk)
                    writer.write(chunk)
                writer.close()
                digest = hasher.hexdigest()
                obstore.rename(self._objects, incoming, _key(digest))
            except (BaseError, OSError) as wrong:
                raise _explained(wrong, f"the file {path.name!r} was not stored") from wrong
        return FileDigest(path.name, digest, size)

    def get(self, digest: str, *, max_bytes: int = GET_BYTES_MAX) -> bytes:
        """The bytes of that digest, hashed again.

        Raises:
            NotFoundError: not stored here.
            UntrustedError: altered, or longer than ``max_bytes``.
        """
        return b"".join(self._read(digest, max_bytes))

    def check(self, digest: str) -> int:
        """Read an object to its end and hash it; its size in bytes.

        Raises:
            NotFoundError: not stored here.
            UntrustedError: altered.
        """
        return sum(len(chunk) for chunk in self._read(digest, None))

    def fetch(self, digest: str, to: Path, *, max_bytes: int | None = None) -> Path:
        """Write the bytes of that digest to a file, hashed on the way; ``to``.

        The file appears under its name only when it is whole and right.

        Raises:
            NotFoundError: not stored here.
            UntrustedError: altered, or longer than ``max_bytes``.
            ConflictError: the disk is full; ``to`` was left alone.
        """
        part = to.with_name(f".{to.name}.{secrets.token_hex(8)}.part")
        try:
            with part.open("xb") as target:
                for chunk in self._read(digest, max_bytes):
                    target.write(chunk)
            sync([part])
            part.replace(to)
            sync([to.parent])
        except OSError as wrong:
            raise _explained(wrong, f"the file {to.name!r} was not written") from wrong
        finally:
            part.unlink(missing_ok=True)
        return to

    def has(self, digest: str) -> bool:
        """Whether an object of that name is stored; says nothing of its bytes."""
        try:
            obstore.head(self._objects, _key(digest))
        except FileNotFoundError:
            return False
        except BaseError as wrong:
            raise _explained(wrong, "the content store was not read") from wrong
        return True

    def path(self, digest: str) -> Path:
        """Where a local store keeps an object, for readers that need a file.

        Nobody has checked the bytes: hash while reading, or use ``fetch``.

        Raises:
            NotFoundError: not stored here.
            UsageError: the store is not a local directory.
        """
        if self._root is None:
            raise UsageError(
                "not-local",
                "this content store has no local paths",
                why="it lies with an object store",
                fix="fetch the object to a file",
            )
        path = self._root / _key(digest)
        if not path.is_file():
            raise _missing(digest)
        return path

    def _create(self, digest: str, data: bytes) -> None:
        key = _key(digest)
        try:
            obstore.put(self._objects, key, data, mode="create", use_multipart=False)
        except AlreadyExistsError:
            # A power cut may have left the name without its bytes; put them back.
            if bytes(obstore.get(self._objects, key).bytes()) != data:
                obstore.put(self._objects, key, data, use_multipart=False)

    def _read(self, digest: str, max_bytes: int | None) -> Iterator[bytes]:
        hasher, size = hashlib.sha256(), 0
        try:
            found = obstore.get(self._objects, _key(digest))
            _check_size(found.meta["size"], max_bytes, f"the object {digest}")
            for chunk in found.stream(min_chunk_size=CHUNK_BYTES):
                data = bytes(chunk)
                size += len(data)
                _check_size(size, max_bytes, f"the object {digest}")
                hasher.update(data)
                yield data
        except FileNotFoundError as wrong:
            raise _missing(digest) from wrong
        except BaseError as wrong:
            raise _explained(wrong, f"the object {digest} was not read") from wrong
        if hasher.hexdigest() != digest:
            raise UntrustedError(
                "blob-altered",
                f"the object {digest} was altered in the content store",
                why=f"its bytes hash to {hasher.hexdigest()}",
                fix="restore it from a copy; storing the original bytes again also mends it",
            )

    def _settle(self, digests: list[str]) -> None:
        """Make local objects durable and read-only; object stores are, once they answer."""
        if self._root is None:
            return
        paths = [self._root / _key(digest) for digest in digests]
        sync(paths, mode=READ_ONLY)
        sync({self._root, *(path.parent for path in paths)})

    def _probe(self) -> None:
        """Refuse a store that lets a conditional write replace an object."""
        key = f"incoming.{secrets.token_hex(16)}"
        obstore.put(self._objects, key, b"1", mode="create", use_multipart=False)
        try:
            obstore.put(self._objects, key, b"2", mode="create", use_multipart=False)
        except AlreadyExistsError:
            return
        finally:
            obstore.delete(self._objects, key)
        raise UsageError(
            "no-conditional-put",
            "this object store ignores conditional writes",
            why="it let a second writer replace an object",
            fix="use a store that enforces If-None-Match",
        )


def _key(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise UsageError(
            "bad-digest",
            f"{digest[:80]!r} is not a SHA-256",
            why="content is kept under its SHA-256",
            fix="give 64 lower-case hex digits",
        )
    return f"{digest[:2]}/{digest[2:]}"


def _open_regular(path: Path) -> BinaryIO:
    """Open without following a last symbolic link and without waiting on a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as wrong:
        raise NotFoundError(
            "no-such-file",
            f"there is no file {path.name!r}",
            why="nothing is at its path any more",
            fix="check the path",
        ) from wrong
    except OSError as wrong:
        if wrong.errno in {errno.ELOOP, errno.ENXIO}:
            raise _not_regular(path) from wrong
        raise _explained(wrong, f"the file {path.name!r} was not read") from wrong
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _not_regular(path)
    return os.fdopen(descriptor, "rb", buffering=0)


def _check_size(size: int, max_bytes: int | None, what: str) -> None:
    if max_bytes is not None and size > max_bytes:
        raise UntrustedError(
            "too-large", f"{what} is too long", why=f"more than {max_bytes} bytes", fix="split it"
        )


def _not_regular(path: Path) -> UntrustedError:
    return UntrustedError(
        "not-a-regular-file",
        f"{path.name!r} is not a regular file",
        why="what is read could change while it is read",
        fix="submit the file itself, not a link, a directory or a pipe",
    )


def _missing(digest: str) -> NotFoundError:
    return NotFoundError(
        "no-such-blob",
        f"the content store has no object {digest}",
        why="it was never put there, or was lost",
        fix="run `credenza log audit`, which names everything that is missing",
    )


def _explained(wrong: Exception, what: str) -> CredenzaError:
    """The store's failure in the reader's terms; obstore tells errors by text alone."""
    if isinstance(wrong, OSError) and wrong.errno is not None:
        return explained(wrong, what)
    first_line = str(wrong).partition("\n")[0]
    if numbered := _OS_ERROR.search(first_line):
        number = int(numbered[1])
        return explained(OSError(number, os.strerror(number)), what)
    return ConflictError(
        "store-failed", what, why=first_line, fix="check that the store can be reached; try again"
    )

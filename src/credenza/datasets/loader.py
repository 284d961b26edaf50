"""The way in for a training job: bytes by their digest, from a store of its own.

Needs the standard library and ``cryptography``, no more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING, BinaryIO

from credenza.core.errors import ConflictError, NotFoundError, UntrustedError
from credenza.datasets.verify_release import verify_release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from credenza.core.types import FileDigest, Release

_CHUNK_BYTES = 2**20


class LoadedRelease:
    """A verified release, kept by release and file in the training job's own store.

    Nothing is read from where the release was fetched once it was verified: a swap
    there, between verification and training, changes nothing. And nothing is handed
    out unhashed: ``open`` hashes a file through the very handle that it gives, ``chunks``
    while the bytes pass. Blind to whoever may write to the job's own memory or disk
    while it reads.

    Args:
        directory: the verified copy.
        release: as attested.
    """

    def __init__(self, directory: Path, release: Release) -> None:
        self.release = release
        self._directory = directory
        self._files = {file.name: file for file in release.files}

    @property
    def names(self) -> tuple[str, ...]:
        """The release's files, sorted."""
        return tuple(sorted(self._files))

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file that may be read in any order, hashed whole before it is given.

        Raises:
            NotFoundError: the release has no such file.
            UntrustedError: it was changed since it was verified.
        """
        file = self._file(name)
        with self._regular(file) as handle:
            for _ in _hashed(handle, file):
                pass
            handle.seek(0)
            yield handle

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file in order; the last ones only when all of them agreed.

        One chunk is held back, so that whoever consumes to the end has consumed only
        what was released, and whoever stops early has no whole file.

        Raises:
            NotFoundError: the release has no such file.
            UntrustedError: it was changed since it was verified.
        """
        file = self._file(name)
        held = b""
        with self._regular(file) as handle:
            for chunk in _hashed(handle, file):
                if held:
                    yield held
                held = chunk
        yield held

    def _file(self, name: str) -> FileDigest:
        file = self._files.get(name)
        if file is None:
            raise NotFoundError(
                "no-such-file",
                f"the release has no file {name!a}",
                why=f"it has {', '.join(self.names)}",
                fix="name one of these: `LoadedRelease.names` lists them",
            )
        return file

    @contextlib.contextmanager
    def _regular(self, file: FileDigest) -> Iterator[BinaryIO]:
        path = self._directory / file.name
        try:
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as wrong:
            raise _altered(file, wrong.strerror or "it cannot be opened") from wrong
        with os.fdopen(opened, "rb") as handle:
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                raise _altered(file, "it is no regular file")
            yield handle


def load_release(
    directory: Path,
    *,
    trust: Iterable[str],
    store: Path,
    recalls: Mapping[str, str] | None = None,
) -> LoadedRelease:
    """Verify a release, keep the verified bytes in ``store``, and open them from there.

    A release that is in the store already is checked for recall and expiry again, and
    its copy is verified in place of the fetched one. Any number of jobs may share a store.

    Args:
        directory: what was fetched.
        trust: public keys as 64 hex digits; one of them must have signed.
        store: a directory of the training job's own; one folder a release.
        recalls: reason by digest of each recalled release.

    Raises:
        UntrustedError: as ``verify_release``.
    """
    keys = list(trust)
    release = verify_release(directory, trust=keys, recalls=recalls)
    kept = store / release.digest
    try:
        release = verify_release(directory, trust=keys, recalls=recalls, copy_to=kept)
    except ConflictError:  # kept before, or by another job of this moment
        release = verify_release(kept, trust=keys, recalls=recalls)
    if kept.name != release.digest:
        raise UntrustedError(
            "release-swapped",
            "the release changed while it was being loaded",
            why=f"it was {kept.name[:16]}… and became {release.digest[:16]}…",
            fix="fetch it again into a directory that nobody else writes to",
        )
    return LoadedRelease(kept, release)


def _hashed(handle: BinaryIO, file: FileDigest) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    while chunk := handle.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if size > file.size:
            raise _altered(file, f"it is longer than {file.size} bytes")
        yield chunk
    if digest.hexdigest() != file.sha256:
        raise _altered(file, f"its SHA-256 is not {file.sha256[:16]}…")


def _altered(file: FileDigest, why: str) -> UntrustedError:
    return UntrustedError(
        "release-file-altered",
        f"{file.name!a} is not the file that was verified",
        why=why,
        fix="empty the store, and load the release again",
    )

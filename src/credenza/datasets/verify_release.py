"""Check a release where training happens: the standard library and ``cryptography``, no more.

A release is one flat directory: the files that its attestation names, the attestation,
and nothing else. Everything in it is hostile until the last byte agreed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core.canonical import MAX_BYTES
from credenza.core.errors import ConflictError, NotFoundError, UntrustedError, UsageError
from credenza.core.keys import check_public_key
from credenza.datasets.attestation import ATTESTATION, MAX_NAME, malformed, read_attestation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from credenza.core.types import FileDigest, Release
    from credenza.datasets.attestation import Attestation

_CHUNK_BYTES = 2**20


def verify_release(
    directory: Path,
    *,
    trust: Iterable[str],
    recalls: Mapping[str, str] | None = None,
    copy_to: Path | None = None,
    now: dt.datetime | None = None,
) -> Release:
    """The release in ``directory``, if it is exactly what a trusted key signed.

    Every file is a regular one, opened once and without following links, hashed as it
    is read, and of the attested size; the set of names is equal on both sides. With
    ``copy_to`` the bytes that were hashed are the bytes that are kept, so that a swap
    afterwards changes nothing; train from that copy.

    Blind to an older release of the same signer that is offered in place of a newer one
    (compare ``dataset`` and ``version``), to recalls it is not given, and, without
    ``copy_to``, to whatever happens to the directory later.

    Args:
        directory: what was fetched.
        trust: public keys as 64 hex digits; one of them must have signed.
        recalls: reason by digest of each recalled release.
        copy_to: a directory that does not exist yet; made whole or not at all,
            its files read-only.
        now: compared with the release's expiry; the clock's time by default.

    Returns:
        The release, as attested.

    Raises:
        UntrustedError: anything differs from the attestation, it was recalled, it has
            expired, or a key of ``trust`` is none that can be trusted.
        UsageError: no key is trusted.
        ConflictError: ``copy_to`` exists.
        NotFoundError: there is no such directory.
    """
    keys = [check_public_key(key) for key in trust]
    if not keys:
        raise UsageError(
            "no-trusted-key",
            "a release cannot be verified without a trusted key",
            why="anybody can sign; what counts is who",
            fix="give the signer's public key with --trust",
        )
    with _opened(directory) as handle:
        envelope = _read_small(handle, ATTESTATION)
        attested = read_attestation(envelope, keys)
        _check_recall(attested.release, recalls or {})
        _check_expiry(attested, now or dt.datetime.now(dt.UTC))
        _check_names(handle, attested.release)
        if copy_to is None:
            for file in attested.release.files:
                _check_file(handle, file, _ignore)
        else:
            _copy(handle, attested.release, envelope, copy_to)
        _check_names(handle, attested.release)
    return attested.release


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    """One handle for the whole check, so that nothing can be moved in under a path."""
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as wrong:
        raise NotFoundError(
            "no-such-release",
            f"{str(directory)!a} is no directory that can be read",
            why=wrong.strerror or "",
            fix="give the directory that holds " + ATTESTATION,
        ) from wrong
    try:
        yield handle
    finally:
        os.close(handle)


def _check_names(handle: int, release: Release) -> None:
    """Exactly the attested names, no more and no fewer; called before and after the files."""
    wanted = {file.name for file in release.files} | {ATTESTATION}
    missing = set(wanted)
    with os.scandir(handle) as entries:
        for entry in entries:
            if entry.name not in wanted:
                raise UntrustedError(
                    "release-file-added",
                    "a release directory holds something that was not released",
                    why=f"{entry.name[:MAX_NAME]!a} is not in the attestation",
                    fix="fetch the release again into an empty directory",
                )
            missing.discard(entry.name)
    if missing:
        raise UntrustedError(
            "release-file-missing",
            "a file of the release is not there",
            why=f"{min(missing)!a} is in the attestation",
            fix="fetch the release again",
        )


def _check_file(handle: int, file: FileDigest, keep: Callable[[bytes], object]) -> None:
    """Hash what is read, and hand the same bytes to ``keep``; never more than attested."""
    digest = hashlib.sha256()
    left = file.size
    with _regular(handle, file.name) as (opened, size):
        if size != file.size:
            raise _altered(file.name, f"it has {size} bytes, not {file.size}")
        while chunk := os.read(opened, min(_CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                break
            digest.update(chunk)
            keep(chunk)
    if left:
        raise _altered(file.name, f"its size changed while it was read, from {file.size} bytes")
    if digest.hexdigest() != file.sha256:
        raise _altered(
            file.name, f"its SHA-256 is {digest.hexdigest()[:16]}…, not {file.sha256[:16]}…"
        )


@contextmanager
def _regular(handle: int, name: str) -> Iterator[tuple[int, int]]:
    """A regular file of the directory, opened without following a link or waiting on a pipe."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(name, flags, dir_fd=handle)
    except FileNotFoundError as wrong:
        raise UntrustedError(
            "release-file-missing",
            "a file of the release is not there",
            why=f"there is no {name!a}",
            fix="fetch the release again",
        ) from wrong
    except OSError as wrong:
        raise _not_regular(name, wrong.strerror or "it cannot be opened") from wrong
    try:
        about = os.fstat(opened)
        if not stat.S_ISREG(about.st_mode):
            raise _not_regular(name, "it is a directory, a pipe or a device")
        yield opened, about.st_size
    finally:
        os.close(opened)


def _read_small(handle: int, name: str) -> bytes:
    with _regular(handle, name) as (opened, size):
        if size > MAX_BYTES:
            raise malformed(f"it has {size} bytes, more than {MAX_BYTES}")
        data = b""
        while len(data) <= MAX_BYTES and (chunk := os.read(opened, _CHUNK_BYTES)):
            data += chunk
    return data


def _copy(handle: int, release: Release, envelope: bytes, directory: Path) -> None:
    """Keep the very bytes that were checked; the copy has its name only when all agreed."""
    if os.path.lexists(directory):
        raise _name_taken(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        for file in release.files:
            with (draft / file.name).open("xb") as out:
                _check_file(handle, file, out.write)
        (draft / ATTESTATION).write_bytes(envelope)
        for path in draft.iterdir():
            path.chmod(0o444)
        draft.chmod(0o755)
        try:
            draft.rename(directory)
        except OSError as wrong:
            if not os.path.lexists(directory):
                raise
            raise _name_taken(directory) from wrong  # somebody else was faster
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_recall(release: Release, recalls: Mapping[str, str]) -> None:
    if release.digest in recalls:
        raise UntrustedError(
            "release-recalled",
            f"release {release.digest[:16]}… was recalled",
            why=recalls[release.digest] or "no reason was given",
            fix="train from a newer release",
        )


def _check_expiry(attested: Attestation, now: dt.datetime) -> None:
    if attested.expires and now >= dt.datetime.fromisoformat(attested.expires):
        raise UntrustedError(
            "release-expired",
            f"release {attested.release.digest[:16]}… has expired",
            why=f"it must not be used since {attested.expires}",
            fix="train from a newer release",
        )


def _ignore(_chunk: bytes) -> None:
    """Nothing is kept."""


def _name_taken(directory: Path) -> ConflictError:
    return ConflictError(
        "name-taken",
        f"{str(directory)!a} already exists",
        why="a verified copy goes into a directory of its own",
        fix="give a name that does not exist yet",
    )


def _altered(name: str, why: str) -> UntrustedError:
    return UntrustedError(
        "release-file-altered",
        f"{name!a} is not the file that was released",
        why=why,
        fix="fetch the release again; if it fails again, its store was tampered with",
    )


def _not_regular(name: str, why: str) -> UntrustedError:
    return UntrustedError(
        "release-not-regular",
        f"{name!a} is not a regular file that can be read",
        why=why,
        fix="fetch the release again into an empty directory",
    )

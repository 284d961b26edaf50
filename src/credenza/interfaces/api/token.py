"""The token of the service: who shows it may read everything that the service tells."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

RANDOM_BYTES = 32
SHORTEST, LONGEST = 32, 512
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def token_in(path: Path) -> bytes:
    """The token in a file, which is made with a new one if it is not there.

    A token is one line of visible ASCII. Blind to whoever may read as this user, or as root.

    Raises:
        UsageError: it is no regular file, others may read it, or it holds no token.
    """
    with contextlib.suppress(FileExistsError):
        _make(path)
    with path.open("rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise _bad("it is no regular file", "name a file")
        if about.st_mode & _OTHERS:
            raise _bad(
                f"others than its owner may open it (mode {stat.S_IMODE(about.st_mode):04o})",
                "run `chmod 600` on it; if others may have read it, delete it instead",
            )
        token = file.read(LONGEST + 2).removesuffix(b"\n")
    if not SHORTEST <= len(token) <= LONGEST or not all(33 <= byte <= 126 for byte in token):
        raise _bad(
            f"a token is one line of {SHORTEST} to {LONGEST} visible characters of ASCII",
            "delete it: the next start makes a new one",
        )
    return token


def _make(path: Path) -> None:
    """Write a new token where nothing lies; only its owner may ever open it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secrets.token_urlsafe(RANDOM_BYTES).encode("ascii") + b"\n")


def _bad(why: str, fix: str) -> UsageError:
    return UsageError("bad-token-file", "the token file cannot be used", why=why, fix=fix)

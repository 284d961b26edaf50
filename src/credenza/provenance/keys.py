"""Ed25519 keys, made, and kept in files.

One algorithm, fixed by the registration: an envelope cannot choose another.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.core.keys import keyid_of, public_hex

_PUBLIC = re.compile(rb"\s*[0-9a-fA-F]{64}\s*\Z")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private Ed25519 key; its text form shows only the public half."""

    private: Ed25519PrivateKey = field(repr=False)

    @property
    def public(self) -> str:
        """The public key as 64 hex digits."""
        return public_hex(self.private)

    @property
    def keyid(self) -> str:
        """SHA-256 of the raw public key, in hex."""
        return keyid_of(self.public)


def new_key() -> SigningKey:
    """A fresh key from the operating system's randomness."""
    return SigningKey(Ed25519PrivateKey.generate())


def key_from_seed(seed: bytes) -> SigningKey:
    """The key that 32 bytes determine: for demonstrations and tests that must repeat.

    Raises:
        UsageError: the seed has not 32 bytes.
    """
    if len(seed) != 32:
        raise UsageError(
            "bad-seed",
            f"a key's seed has 32 bytes, not {len(seed)}",
            why="Ed25519 keys grow from 32 bytes",
            fix="give 32 random bytes",
        )
    return SigningKey(Ed25519PrivateKey.from_private_bytes(seed))


def save_key(key: SigningKey, path: Path, *, passphrase: str | None = None) -> None:
    """Write a private key as PKCS#8 PEM that only its owner can read.

    Raises:
        ConflictError: the file exists; a key is never overwritten.
    """
    encryption = (
        BestAvailableEncryption(passphrase.encode("utf-8")) if passphrase else NoEncryption()
    )
    pem = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as wrong:
        raise ConflictError(
            "key-exists",
            f"{Path(path).name} exists already",
            why="overwriting a key would orphan what it signed",
            fix="choose another file name",
        ) from wrong
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())


def load_key(path: Path, *, passphrase: str | None = None) -> SigningKey:
    """Read a private key that ``save_key`` wrote.

    Raises:
        NotFoundError: there is no such file.
        UsageError: it is the public half, others can read it, or see ``key_from_pem``.
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        pem = path.read_bytes()
    except OSError as wrong:
        raise NotFoundError(
            "no-such-key",
            f"the key file {path.name} cannot be read",
            why=str(wrong.strerror),
            fix="check the path; `credenza key new NAME.key` makes a pair of keys",
        ) from wrong
    if _PUBLIC.match(pem):
        raise UsageError(
            "public-key",
            f"{path.name} holds a public key",
            why="only the private key of the pair can sign",
            fix="name the file without .pub",
        )
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(
            "key-permissions",
            f"the key file {path.name} can be read by others",
            why=f"its mode is {stat.S_IMODE(mode):o}",
            fix=f"run `chmod 600 {path.name}`, and replace the key if others saw it",
        )
    return key_from_pem(pem, path.name, passphrase=passphrase)


def key_from_pem(pem: bytes, name: str, *, passphrase: str | None = None) -> SigningKey:
    """The private key in a PKCS#8 PEM text; ``name`` says in messages where it stands.

    Raises:
        UsageError: the passphrase is missing or wrong, or it is no Ed25519 key.
    """
    try:
        private = load_pem_private_key(pem, passphrase.encode("utf-8") if passphrase else None)
    except (ValueError, TypeError) as wrong:
        raise UsageError(
            "bad-key-file",
            f"{name} holds no key that can be opened",
            why="it is not PKCS#8 PEM, or the passphrase is missing or wrong",
            fix="set $CREDENZA_PASSPHRASE, or make a key with `credenza key new`",
        ) from wrong
    if not isinstance(private, Ed25519PrivateKey):
        raise UsageError(
            "not-ed25519",
            f"{name} holds a key of another kind",
            why=f"it is {type(private).__name__}; signatures here are Ed25519 only",
            fix="make one with `credenza key new`",
        )
    return SigningKey(private)

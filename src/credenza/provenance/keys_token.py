"""Ed25519 keys that never leave a PKCS#11 token: a smart card, an HSM, SoftHSM."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn
from urllib.parse import parse_qs, unquote

from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from credenza.core.errors import NotFoundError, UsageError
from credenza.core.extras import needs_extra
from credenza.provenance.keys import SigningKey

if TYPE_CHECKING:
    import types

_RAW_BYTES = 32


class TokenKey(Ed25519PrivateKey):
    """A private key that signs inside its token and cannot be read.

    Args:
        private: python-pkcs11's handle of the private key; its session stays open.
        public: the 32 bytes of the public key.
    """

    def __init__(self, library: types.ModuleType, private: object, public: bytes) -> None:
        self._mechanism = library.Mechanism.EDDSA
        self._private = private
        self._public = Ed25519PublicKey.from_public_bytes(public)

    def sign(self, data: bytes | bytearray | memoryview) -> bytes:
        """Sign in the token."""
        return bytes(self._private.sign(bytes(data), mechanism=self._mechanism))  # type: ignore[attr-defined]  # untyped

    def public_key(self) -> Ed25519PublicKey:
        """The public half."""
        return self._public

    def private_bytes(self, *_: object, **__: object) -> NoReturn:
        """Refuse: the key stays in its token."""
        raise _stays()

    def private_bytes_raw(self) -> NoReturn:
        """Refuse: the key stays in its token."""
        raise _stays()

    def __copy__(self) -> TokenKey:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> TokenKey:
        return self


def token_key(uri: str, *, pin: str | None, module: str | None = None) -> SigningKey:
    """The key that an RFC 7512 URI names, ready to sign in its token.

    Args:
        uri: ``pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/….so``; percent-encoded
            where need be. A PIN in the URI is not read: it would end up in a shell's
            history.
        pin: the user's PIN, if the token wants one.
        module: the library when the URI names none.

    Raises:
        UsageError: the extra is not installed, the URI lacks a part, or the token
            refuses.
        NotFoundError: there is no such token or key.
    """
    with needs_extra("pkcs11", "a key in a token"):
        import pkcs11  # noqa: PLC0415 - an extra
        from pkcs11 import exceptions  # noqa: PLC0415
    token, label, library = _parts(uri, module)
    try:
        found = pkcs11.lib(library).get_token(token_label=token)
        try:
            session = found.open(user_pin=pin)
        except exceptions.UserAlreadyLoggedIn:  # for another key: a login is the process's
            session = found.open()
        private = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label=label)
        public = session.get_key(pkcs11.ObjectClass.PUBLIC_KEY, label=label)
        point = bytes(public[pkcs11.Attribute.EC_POINT])
    except (exceptions.NoSuchToken, exceptions.NoSuchKey) as wrong:
        raise NotFoundError(
            "no-such-key",
            f"the token {token!r} with a key {label!r} was not found",
            why=type(wrong).__name__,
            fix="look with `pkcs11-tool --list-objects`",
        ) from wrong
    except (exceptions.PKCS11Error, RuntimeError) as wrong:
        raise UsageError(
            "token-refuses",
            f"the token {token!r} cannot be used",
            why=f"{type(wrong).__name__}: {wrong}".rstrip(": "),
            fix="check the module's path, and set $CREDENZA_PIN",
        ) from wrong
    if public.key_type is not pkcs11.KeyType.EC_EDWARDS or len(point) < _RAW_BYTES:
        raise UsageError(
            "not-ed25519",
            f"the key {label!r} is of another kind",
            why=f"it is {public.key_type.name}; signatures here are Ed25519 only",
            fix="make an Ed25519 key in the token",
        )
    # Some tokens give the raw point, others the same inside a DER octet string.
    return SigningKey(TokenKey(pkcs11, private, point[-_RAW_BYTES:]))


def _parts(uri: str, module: str | None) -> tuple[str, str, str]:
    path, _, query = uri.removeprefix("pkcs11:").partition("?")
    named = dict(part.partition("=")[::2] for part in path.split(";"))
    library = parse_qs(query).get("module-path", [module or ""])[0]
    token, label = (unquote(named.get(name, "")) for name in ("token", "object"))
    if not token or not label or not library:
        raise UsageError(
            "bad-key-uri",
            "this does not name a key in a token",
            why="it takes a token, an object and a module",
            fix="pkcs11:token=LABEL;object=LABEL?module-path=/usr/lib/softhsm/libsofthsm2.so",
        )
    return token, label, library


def _stays() -> UsageError:
    return UsageError(
        "key-in-token",
        "a key in a token cannot be written to a file",
        why="a token signs, and never says its key",
        fix="keep using its pkcs11: reference",
    )

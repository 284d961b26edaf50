"""One metadata file of a key ring: TUF's format, read so that it has one spelling.

python-tuf reads metadata leniently: doubled JSON keys, fields that it does not know, one
key under two ids. Here a file is canonical JSON that comes out of python-tuf as it went
in, a key's id *is* the digest of its material, and every signature counts or the file is
refused. So counting ids counts keys, and nobody but a signer can change a digest.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, TypeVar

from securesystemslib.signer import Signature, SSlibKey
from tuf.api.metadata import (
    Metadata,
    Root,
    Signed,
    Snapshot,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError

from credenza.core.canonical import Json, canonical_json, strict_json
from credenza.core.errors import CredenzaError, UntrustedError
from credenza.core.keys import keyid_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from securesystemslib.signer import Key
    from tuf.api.metadata import Role

Part = TypeVar("Part", Root, Timestamp, Snapshot, Targets)

MAX_FILE_BYTES = 2**20
SCHEME = "ed25519"

_SIGNATURE = re.compile(r"[0-9a-f]{128}\Z")


def tuf_key(public: str) -> Key:
    """A public key (64 hex digits) as TUF writes it, named by its material."""
    return SSlibKey(keyid_of(public), SCHEME, SCHEME, {"public": public})


def public_of(key: Key) -> str:
    """The 64 hex digits of a key that ``read`` let pass."""
    return str(key.keyval["public"])


def write(metadata: Metadata[Part]) -> bytes:
    """The one spelling of a metadata file, which ``read`` gives back."""
    metadata.signatures = dict(sorted(metadata.signatures.items()))
    return canonical_json(metadata.to_dict())


def read(kind: type[Part], data: bytes) -> Metadata[Part]:
    """A metadata file whose form was checked and whose signatures were **not**.

    Raises:
        UntrustedError: ``bad-json`` or ``bad-ring``.
    """
    value = strict_json(data, max_bytes=MAX_FILE_BYTES)
    _check_frame(value)
    try:
        found: Metadata[Part] = Metadata.from_bytes(data)
        spelled = canonical_json(found.to_dict())
    except (DeserializationError, CredenzaError) as wrong:
        raise bad_ring("it is not TUF metadata") from wrong
    if spelled != data:
        raise bad_ring("it is not in the one spelling that the ring's writer gives it")
    if found.signed.type != kind.type:
        raise bad_ring(f"it is {found.signed.type} metadata where {kind.type} belongs")
    if found.signed.unrecognized_fields:
        raise bad_ring(f"it has the unknown field {min(found.signed.unrecognized_fields)[:60]!r}")
    _whole(found.signed.version, "version")
    return found


def check_keys(keys: Mapping[str, Key], roles: Iterable[Role]) -> None:
    """Every key is Ed25519 under the digest of its material; every threshold can be met.

    python-tuf and securesystemslib take one key under two ids, which would let one
    holder reach a threshold of two.

    Raises:
        UntrustedError: ``bad-ring``, ``bad-key`` or ``two-ids``.
    """
    for keyid, key in keys.items():
        if (key.keytype, key.scheme) != (SCHEME, SCHEME) or set(key.keyval) != {"public"}:
            raise bad_ring(f"the key {keyid[:16]!r} is not Ed25519")
        if key.unrecognized_fields or not isinstance(key.keyval["public"], str):
            raise bad_ring(f"the key {keyid[:16]!r} has more or other parts than a key has")
        if keyid_of(public_of(key)) != keyid:
            raise UntrustedError(
                "two-ids",
                "a key of the ring goes by a name that is not its own",
                why=f"{keyid[:16]!r} is not the SHA-256 of its material; one key under two names "
                "would count twice",
                fix="write the ring with `credenza ring`",
            )
    for role in roles:
        _whole(role.threshold, "threshold")
        if role.threshold > len(role.keyids):
            raise bad_ring(f"it wants {role.threshold} signatures of {len(role.keyids)} keys")
        if not set(role.keyids) <= set(keys):
            raise bad_ring("a role names a key that is not in the file")


def check_signatures(found: Metadata[Part], delegators: Iterable[Root]) -> None:
    """Each of ``delegators`` sees its threshold of keys, and no other signature is there.

    Raises:
        UntrustedError: ``ring-signatures``.
    """
    role = found.signed.type
    good: set[str] = set()
    for root in delegators:
        result = root.get_verification_result(role, found.signed_bytes, found.signatures)
        if not result.verified:
            raise UntrustedError(
                "ring-signatures",
                f"the ring's {role} (version {found.signed.version}) lacks signatures",
                why=f"{len(result.signed)} of {result.threshold} keys that version {root.version} "
                "of the root names have signed it",
                fix="have the other key holders run `credenza ring sign`",
            )
        good |= set(result.signed)
    if set(found.signatures) - good:
        raise UntrustedError(
            "ring-signatures",
            f"the ring's {role} carries a signature that does not count",
            why="it does not verify, or its key has no part in this role",
            fix="fetch the ring again from its keepers",
        )


def sign(found: Metadata[Part], keyid: str, signature: bytes) -> None:
    """Add one signature over ``found.signed_bytes``."""
    found.signatures[keyid] = Signature(keyid, signature.hex())


def expiry_s(signed: Signed) -> int:
    """When it stops being trusted, in seconds since the epoch."""
    return int(signed.expires.timestamp())


def moment(time_s: int) -> dt.datetime:
    """Seconds since the epoch as TUF's times are kept."""
    return dt.datetime.fromtimestamp(time_s, tz=dt.UTC)


def bad_ring(why: str) -> UntrustedError:
    """Refuse a file of the ring, with the reason."""
    return UntrustedError(
        "bad-ring",
        "a file of the key ring is malformed",
        why=why,
        fix="fetch the ring again from its keepers",
    )


def _check_frame(value: Json) -> None:
    """What lies outside the signed part: nothing but signatures, in the order of their keys."""
    if not isinstance(value, dict) or set(value) != {"signed", "signatures"}:
        raise bad_ring("it has not exactly the fields signatures and signed")
    signatures = value["signatures"]
    if not isinstance(signatures, list):
        raise bad_ring("its signatures are not a list")
    keyids = []
    for item in signatures:
        if not isinstance(item, dict) or set(item) != {"keyid", "sig"}:
            raise bad_ring("a signature has not exactly the fields keyid and sig")
        if not isinstance(item["sig"], str) or not _SIGNATURE.match(item["sig"]):
            raise bad_ring("a signature is not 64 bytes in lower-case hex")
        keyids.append(str(item["keyid"]))
    if keyids != sorted(set(keyids)):
        raise bad_ring("one key signed twice, or the signatures are not in the order of their keys")


def _whole(value: object, name: str) -> None:
    """Python takes true for 1; a signed document does not."""
    if type(value) is not int or value < 1:
        raise bad_ring(f"its {name} is not an integer above 0")

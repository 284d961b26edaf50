"""A signed promise: this entry is in the log, or will be by then, as everybody sees it.

Whoever holds one can convict an operator who drops the entry later: the promise and a
checkpoint without the entry are both signed by the same key.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import canonical_json, strict_json
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PAYLOAD_TYPE = "application/vnd.credenza.receipt+json"
SCHEMA = "credenza.receipt/1"


@dataclass(frozen=True, slots=True)
class Promise:
    """What the operator owes.

    Attributes:
        origin: the log.
        index: where the entry stands.
        kind: of the entry.
        digest: SHA-256 of the entry's content.
        subject: what it is about, for people: the digest of a batch.
        received_s: when it was acknowledged, seconds since the epoch.
        merge_by_s: when a published checkpoint must cover it at the latest.
    """

    origin: str
    index: int
    kind: str
    digest: str
    subject: str
    received_s: int
    merge_by_s: int


def sign_promise(promise: Promise, key: Ed25519PrivateKey) -> bytes:
    """The promise in a DSSE envelope."""
    payload = canonical_json({"schema": SCHEMA, **asdict(promise)})
    return dsse.sign(payload, [key], payload_type=PAYLOAD_TYPE)


def read_promise(envelope: bytes, public: str) -> Promise:
    """The promise, if this operator made it.

    Args:
        envelope: as ``sign_promise`` made it.
        public: the operator's public key, 64 hex digits.

    Raises:
        UntrustedError: malformed, or signed by somebody else.
    """
    found = strict_json(dsse.verify(envelope, [public], payload_type=PAYLOAD_TYPE).payload)
    fields = Promise.__dataclass_fields__
    if (
        not isinstance(found, dict)
        or found.keys() != {"schema", *fields}
        or found["schema"] != SCHEMA
        or any(type(found[name]).__name__ != one.type for name, one in fields.items())
    ):
        raise UntrustedError(
            "bad-receipt",
            "this is not a receipt of a credenza ledger",
            why=f"it has not exactly the fields of {SCHEMA}",
            fix="ask for `credenza batch receipt`",
        )
    del found["schema"]
    return Promise(**found)  # type: ignore[arg-type]  # each field's type was compared above

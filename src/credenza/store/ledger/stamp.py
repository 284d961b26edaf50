"""RFC 3161: a time-stamping authority says when a checkpoint was there at the latest.

A second clock beside the operator's, from somebody who knows nothing of the ledger and is
asked for a digest only. The stamp is what the authority answered, byte for byte, so
``openssl ts -verify -data SIZE.checkpoint -in SIZE.tsr -CAfile tsa.pem`` checks it too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509

from credenza.core.errors import UntrustedError, UsageError
from credenza.core.extras import needs_extra
from credenza.store.ledger.checkpoint import read_checkpoint

if TYPE_CHECKING:
    from rfc3161_client import TimeStampResponse

    from credenza.store.ledger.note import Verifier

MAX_STAMP_BYTES = 64 * 1024
_DIGEST = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")  # SHA-256


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a stamped checkpoint shows.

    Attributes:
        size: entries in the ledger.
        root: of their tree, in hex.
        by_s: when the checkpoint was there at the latest, seconds since the epoch: the
            authority's time and what it says of its own accuracy.
        authority: subject of the certificate that signed, RFC 4514.
    """

    size: int
    root: str
    by_s: int
    authority: str


def stamp_request(checkpoint: bytes) -> bytes:
    """What to send to an authority: a digest of the checkpoint and a nonce, in DER."""
    with needs_extra("stamp", "a time stamp"):
        from rfc3161_client import HashAlgorithm, TimestampRequestBuilder  # noqa: PLC0415

    builder = TimestampRequestBuilder().data(checkpoint).hash_algorithm(HashAlgorithm.SHA256)
    return builder.nonce(nonce=True).cert_request(cert_request=True).build().as_bytes()


def check_answer(request: bytes, answer: bytes) -> None:
    """Refuse an answer to another question; who signed it is ``read_stamp``'s.

    Raises:
        UntrustedError: ``bad-stamp``.
    """
    from rfc3161_client._rust import parse_timestamp_request  # noqa: PLC0415 - an extra

    asked, found = parse_timestamp_request(request), _decoded(answer).tst_info
    if found.nonce != asked.nonce:
        raise _bad("it answers another request: its nonce differs")
    if found.message_imprint.message != asked.message_imprint.message:
        raise _bad("it is a stamp of something else")


def read_stamp(answer: bytes, checkpoint: bytes, log: Verifier, authorities: bytes) -> Stamp:
    """The time by which a log had that checkpoint, to whoever trusts an authority.

    Proves that the checkpoint is not younger; says nothing of how much older it is.
    Blind to an authority that lies, and to a certificate that was revoked: no list of
    revocations is asked for.

    Args:
        answer: what the authority sent, DER.
        checkpoint: the stamped note.
        log: the ledger's name and key.
        authorities: certificates in PEM: one that signed itself, and those between.

    Raises:
        UntrustedError: ``bad-stamp``, or the checkpoint is not this log's.
        UsageError: the certificates are none.
    """
    head = read_checkpoint(checkpoint, log.name, log.public_key)
    trusted, found = _certificates(authorities), _decoded(answer)
    try:
        _verify(found, checkpoint, trusted)
        told = found.tst_info
        seconds = 0 if told.accuracy is None else (told.accuracy.seconds or 0) + 1
        by_s = int(told.gen_time.timestamp()) + seconds
        return Stamp(head.size, head.root.hex(), by_s, _authority(found))
    except ValueError as wrong:  # parts of the answer are parsed only when they are asked for
        raise _bad(f"it is malformed: {wrong}") from wrong


def _verify(found: TimeStampResponse, checkpoint: bytes, trusted: list[x509.Certificate]) -> None:
    from rfc3161_client import VerificationError, VerifierBuilder  # noqa: PLC0415 - an extra

    if found.tst_info.message_imprint.hash_algorithm != _DIGEST:
        raise _bad("its digest is not SHA-256")
    builder = VerifierBuilder()
    for certificate in trusted:
        is_root = certificate.issuer == certificate.subject
        add = builder.add_root_certificate if is_root else builder.add_intermediate_certificate
        builder = add(certificate)
    try:
        builder.build().verify(found, hashlib.sha256(checkpoint).digest())
    except VerificationError as wrong:
        raise _bad(str(wrong)) from wrong


def _decoded(answer: bytes) -> TimeStampResponse:
    with needs_extra("stamp", "a time stamp"):
        from rfc3161_client import decode_timestamp_response  # noqa: PLC0415

    if len(answer) > MAX_STAMP_BYTES:
        raise _bad(f"it has {len(answer)} bytes, more than {MAX_STAMP_BYTES}")
    try:
        found = decode_timestamp_response(answer)
        found.tst_info.gen_time  # noqa: B018 - parsed on demand: now or never
    except ValueError as wrong:
        raise _bad(f"it is no granted RFC 3161 response: {wrong}") from wrong
    return found


def _authority(found: TimeStampResponse) -> str:
    """Who signed; the verifier made sure that there is one signer and that its key fits."""
    [signer] = found.signed_data.signer_infos
    for data in found.signed_data.certificates:
        certificate = x509.load_der_x509_certificate(data)
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            return certificate.subject.rfc4514_string()
    raise _bad("it comes without the certificate of its signer")


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as wrong:
        raise UsageError(
            "bad-certificates",
            "these are no certificates in PEM",
            why=str(wrong),
            fix="ask the time-stamping authority for its chain",
        ) from wrong
    if not any(one.issuer == one.subject for one in found):
        raise UsageError(
            "bad-certificates",
            "there is no certificate to begin the trust with",
            why=f"none of the {len(found)} signed itself",
            fix="add the root of the authority's chain",
        )
    return found


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-stamp",
        "this is not a time stamp of that checkpoint",
        why=why,
        fix="check which authority made it, and keep the .checkpoint beside its .tsr",
    )

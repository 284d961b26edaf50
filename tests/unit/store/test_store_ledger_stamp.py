"""Stamps of checkpoints, by a time-stamping authority of a hundred lines on loopback."""

from __future__ import annotations

import datetime as dt
import hashlib
import random
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from credenza.core.errors import UntrustedError, UsageError
from credenza.interfaces.cli.main import main
from credenza.store.ledger.ledger import Ledger
from credenza.store.ledger.note import Verifier
from credenza.store.ledger.stamp import check_answer, read_stamp, stamp_request
from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

rfc3161_client = pytest.importorskip("rfc3161_client", reason="the extra stamp is not installed")

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
LOG = Verifier("stamped.example/log", KEY.public_key())
STAMPED_AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
SHA256 = bytes.fromhex("300d06096086480165030402010500")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    if len(body) < 128:
        return bytes([tag, len(body)]) + body
    size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + body


def integer(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid(dotted: str) -> bytes:
    first, second, *others = map(int, dotted.split("."))
    out = bytes([first * 40 + second])
    for number in others:
        digits = [number & 0x7F]
        while number := number >> 7:
            digits.append(number & 0x7F | 0x80)
        out += bytes(reversed(digits))
    return der(6, out)


class Authority:
    """A time-stamping authority: a root, a signer with the one right purpose, a clock."""

    def __init__(self, purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING) -> None:
        self._root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root_name, name = (
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
            for text in ("Test Root", "Test Clock")
        )
        self.root = self._certificate(root_name, root_name, self._root_key, None)
        self.certificate = self._certificate(name, root_name, self._key, purpose)

    def _certificate(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        purpose: x509.ObjectIdentifier | None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(7 if purpose else 1)
            .not_valid_before(STAMPED_AT - dt.timedelta(days=30))
            .not_valid_after(STAMPED_AT + dt.timedelta(days=30))
            .add_extension(
                x509.BasicConstraints(ca=purpose is None, path_length=None), critical=True
            )
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._root_key.public_key()),
                critical=False,
            )
        )
        if purpose is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        return builder.sign(self._root_key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.root.public_bytes(Encoding.PEM)

    def answer(self, request: bytes) -> bytes:
        """RFC 3161's TimeStampResp: status granted, and a CMS SignedData over a TSTInfo."""
        asked = rfc3161_client._rust.parse_timestamp_request(request)
        told = der(
            0x30,
            integer(1),
            oid("1.2.3.4"),
            der(0x30, SHA256, der(4, asked.message_imprint.message)),
            integer(99),
            der(0x18, f"{STAMPED_AT:%Y%m%d%H%M%S}Z".encode()),
            der(0x30, integer(2)),
            integer(asked.nonce),
        )
        content_type = oid("1.2.840.113549.1.9.16.1.4")
        own = self.certificate.public_bytes(Encoding.DER)
        attributes = sorted(
            der(0x30, oid(name), der(0x31, value))
            for name, value in (
                ("1.2.840.113549.1.9.3", content_type),
                ("1.2.840.113549.1.9.4", der(4, hashlib.sha256(told).digest())),
                (
                    "1.2.840.113549.1.9.16.2.47",
                    der(0x30, der(0x30, der(0x30, der(4, hashlib.sha256(own).digest())))),
                ),
            )
        )
        signature = self._key.sign(der(0x31, *attributes), ec.ECDSA(hashes.SHA256()))
        signer = der(
            0x30,
            integer(1),
            der(0x30, self.certificate.issuer.public_bytes(), integer(7)),
            SHA256,
            der(0xA0, *attributes),
            ECDSA_SHA256,
            der(4, signature),
        )
        signed = der(
            0x30,
            integer(3),
            der(0x31, SHA256),
            der(0x30, content_type, der(0xA0, der(4, told))),
            der(0xA0, own),
            der(0x31, signer),
        )
        token = der(0x30, oid("1.2.840.113549.1.7.2"), der(0xA0, signed))
        return der(0x30, der(0x30, integer(0)), token)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("stamped")
    with Ledger.create(folder / "log", LOG.name, KEY) as ledger:
        ledger.append_many([("verdict", "a" * 64)] * 3, 1_700_000_000)
        return ledger.checkpoint()


def refused(answer: bytes, checkpoint: bytes, pem: bytes) -> UntrustedError:
    with pytest.raises(UntrustedError) as refusal:
        read_stamp(answer, checkpoint, LOG, pem)
    return refusal.value


def test_a_stamp_shows_by_when_a_checkpoint_was_there(
    authority: Authority, checkpoint: bytes
) -> None:
    request = stamp_request(checkpoint)
    answer = authority.answer(request)
    check_answer(request, answer)
    found = read_stamp(answer, checkpoint, LOG, authority.pem)
    assert (found.size, found.authority) == (3, "CN=Test Clock")
    assert found.by_s == int(STAMPED_AT.timestamp()) + 3  # two seconds of its own, rounded up


def test_threat_09_a_stamp_of_one_checkpoint_dates_no_other(
    authority: Authority, checkpoint: bytes, tmp_path: Path
) -> None:
    with Ledger.create(tmp_path / "log", LOG.name, KEY) as ledger:
        ledger.append_many([("verdict", "b" * 64)] * 3, 1_700_000_000)
        other = ledger.checkpoint()
    answer = authority.answer(stamp_request(checkpoint))
    assert "between messages" in refused(answer, other, authority.pem).why
    with pytest.raises(UntrustedError):
        check_answer(stamp_request(checkpoint), answer)  # another request: another nonce
    stranger = Verifier(LOG.name, Ed25519PrivateKey.generate().public_key())
    with pytest.raises(UntrustedError):
        read_stamp(answer, checkpoint, stranger, authority.pem)


def test_a_stamp_of_another_authority_or_purpose_is_refused(
    authority: Authority, checkpoint: bytes
) -> None:
    request = stamp_request(checkpoint)
    assert refused(Authority().answer(request), checkpoint, authority.pem).code == "bad-stamp"
    web = Authority(ExtendedKeyUsageOID.SERVER_AUTH)
    assert refused(web.answer(request), checkpoint, web.pem).code == "bad-stamp"


def test_certificates_that_begin_no_trust_are_the_callers_mistake(
    authority: Authority, checkpoint: bytes
) -> None:
    answer = authority.answer(stamp_request(checkpoint))
    for pem in (b"none", authority.certificate.public_bytes(Encoding.PEM)):
        with pytest.raises(UsageError):
            read_stamp(answer, checkpoint, LOG, pem)


def test_no_mutant_of_a_stamp_tells_another_time(authority: Authority, checkpoint: bytes) -> None:
    answer = authority.answer(stamp_request(checkpoint))
    honest = read_stamp(answer, checkpoint, LOG, authority.pem)
    rng = random.Random(3161)  # noqa: S311 - damage, not keys
    refusals = 0
    for number in range(600):
        at = rng.randrange(len(answer))
        mutant = (
            answer[:at] + bytes([answer[at] ^ 1 << rng.randrange(8)]) + answer[at + 1 :]
            if number % 3
            else answer[:at] + answer[at + rng.randint(1, 3) :]
        )
        try:
            assert read_stamp(mutant, checkpoint, LOG, authority.pem) == honest
        except UntrustedError:
            refusals += 1
    assert refusals > 550


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_accepts_the_same_stamp(
    authority: Authority, checkpoint: bytes, tmp_path: Path
) -> None:
    for name, data in (
        ("c", checkpoint),
        ("tsr", authority.answer(stamp_request(checkpoint))),
        ("pem", authority.pem),
    ):
        (tmp_path / name).write_bytes(data)
    words = ["ts", "-verify", "-data", "c", "-in", "tsr", "-CAfile", "pem", "-attime"]
    found = subprocess.run(
        [str(shutil.which("openssl")), *words, str(int(STAMPED_AT.timestamp()))],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Verification: OK" in found.stdout + found.stderr


@pytest.fixture
def loopback(authority: Authority) -> Iterator[str]:
    """The authority's URL."""

    class Desk(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            answer = authority.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Desk) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_checkpoint_is_stamped_and_checked_from_the_command_line(
    authority: Authority,
    loopback: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with Workspace.init(tmp_path / "home") as workspace:
        key = workspace.public_key
    (tmp_path / "tsa.pem").write_bytes(authority.pem)
    assert main(["log", "stamp", "--tsa", loopback, "--home", "home", "--out", "stamps"]) == 0
    assert sorted(path.name for path in (tmp_path / "stamps").iterdir()) == [
        "1.checkpoint",
        "1.tsr",
    ]
    check = ["log", "verify-stamp", "stamps/1.tsr", "--trust", key, "--tsa", "tsa.pem"]
    assert main(check) == 0
    assert "2026-03-01 12:00:03Z" in capsys.readouterr().out
    (tmp_path / "stamps" / "1.tsr").write_bytes(b"0\x00")
    assert main(check) == 3


def test_an_authority_that_does_not_answer_blocks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Workspace.init(tmp_path / "home").close()
    with Workspace.open(tmp_path / "home") as writer:
        writer._stores.journal.lock()  # a stamp needs no lock, whoever writes
        line = ["log", "stamp", "--tsa", "http://127.0.0.1:9/", "--home", "home", "--out", "stamps"]
        assert main(line) == 4
    assert not (tmp_path / "stamps").exists()
    assert "no answer" in capsys.readouterr().out

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from credenza.core.errors import UntrustedError
from credenza.core.keys import check_public_key, keyid_of, public_hex

PRIVATE = Ed25519PrivateKey.from_private_bytes(b"a" * 32)
A = public_hex(PRIVATE)


def test_a_key_is_named_by_the_digest_of_its_bytes() -> None:
    raw = PRIVATE.public_key().public_bytes_raw()
    assert raw.hex() == A
    assert keyid_of(A) == hashlib.sha256(raw).hexdigest()


def _on_curve(height: int) -> bool:
    """Whether a point of this height exists: x² = (y² - 1) / (d y² + 1) has a root."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    square = (height * height - 1) * pow(d * height * height + 1, -1, p) % p
    return square == 0 or pow(square, (p - 1) // 2, p) == 1


def test_threat_02_keys_that_anyone_can_sign_with_are_refused() -> None:
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p
    eighth = [
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    ]
    # A point of order 8 doubles to one with y = 0, hence d y⁴ + 2 y² = 1.
    assert all((d * pow(y, 4, p) + 2 * y * y - 1) % p == 0 for y in eighth)
    for height in (0, 1, p - 1, *eighth):
        assert _on_curve(height)
        for sign in (0, 1):
            encoded = (height + sign * 2**255).to_bytes(32, "little").hex()
            with pytest.raises(UntrustedError):
                check_public_key(encoded)


def test_threat_02_a_second_spelling_of_a_point_is_refused() -> None:
    p = 2**255 - 19
    for height in (3, 4, 18):
        second = (height + p).to_bytes(32, "little").hex()
        with pytest.raises(UntrustedError) as refusal:
            check_public_key(second)
        assert "second spelling" in refusal.value.why
    assert check_public_key(A) == A
    for malformed in (A.upper(), A + "\n", A[:-2], ""):
        with pytest.raises(UntrustedError):
            check_public_key(malformed)


def test_a_key_that_cannot_be_trusted_has_no_name() -> None:
    for key in ("", A.upper(), A + "\n", "00", "0" * 64, "\u202e" + A):
        with pytest.raises(UntrustedError) as refusal:
            keyid_of(key)
        assert refusal.value.code == "bad-key"
        assert str(refusal.value).isascii()

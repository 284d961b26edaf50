from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from credenza.core import dsse
from credenza.core.canonical import MAX_BYTES, canonical_json
from credenza.core.errors import UntrustedError, UsageError

TYPE = "application/vnd.in-toto+json"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = dsse.keys_by_id([dsse.public_hex(KEY)])


def refuse(envelope: bytes, code: str) -> UntrustedError:
    with pytest.raises(UntrustedError) as caught:
        dsse.verify(envelope, TRUSTED)
    assert caught.value.code == code, str(caught.value)
    assert caught.value.exit_code == 3
    return caught.value


def altered(change: dict[str, object], inner: dict[str, object] | None = None) -> bytes:
    document = json.loads(dsse.sign(TYPE, b"{}", KEY))
    document.update(change)
    document["signatures"][0].update(inner or {})
    return canonical_json(document)


def test_the_encoding_is_the_example_of_the_specification() -> None:
    encoded = dsse.pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


@given(payload=st.binary(max_size=200), kind=st.text(min_size=1, max_size=40))
def test_what_was_signed_comes_back_exactly(payload: bytes, kind: str) -> None:
    signed = dsse.verify(dsse.sign(kind, payload, KEY), TRUSTED)
    assert signed == (kind, payload, dsse.keyid_of(dsse.public_hex(KEY)))


@given(data=st.data())
def test_no_changed_byte_of_an_envelope_passes(data: st.DataObject) -> None:
    envelope = bytearray(dsse.sign(TYPE, b'{"rows":1}', KEY))
    at = data.draw(st.integers(0, len(envelope) - 1))
    envelope[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UntrustedError):
        dsse.verify(bytes(envelope), TRUSTED)


def test_a_swapped_payload_type_breaks_the_signature() -> None:
    refuse(altered({"payloadType": "text/plain"}), "bad-signature")


def test_length_prefixes_keep_type_and_payload_apart() -> None:
    moved = dsse.pre_authentication_encoding("a 1 b", b"c")
    assert moved != dsse.pre_authentication_encoding("a", b"1 b 1 c")


def test_a_key_that_nobody_trusts_is_named() -> None:
    wrong = refuse(dsse.sign(TYPE, b"{}", OTHER), "unknown-key")
    assert dsse.keyid_of(dsse.public_hex(OTHER))[:16] in wrong.why


def test_another_key_under_a_trusted_name_does_not_verify() -> None:
    forged = json.loads(dsse.sign(TYPE, b"{}", OTHER))
    forged["signatures"][0]["keyid"] = dsse.keyid_of(dsse.public_hex(KEY))
    refuse(canonical_json(forged), "bad-signature")


def test_one_key_cannot_be_listed_under_two_names() -> None:
    alias = {"0" * 64: dsse.public_hex(KEY)}
    with pytest.raises(UsageError, match="another key's name"):
        dsse.verify(altered({}, {"keyid": "0" * 64}), alias)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"payloadType": 7},
        {"payloadType": ""},
        {"payload": None},
        {"payload": "e30"},
        {"payload": "e31="},
        {"payload": "e30=\n"},
        {"payload": "-_8="},
        {"payload": "é30="},
        {"signatures": [{"keyid": "0" * 64, "sig": ""}, {"keyid": "1" * 64, "sig": ""}]},
        {"signatures": [{"keyid": "0" * 64, "sig": "", "alg": "none"}]},
        {"signatures": [{"keyid": "0" * 64, "sig": ""}]},
        {"signatures": [{"keyid": "A" * 64, "sig": "e30="}]},
    ],
    ids=lambda change: str(change)[:48],
)
def test_an_envelope_of_another_shape_is_refused(change: dict[str, object]) -> None:
    refuse(altered(change), "bad-envelope")


def test_a_scheme_beside_the_signature_is_refused_rather_than_obeyed() -> None:
    refuse(altered({}, {"scheme": "rsa"}), "bad-envelope")


def test_a_space_does_not_make_a_second_envelope_of_the_same_statement() -> None:
    refuse(dsse.sign(TYPE, b"{}", KEY) + b" ", "bad-envelope")
    refuse(json.dumps(json.loads(dsse.sign(TYPE, b"{}", KEY))).encode(), "bad-envelope")


def test_a_key_said_twice_in_the_json_is_refused() -> None:
    envelope = dsse.sign(TYPE, b"{}", KEY)
    refuse(envelope[:-1] + b',"payloadType":"x"}', "bad-json")


def test_a_list_is_not_an_envelope() -> None:
    refuse(b"[]", "bad-envelope")


def test_a_signature_cut_short_is_refused_by_its_length() -> None:
    short = base64.b64encode(bytes(63)).decode()
    wrong = refuse(altered({}, {"sig": short}), "bad-envelope")
    assert "63 bytes" in wrong.why


def test_what_could_not_be_verified_is_not_signed() -> None:
    with pytest.raises(UsageError, match="too large"):
        dsse.sign(TYPE, bytes(MAX_BYTES), KEY)


def test_a_key_in_capitals_or_with_a_newline_is_not_a_key() -> None:
    for key in (dsse.public_hex(KEY).upper(), dsse.public_hex(KEY) + "\n", "00"):
        with pytest.raises(UsageError, match="64 lower-case hex"):
            dsse.keyid_of(key)

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.core import dsse
from credenza.core.canonical import MAX_BYTES, canonical_json
from credenza.core.errors import UntrustedError, UsageError
from credenza.core.keys import keyid_of, public_hex

if TYPE_CHECKING:
    from collections.abc import Callable

TEXT = "text/plain"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
PUBLIC, OTHERS = public_hex(KEY), public_hex(OTHER)
PAYLOAD = b'{"a":1}'


def changed(change: Callable[[dict[str, Any]], object], *keys: Ed25519PrivateKey) -> bytes:
    document = json.loads(dsse.sign(PAYLOAD, keys or [KEY]))
    change(document)
    return canonical_json(document)


def refuse(envelope: bytes, code: str, *keys: str, **options: Any) -> UntrustedError:  # noqa: ANN401 - threshold or payload_type
    with pytest.raises(UntrustedError) as caught:
        dsse.verify(envelope, keys or [PUBLIC], **options)
    assert caught.value.code == code, str(caught.value)
    assert caught.value.exit_code == 3
    return caught.value


def test_the_signed_bytes_are_the_example_of_the_specification() -> None:
    encoded = dsse.pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert encoded == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_length_prefixes_keep_type_and_payload_apart() -> None:
    moved = dsse.pre_authentication_encoding("a 1 b", b"c")
    assert moved != dsse.pre_authentication_encoding("a", b"1 b 1 c")


def test_the_payload_type_is_that_of_in_toto() -> None:
    assert json.loads(dsse.sign(PAYLOAD, [KEY]))["payloadType"] == "application/vnd.in-toto+json"


@settings(deadline=None, derandomize=True)
@given(payload=st.binary(max_size=200), kind=st.text(min_size=1, max_size=40))
def test_what_was_signed_comes_back_exactly(payload: bytes, kind: str) -> None:
    envelope = dsse.sign(payload, [KEY], payload_type=kind)
    signed = dsse.verify(envelope, [OTHERS, PUBLIC], payload_type=kind)
    assert signed == (payload, (keyid_of(PUBLIC),))


@settings(deadline=None, derandomize=True)
@given(data=st.data())
def test_threat_01_no_changed_byte_of_an_envelope_passes(data: st.DataObject) -> None:
    envelope = bytearray(dsse.sign(PAYLOAD, [KEY]))
    at = data.draw(st.integers(0, len(envelope) - 1))
    envelope[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UntrustedError):
        dsse.verify(bytes(envelope), [PUBLIC])


def test_threat_01_a_payload_changed_by_one_byte_is_refused() -> None:
    other = base64.b64encode(b'{"a":2}').decode()
    refuse(changed(lambda e: e.update(payload=other)), "bad-signature")


def test_threat_01_a_payload_type_cannot_be_swapped() -> None:
    swapped = changed(lambda e: e.update(payloadType=TEXT))
    refuse(swapped, "bad-envelope")
    refuse(swapped, "bad-signature", payload_type=TEXT)


def test_threat_01_an_envelope_cannot_choose_its_algorithm() -> None:
    refuse(changed(lambda e: e["signatures"][0].update(scheme="rsassa-pss-sha256")), "bad-envelope")
    refuse(changed(lambda e: e["signatures"][0].update(alg="none")), "bad-envelope")


def test_threat_01_a_signature_of_another_length_is_refused() -> None:
    short = base64.b64encode(bytes(63)).decode()
    wrong = refuse(changed(lambda e: e["signatures"][0].update(sig=short)), "bad-envelope")
    assert "63 bytes" in wrong.why
    refuse(changed(lambda e: e.update(signatures=[])), "bad-envelope")


def test_threat_01_an_envelope_has_one_spelling_so_its_digest_is_the_signers() -> None:
    signed = dsse.sign(PAYLOAD, [KEY])
    refuse(signed + b" ", "bad-envelope")
    refuse(signed + b"\n", "bad-envelope")
    refuse(json.dumps(json.loads(signed)).encode(), "bad-envelope")
    refuse(changed(lambda e: e.update(payload=e["payload"] + "\n")), "bad-envelope")


def test_threat_01_signatures_cannot_be_put_in_another_order() -> None:
    assert dsse.sign(PAYLOAD, [KEY, OTHER]) == dsse.sign(PAYLOAD, [OTHER, KEY])
    turned = changed(lambda e: e["signatures"].reverse(), KEY, OTHER)
    refuse(turned, "bad-envelope", PUBLIC, OTHERS)


def test_every_signature_must_verify_not_only_enough_of_them() -> None:
    both = dsse.sign(PAYLOAD, [KEY, OTHER])
    assert len(dsse.verify(both, [PUBLIC, OTHERS], threshold=2).keyids) == 2
    refuse(both, "unknown-key")
    dropped = changed(lambda e: e["signatures"].pop(), KEY, OTHER)
    refuse(dropped, "too-few-signatures", PUBLIC, OTHERS, threshold=2)


def test_threat_02_one_key_signing_twice_does_not_reach_a_threshold() -> None:
    doubled = changed(lambda e: e["signatures"].append(e["signatures"][0]))
    refuse(doubled, "bad-envelope", threshold=2)
    refuse(dsse.sign(PAYLOAD, [KEY, KEY]), "bad-envelope", threshold=2)


def test_threat_02_one_key_under_two_ids_does_not_reach_a_threshold() -> None:
    # python-tuf and securesystemslib accept a second id for the same material.
    def rename(envelope: dict[str, Any]) -> None:
        one = envelope["signatures"][0]
        envelope["signatures"].append({**one, "keyid": keyid_of(OTHERS)})
        envelope["signatures"].sort(key=lambda signature: str(signature["keyid"]))

    refuse(changed(rename), "unknown-key", PUBLIC, PUBLIC, threshold=2)
    refuse(changed(rename), "bad-signature", PUBLIC, OTHERS, threshold=2)
    refuse(dsse.sign(PAYLOAD, [KEY]), "too-few-signatures", PUBLIC, PUBLIC, threshold=2)


def test_threat_02_a_key_that_anyone_can_sign_with_is_not_trusted() -> None:
    refuse(dsse.sign(PAYLOAD, [KEY]), "bad-key", PUBLIC, "0" * 64)


def test_threat_03_a_key_said_twice_in_the_json_is_refused() -> None:
    envelope = dsse.sign(PAYLOAD, [KEY])
    refuse(envelope[:-1] + b',"payloadType":"x"}', "bad-json")
    refuse(envelope.replace(b'{"payload":', b'{"payload":"e30=","payload":', 1), "bad-json")


def test_a_key_that_nobody_trusts_is_named() -> None:
    wrong = refuse(dsse.sign(PAYLOAD, [OTHER]), "unknown-key")
    assert keyid_of(OTHERS)[:16] in wrong.why


def test_another_key_under_a_trusted_name_does_not_verify() -> None:
    forged = json.loads(dsse.sign(PAYLOAD, [OTHER]))
    forged["signatures"][0]["keyid"] = keyid_of(PUBLIC)
    refuse(canonical_json(forged), "bad-signature")


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
        {"signatures": [{"keyid": "0" * 64, "sig": ""}]},
        {"signatures": [{"keyid": "A" * 64, "sig": "e30="}]},
        {"signatures": ["0" * 64]},
    ],
    ids=lambda change: str(change)[:48],
)
def test_an_envelope_of_another_shape_is_refused(change: dict[str, object]) -> None:
    refuse(changed(lambda e: e.update(change)), "bad-envelope")


def test_more_signatures_than_anyone_needs_are_not_tried() -> None:
    many = [{"keyid": f"{i:064x}", "sig": "A" * 86 + "=="} for i in range(dsse.MAX_SIGNATURES + 1)]
    refuse(changed(lambda e: e.update(signatures=many)), "bad-envelope")


def test_a_list_is_not_an_envelope() -> None:
    refuse(b"[]", "bad-envelope")


def test_what_could_not_be_verified_is_not_signed() -> None:
    with pytest.raises(UsageError, match="too large"):
        dsse.sign(bytes(MAX_BYTES), [KEY])

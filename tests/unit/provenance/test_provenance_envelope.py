from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from credenza.core.canonical import canonical_json
from credenza.core.errors import UntrustedError
from credenza.provenance.envelope import (
    PAYLOAD_TYPE,
    open_envelope,
    pre_authentication_encoding,
    seal,
)
from credenza.provenance.keyring import key_from_seed

if TYPE_CHECKING:
    from collections.abc import Callable

KEY, OTHER = key_from_seed(b"a" * 32), key_from_seed(b"b" * 32)
PAYLOAD = b'{"a":1}'


def _changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    value = json.loads(seal(PAYLOAD, [KEY]))
    change(value)
    return canonical_json(value)


def _code(data: bytes, *keys: str, threshold: int = 1, payload_type: str = PAYLOAD_TYPE) -> str:
    with pytest.raises(UntrustedError) as refusal:
        open_envelope(data, keys or (KEY.public,), threshold=threshold, payload_type=payload_type)
    return refusal.value.code


def test_what_was_sealed_is_opened_with_the_key_that_sealed_it() -> None:
    opened = open_envelope(seal(PAYLOAD, [KEY]), [OTHER.public, KEY.public])
    assert (opened.payload, opened.keyids) == (PAYLOAD, (KEY.keyid,))


def test_the_signed_bytes_are_those_of_the_dsse_specification() -> None:
    # The example of the DSSE protocol page.
    assert (
        pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_threat_01_a_payload_changed_by_one_byte_is_refused() -> None:
    other = base64.b64encode(b'{"a":2}').decode()
    assert _code(_changed(lambda e: e.update(payload=other))) == "bad-signature"


def test_threat_01_a_payload_type_cannot_be_swapped() -> None:
    swapped = _changed(lambda e: e.update(payloadType="text/plain"))
    assert _code(swapped) == "bad-envelope"
    assert _code(swapped, payload_type="text/plain") == "bad-signature"


def test_threat_01_an_envelope_cannot_choose_its_algorithm() -> None:
    labelled = _changed(lambda e: e["signatures"][0].update(scheme="rsassa-pss-sha256"))
    assert _code(labelled) == "bad-envelope"
    assert _code(_changed(lambda e: e["signatures"][0].update(alg="none"))) == "bad-envelope"


def test_threat_01_a_signature_of_another_length_is_refused() -> None:
    short = base64.b64encode(b"\x00" * 63).decode()
    assert _code(_changed(lambda e: e["signatures"][0].update(sig=short))) == "bad-envelope"
    assert _code(_changed(lambda e: e.update(signatures=[]))) == "bad-envelope"


def test_threat_01_an_envelope_has_one_spelling_so_its_digest_is_the_signers() -> None:
    sealed = seal(PAYLOAD, [KEY])
    spaced = json.dumps(json.loads(sealed)).encode()
    assert open_envelope(sealed, [KEY.public]).payload == PAYLOAD
    assert _code(spaced) == "bad-envelope"
    assert _code(sealed + b"\n") == "bad-envelope"
    trailing = _changed(lambda e: e.update(payload=e["payload"] + "\n"))
    assert _code(trailing) == "bad-envelope"


def test_a_key_that_is_not_trusted_is_named() -> None:
    assert _code(seal(PAYLOAD, [OTHER])) == "wrong-key"


def test_every_signature_must_verify_not_only_enough_of_them() -> None:
    both = seal(PAYLOAD, [KEY, OTHER])
    assert len(open_envelope(both, [KEY.public, OTHER.public], threshold=2).keyids) == 2
    assert _code(both, KEY.public) == "wrong-key"


def test_threat_02_one_key_signing_twice_does_not_reach_a_threshold() -> None:
    doubled = _changed(lambda e: e["signatures"].append(e["signatures"][0]))
    assert _code(doubled, KEY.public, threshold=2) == "bad-envelope"


def test_threat_02_one_key_under_two_ids_does_not_reach_a_threshold() -> None:
    # python-tuf and securesystemslib accept a second id for the same material.
    renamed = _changed(
        lambda e: e["signatures"].append({**e["signatures"][0], "keyid": OTHER.keyid})
    )
    assert _code(renamed, KEY.public, KEY.public, threshold=2) == "wrong-key"
    assert _code(renamed, KEY.public, OTHER.public, threshold=2) == "bad-signature"
    assert _code(seal(PAYLOAD, [KEY]), KEY.public, KEY.public, threshold=2) == "too-few-signatures"


def test_threat_03_an_envelope_with_a_doubled_field_is_refused() -> None:
    doubled = seal(PAYLOAD, [KEY]).replace(b'{"payload":', b'{"payload":"e30=","payload":', 1)
    assert _code(doubled) == "bad-json"


def test_the_payload_type_is_that_of_in_toto() -> None:
    assert json.loads(seal(PAYLOAD, [KEY]))["payloadType"] == PAYLOAD_TYPE
    assert PAYLOAD_TYPE == "application/vnd.in-toto+json"

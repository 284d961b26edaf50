from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credenza.core.canonical import MAX_INTEGER, canonical_json, sha256_hex, strict_json
from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from credenza.core.canonical import Json

_SCALARS = st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | st.text(max_size=20)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None, derandomize=True)
@given(_VALUES)
def test_what_is_written_canonically_is_read_back_as_it_was(value: Json) -> None:
    assert strict_json(canonical_json(value)) == value


def test_key_order_and_spaces_do_not_change_the_canonical_bytes() -> None:
    spaced = b'{ "b" : [1, 2],\n "a" : "\\u00e4" }'
    assert canonical_json(strict_json(spaced)) == '{"a":"ä","b":[1,2]}'.encode()


@pytest.mark.parametrize(
    ("hostile", "why"),
    [
        (b'{"rows":1,"rows":999}', "names a key twice"),
        (b'{"rows":9007199254740992}', "beyond 2^53"),
        (b'{"rows":' + b"9" * 5000 + b"}", "beyond 2^53"),
        (b'{"rows":1.0}', "not an integer"),
        (b'{"rows":1e3}', "not an integer"),
        (b'{"rows":NaN}', "not an integer"),
        (b'{"rows":-Infinity}', "not an integer"),
        (b"[" * 2000 + b"]" * 2000, "nested deeper"),
        (b'{"a":' * 2000 + b"1" + b"}" * 2000, "nested deeper"),
        (b'\xef\xbb\xbf{"rows":1}', "not JSON"),
        (b'{"name":"\\ud800"}', "lone surrogate"),
        (b'{"name":"\xff"}', "not UTF-8"),
        (b'{"rows":1} {"rows":2}', "not JSON"),
        (b"{'rows':1}", "not JSON"),
        (b"", "not JSON"),
    ],
)
def test_threat_03_json_with_two_meanings_is_refused(hostile: bytes, why: str) -> None:
    with pytest.raises(UntrustedError) as refusal:
        strict_json(hostile)
    assert refusal.value.code == "bad-json"
    assert why in refusal.value.why


def test_threat_03_a_document_beyond_its_size_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(UntrustedError, match="not strict JSON"):
        strict_json(b"[" * 101, max_bytes=100)


def test_brackets_inside_strings_are_not_nesting() -> None:
    text = "[{" * 100 + '\\"['
    assert strict_json(json.dumps([text]).encode()) == [text]


@pytest.mark.parametrize("value", [1.5, float("nan"), MAX_INTEGER + 1, "\ud800", {"a": b"x"}])
def test_what_has_no_canonical_form_cannot_be_signed(value: Json) -> None:
    with pytest.raises(UntrustedError):
        canonical_json(value)


def test_a_digest_is_sha256_in_hex() -> None:
    assert sha256_hex(b"abc").startswith("ba7816bf8f01cfea")

"""One byte string per value, and a parser that refuses everything ambiguous.

What is signed or hashed is written by ``canonical_json`` and read by
``strict_json``: strings, integers within ±(2^53 - 1), booleans, null, lists and
objects with sorted keys. No floats, so no two languages can disagree on digits.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TypeAlias

from credenza.core.errors import UntrustedError

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 32
MAX_BYTES = 8 * 2**20

# Ends at the closing quote or the end of the data, so it always matches once begun
# and an unclosed string cannot make the scan quadratic.
_STRING = re.compile(rb'"(?:[^"\\]|\\.|\\\Z)*+(?:"|\Z)', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def canonical_json(value: Json) -> bytes:
    """The one encoding of ``value``: sorted keys, no spaces, UTF-8.

    Raises:
        UntrustedError: a float, a large integer, a lone surrogate or deep nesting.
    """
    _check(value, 0)
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8")


def strict_json(data: bytes, *, max_bytes: int = MAX_BYTES) -> Json:
    """Parse JSON that has exactly one meaning.

    Refuses duplicate keys, floats, NaN, integers beyond 2^53 - 1, a byte order
    mark, lone surrogates, invalid UTF-8, and nesting beyond ``MAX_DEPTH``.

    Raises:
        UntrustedError: with the first thing that was wrong.
    """
    if len(data) > max_bytes:
        raise _bad(f"{len(data)} bytes, more than {max_bytes}")
    _check_depth(data)
    try:
        text = data.decode("utf-8", errors="strict")
        value: Json = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_integer,
        )
    except UnicodeDecodeError as wrong:
        raise _bad("not UTF-8") from wrong
    except (json.JSONDecodeError, RecursionError) as wrong:
        raise _bad("not JSON") from wrong
    _check(value, 0)
    return value


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-json", "a signed document is not strict JSON", why=why, fix="sign it again"
    )


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _bad("an object names a key twice")
    return found


def _no_float(text: str) -> Json:
    raise _bad(f"the number {text[:40]} is not an integer")


def _integer(text: str) -> int:
    if len(text) > 17:
        raise _bad("an integer lies beyond 2^53 - 1")
    return int(text)


def _check_depth(data: bytes) -> None:
    """Bound the nesting before the parser recurses."""
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", data)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise _bad(f"nested deeper than {MAX_DEPTH}")


def _check(value: Json, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _bad(f"nested deeper than {MAX_DEPTH}")
    if isinstance(value, list):
        for item in value:
            _check(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check(key, depth + 1)
            _check(item, depth + 1)
    else:
        _check_scalar(value)


def _check_scalar(value: str | int | bool | None) -> None:  # a JSON value
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        try:
            value.encode("utf-8", errors="strict")
        except UnicodeEncodeError as wrong:
            raise _bad("a string has a lone surrogate") from wrong
    elif isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise _bad("an integer lies beyond 2^53 - 1")
    else:
        raise _bad(f"{type(value).__name__} has no canonical form")

"""Ways to damage a document: bits, bytes, lines, JSON values, payloads and signatures.

Each is told honest bytes and a generator, and gives others; now and then the same ones.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from credenza.core import dsse
from credenza.core.canonical import canonical_json
from credenza.provenance.keys import key_from_seed

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    Mutator = Callable[[bytes, random.Random], bytes]

STRANGER = key_from_seed(bytes([4]) * 32)


def flip(data: bytes, rng: random.Random) -> bytes:
    """One bit changed."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def insert(data: bytes, rng: random.Random) -> bytes:
    """A byte, often one with a meaning, put somewhere."""
    at = rng.randrange(len(data) + 1)
    piece = rng.choice([b" ", b"\n", b"\x00", b"\xff", b'"', b"{", b"9", rng.randbytes(1)])
    return data[:at] + piece + data[at:]


def drop(data: bytes, rng: random.Random) -> bytes:
    """Up to nine bytes gone."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.randint(1, 9) :]


def double(data: bytes, rng: random.Random) -> bytes:
    """Up to forty bytes twice."""
    at = rng.randrange(len(data))
    return data[: at + rng.randint(1, 40)] + data[at:]


def swap(data: bytes, rng: random.Random) -> bytes:
    """What follows one place, before what stood there."""
    one, other = sorted(rng.sample(range(len(data)), 2))
    return data[:one] + data[other:] + data[one:other]


def cut(data: bytes, rng: random.Random) -> bytes:
    """Only a beginning."""
    return data[: rng.randrange(len(data))]


def lines(data: bytes, rng: random.Random) -> bytes:
    """One line dropped, doubled or put elsewhere."""
    found = data.split(b"\n")
    line = found.pop(rng.randrange(len(found)))
    for _ in range(rng.randrange(3)):
        found.insert(rng.randrange(len(found) + 1), line)
    return b"\n".join(found)


def digit(data: bytes, rng: random.Random) -> bytes:
    """One digit, decimal or hex, becomes another: numbers and digests that still parse."""
    places = [at for at, byte in enumerate(data) if byte in b"0123456789abcdef"]
    at = rng.choice(places)
    return data[:at] + rng.choice(b"0123456789abcdef").to_bytes(1, "big") + data[at + 1 :]


def value(data: bytes, rng: random.Random) -> bytes:
    """One value somewhere in a JSON document, changed; the document well spelled again."""
    document = json.loads(data)
    holders = list(_containers(document))
    holder = rng.choice(holders)
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    if not keys or rng.random() < 0.1:
        added = rng.choice([0, "x", None, True])
        holder.update(more=added) if isinstance(holder, dict) else holder.append(added)
        return canonical_json(document)
    key = rng.choice(keys)
    if rng.random() < 0.2:
        del holder[key]
    else:
        holder[key] = _other(holder[key], rng)
    return canonical_json(document)


def payload(data: bytes, rng: random.Random) -> bytes:
    """The signature of an envelope stays; what it signs is changed, and well wrapped again."""
    envelope = json.loads(data)
    signed = base64.b64decode(envelope["payload"])
    changed = rng.choice((*BYTES, value))(signed, rng)
    envelope["payload"] = base64.b64encode(changed).decode("ascii")
    return canonical_json(envelope)


def resigned(data: bytes, rng: random.Random) -> bytes:
    """A key that is not trusted signs, under its own or the trusted one's name."""
    envelope = json.loads(data)
    forged = json.loads(
        dsse.sign(
            base64.b64decode(envelope["payload"]),
            [STRANGER.private],
            payload_type=envelope["payloadType"],
        )
    )
    if rng.random() < 0.5:
        forged["signatures"][0]["keyid"] = envelope["signatures"][0]["keyid"]
    return canonical_json(forged)


BYTES: tuple[Mutator, ...] = (flip, insert, drop, double, swap, cut, digit)
JSON = (*BYTES, value)
ENVELOPE = (*JSON, payload, resigned)


def _containers(found: object) -> Iterator[dict[str, object] | list[object]]:
    if isinstance(found, (dict, list)):
        yield found
        for item in found.values() if isinstance(found, dict) else found:
            yield from _containers(item)


def _other(found: object, rng: random.Random) -> object:
    if isinstance(found, bool) or found is None:
        return rng.choice([not found, 0, "", []])
    if isinstance(found, int):
        return rng.choice([found + 1, found - 1, -found, 0, 2**53 - 1, str(found), True])
    if isinstance(found, str) and found:
        return rng.choice(BYTES)(found.encode(), rng).decode("utf-8", "replace")
    return rng.choice([0, "x", None, [], {}, [found]])

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from credenza.core.errors import ConflictError, CredenzaError, InternalError, UsageError
from credenza.store.engine.local import PoolEngine, SerialEngine

if TYPE_CHECKING:
    from credenza.core.protocols import Engine


def shout(word: str) -> bytes:
    return word.upper().encode()


def late_first(word: str) -> bytes:
    time.sleep(0.3 if word == "a" else 0)
    return word.encode()


def length(word: str) -> int:
    return len(word)


def pack_int(number: int) -> bytes:
    return str(number).encode()


def refuse(word: str) -> bytes:
    raise ConflictError("taken", f"{word} is taken", why="\ud800", fix="choose")


def break_down(word: str) -> bytes:
    raise ValueError(word)


def die(word: str) -> bytes:
    os.kill(os.getpid(), signal.SIGKILL)
    return word.encode()


def join(left: bytes, right: bytes) -> bytes:
    return left + b"," + right


def add(left: int, right: int) -> int:
    return left + right


def test_an_engine_in_this_process_merges_from_left_to_right() -> None:
    engine: Engine = SerialEngine()
    assert engine.map_reduce(["a", "b", "c"], shout, join) == b"A,B,C"


def test_a_pool_answers_as_one_process_does_whoever_finishes_first() -> None:
    engine: Engine = PoolEngine(2)
    assert engine.map_reduce(iter("abcde"), late_first, join) == b"a,b,c,d,e"


def test_states_cross_processes_in_their_packed_form() -> None:
    engine = PoolEngine(1, pack=pack_int, unpack=int)
    assert engine.map_reduce(["four", "seven__", ""], length, add) == 11


@pytest.mark.parametrize("engine", [SerialEngine(), PoolEngine(1)])
def test_nothing_to_map_is_said_rather_than_guessed(engine: Engine) -> None:
    with pytest.raises(UsageError) as refused:
        engine.map_reduce([], shout, join)
    assert refused.value.code == "no-items"


def test_an_error_keeps_its_code_and_fix_across_processes() -> None:
    with pytest.raises(ConflictError) as refused:
        PoolEngine(1).map_reduce(["seat"], refuse, join)
    wrong = refused.value
    assert (wrong.code, wrong.what, wrong.why, wrong.fix) == (
        "taken",
        "seat is taken",
        "?",
        "choose",
    )


@pytest.mark.parametrize(
    ("work", "kind", "code"),
    [
        (break_down, InternalError, "work-failed"),
        (die, InternalError, "worker-died"),
        (length, UsageError, "unpacked-state"),
    ],
)
def test_a_worker_that_fails_is_reported_and_none_is_left_behind(
    work: object, kind: type[CredenzaError], code: str
) -> None:
    with pytest.raises(kind) as refused:
        PoolEngine(1).map_reduce(["a", "b"], work, join)  # type: ignore[arg-type]  # on purpose
    assert refused.value.code == code
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if children.exists():
        names = [
            Path(f"/proc/{child}/cmdline").read_bytes() for child in children.read_text().split()
        ]
        assert not any(b"spawn_main" in name for name in names)


def test_a_pool_needs_a_worker() -> None:
    with pytest.raises(UsageError):
        PoolEngine(0)

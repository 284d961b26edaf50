"""A short run of ``benchmarks/provenance/mutants.py``, which makes tens of thousands."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from credenza.core.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Callable

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks" / "provenance"


def ran(path: Path) -> dict[str, Any]:
    """What a benchmark defines, with the files beside it as when it is run."""
    sys.path.insert(0, str(path.parent))
    try:
        return runpy.run_path(str(path))
    finally:
        sys.path.remove(str(path.parent))


MUTANTS = ran(BENCHMARKS / "mutants.py")
EACH = 60


def test_threat_10_no_mutant_of_anything_that_is_verified_is_accepted() -> None:
    found = MUTANTS["count"](EACH, seed=2026)
    assert len(found) >= 17
    assert [one.broken for one in found if one.broken] == []
    for one in found:
        assert one.refused + one.respelled == one.mutants == EACH, one.name
        assert one.respelled == 0 or "proof" in one.name


def lenient(data: bytes) -> object:
    return data


def clumsy(data: bytes) -> object:
    if data == b"honest":
        return data
    raise ValueError("a traceback")


def deaf(data: bytes) -> object:
    if len(data) < len(b"honest"):
        raise UntrustedError("short", "too short")
    return "the same whatever it says"


@pytest.mark.parametrize(
    ("read", "fate"), [(lenient, "accepted"), (clumsy, "tracebacks"), (deaf, "accepted")]
)
def test_the_count_sees_a_reader_that_accepts_or_breaks(
    read: Callable[[bytes], object], fate: str
) -> None:
    kind = MUTANTS["Kind"]("made up", b"honest", read, MUTANTS["BYTES"])
    found = MUTANTS["tally"](kind, EACH, seed=1)
    assert getattr(found, fate) > 0
    assert found.broken

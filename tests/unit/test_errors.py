"""Whoever meets an error of ours learns what happened, why, and what to do."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[2] / "src" / "credenza"
# A defect of ours has no cure that its reader could apply.
FOR_THE_READER = {
    *("UsageError", "NotFoundError", "ConflictError"),
    *("ForbiddenError", "PendingError", "UntrustedError"),
}
# What commands reach; the other rooms raise at the author of a call, whose docstring is the why.
ROOMS = (
    *("interfaces", "workspace", "redteam", "response", "gate", "scanning"),
    *("provenance", "datasets", "store", "core"),
)


def raised(room: str) -> Iterator[tuple[str, set[str]]]:
    """Where an error is made, and which of its words it is given."""
    for path in sorted((SOURCE / room).rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in FOR_THE_READER:
                given = {str(word.arg) for word in call.keywords}
                yield f"{path.relative_to(SOURCE)}:{call.lineno}", given


@pytest.mark.parametrize("room", ROOMS)
def test_every_error_says_what_why_and_how_to_mend_it(room: str) -> None:
    assert [place for place, given in raised(room) if not {"why", "fix"} <= given] == []

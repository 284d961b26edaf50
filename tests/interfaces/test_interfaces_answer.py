from __future__ import annotations

import json

import pytest

from credenza.core.errors import InternalError
from credenza.interfaces.cli.answer import ascii_json, exit_of, worst


def test_json_is_pure_ascii_and_reads_back() -> None:
    hostile = "\x1b[2J\u202e<script>\x9b"
    text = ascii_json({"name": hostile})
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text) == {"name": hostile}


@pytest.mark.parametrize(
    ("status", "code"),
    [("admitted", 0), ("rejected", 1), ("quarantined", 1), ("held", 4), ("waiting", 4)],
)
def test_each_status_has_its_exit_code(status: str, code: int) -> None:
    assert exit_of(status) == code


def test_an_unknown_status_is_a_defect_and_never_a_pass() -> None:
    with pytest.raises(InternalError, match="unknown status"):
        exit_of("fine")


def test_the_worst_batch_speaks_for_all() -> None:
    assert worst([]) == 0
    assert worst([0, 4, 0]) == 4
    assert worst([0, 4, 1]) == 1
    assert worst([1, 3, 4]) == 3

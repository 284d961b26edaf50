"""Values of others inside our sentences."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credenza.core.text import quote, tick


@given(st.text(max_size=200))
def test_a_quoted_string_is_one_printable_line_that_cannot_end_its_quotes(text: str) -> None:
    shown = quote(text)
    assert len(shown.splitlines()) == 1
    assert all(c == " " or unicodedata.category(c)[0] not in "CZ" for c in shown)
    assert '"' not in shown[1 : shown.rindex('"')]
    assert "`" not in tick(text)[1:].partition("`")[0]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "missing"),
        (3, "3"),
        (2.5, "2.5"),
        (True, "true"),
        ("XXX", '"XXX"'),
        ("\x1b[31m", '"\\u001b[31m"'),
        ("a\u202eb", '"a\\u202eb"'),
        ("line\nline", '"line\\u000aline"'),
        ('say "hi"', '"say \\u0022hi\\u0022"'),
        ("\ud800", '"\\ud800"'),
        ("Zürich", '"Zürich"'),
    ],
)
def test_values_read_as_expected(value: object, shown: str) -> None:
    assert quote(value) == shown


def test_long_values_are_cut_and_their_length_is_said() -> None:
    assert quote("x" * 100, limit=5) == '"xxxxx… (100 characters)"'

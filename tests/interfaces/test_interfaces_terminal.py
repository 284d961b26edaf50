from __future__ import annotations

import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from credenza.interfaces.cli.terminal import Screen, count, plain, short

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07",  # clears the screen, sets the title
    "admitted\r\nbatch 0000 admitted",  # forges a line
    "\u202egnp.exe",  # reads backwards
    "a\u200bb\u2066c",  # zero width and an isolate
    "\x9b31m",  # one-byte CSI
    "\u2028next",  # a line break that is not \n
    "Z" + "\u0301" * 40,  # climbs over the lines above
    "\ud800",  # a lone surrogate
)


def test_nothing_that_steers_a_terminal_is_left_of_hostile_text() -> None:
    for text in HOSTILE:
        shown = plain(text)
        assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
        shown.encode("utf-8")


def test_what_was_unsafe_is_shown_by_its_code() -> None:
    assert plain("\x1b[31mred") == "\\x1b[31mred"
    assert plain("\u202eabc") == "\\u202eabc"
    assert plain("a\nb") == "a\\x0ab"


def test_a_tower_of_combining_marks_is_cut_down() -> None:
    assert plain("Z" + "\u0301" * 40).count("\u0301") == 2


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S"))))
def test_ordinary_letters_pass_unchanged(text: str) -> None:
    assert plain(text, limit=10_000) == text


def test_long_text_is_cut_and_says_so() -> None:
    assert plain("x" * 1_000, limit=10) == "x" * 10 + "…"


def test_a_table_keeps_one_line_per_row_whatever_is_in_the_cells() -> None:
    page = io.StringIO()
    Screen(page).table(("source", "rows"), [("evil\nrow", 3), ("\x1b[1A", 1_200)])
    lines = page.getvalue().splitlines()
    assert len(lines) == 3
    assert "\x1b" not in page.getvalue()


def test_numbers_stand_to_the_right_and_words_to_the_left() -> None:
    page = io.StringIO()
    Screen(page).table(("name", "rows"), [("a", "1"), ("bbbbbb", "1,200")])
    assert page.getvalue().splitlines()[1:] == ["a           1", "bbbbbb  1,200"]


def test_an_empty_table_is_its_header() -> None:
    page = io.StringIO()
    Screen(page).table(("name", "rows"), [])
    assert page.getvalue() == "name  rows\n"


def test_a_pipe_gets_no_colour_codes() -> None:
    page = io.StringIO()
    Screen(page).line("hello", style="bold red")
    assert page.getvalue() == "hello\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_rich_markup_in_a_value_is_only_text() -> None:
    page = Terminal()
    Screen(page).line("[bold red]not markup[/] [link=http://evil]x[/link]")
    assert "[bold red]not markup[/] [link=http://evil]x[/link]" in page.getvalue()


def test_empty_fields_are_left_out() -> None:
    page = io.StringIO()
    Screen(page).fields([("a", "1"), ("group", ""), ("version", None), ("zero", 0)])
    assert page.getvalue() == "a     1\nzero  0\n"


def test_counts_and_digests_read_well() -> None:
    assert count(1, "batch", "batches") == "1 batch"
    assert count(1_204, "row") == "1,204 rows"
    assert short("ab" * 32) == "abababababab"

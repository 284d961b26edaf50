"""How bytes that others chose are shown inside our sentences."""

from __future__ import annotations

import unicodedata

MAX_QUOTED = 48
_ESCAPED = frozenset('"\\`')


def quote(value: object, *, limit: int = MAX_QUOTED) -> str:
    """A value as it may stand in a sentence: numbers bare, everything else in quotes.

    Control characters, bidirectional marks, line separators, unassigned and private
    code points, lone surrogates, quotes, backticks and backslashes are written as
    escapes, and long values are cut with their length, so that a value can neither
    end its quotes nor move the terminal. It does not neutralise HTML, CSV formulas
    or Markdown: whoever renders a sentence escapes for that place.

    Args:
        value: anything; ``None`` reads "missing".
        limit: characters of the value that are shown.

    Returns:
        One printable line.
    """
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) < 10**15:
        return str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return f'"{_escaped(str(value), limit)}"'


def tick(column: str, *, limit: int = MAX_QUOTED) -> str:
    """A column's name in backticks, escaped as ``quote`` does."""
    return f"`{_escaped(column, limit)}`"


def _escaped(text: str, limit: int) -> str:
    shown = "".join(_escape(character) for character in text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text)} characters)"


def _escape(character: str) -> str:
    category = unicodedata.category(character)
    # Letters and marks render; every "other" and separator but the plain space may not.
    if character == " " or (character not in _ESCAPED and category[0] not in "CZ"):
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

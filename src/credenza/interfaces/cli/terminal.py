"""The screen: what people read, with every foreign byte made harmless.

Names, reasons, column values and messages may be an attacker's. Nothing goes to a
terminal but through ``plain``; JSON is pure ASCII for the same reason.
"""

from __future__ import annotations

import datetime as dt
import sys
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TextIO

    from rich.console import Console

MAX_CHARACTERS = 400
# Controls (ANSI starts with one), format characters (bidi, zero-width), lone
# surrogates, private use, unassigned, and the two Unicode line breaks.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# How many combining marks may sit on one character before they climb over lines.
_MAX_MARKS = 2


def plain(value: object, *, limit: int = MAX_CHARACTERS) -> str:
    r"""``value`` as one line of printable characters; what was unsafe becomes ``\x1b``.

    Blind to look-alike letters: a Cyrillic letter that looks Latin is printable and stays.

    Args:
        value: anything; ``str`` is taken of it.
        limit: characters kept before the text is cut with "…".
    """
    text = str(value)
    cut = text[:limit]
    marks = 0
    kept: list[str] = []
    for character in cut:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind[0] == "M" else 0
        if kind in _UNSAFE or marks > _MAX_MARKS:
            kept.append(_code(ord(character)))
        else:
            kept.append(character)
    return "".join(kept) + ("…" if len(text) > limit else "")


def _code(point: int) -> str:
    """A code point as an escape that shows which it is."""
    if point < 0x100:
        return f"\\x{point:02x}"
    return f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


class Screen:
    """Writes lines, fields and tables to a stream; with colour only on a terminal.

    Args:
        stream: standard output by default.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stdout
        self._console: Console | None = None
        if self._stream.isatty():
            from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it

            self._console = Console(file=self._stream, highlight=False, soft_wrap=True)

    @property
    def live(self) -> bool:
        """True on a terminal, where a line may be drawn over."""
        return self._console is not None

    @property
    def console(self) -> Console | None:
        """Rich's console on a terminal, else None."""
        return self._console

    def line(self, text: object = "", *, style: str = "") -> None:
        """One line; ``style`` is Rich's and shows on a terminal only."""
        safe = plain(text, limit=4_000)
        if self._console is None:
            self._stream.write(safe + "\n")
        else:
            self._console.print(safe, style=style or None, markup=False)

    def fields(self, pairs: Iterable[tuple[str, object]]) -> None:
        """Names and values under one another; empty values are left out."""
        shown = [(name, plain(value)) for name, value in pairs if value not in ("", None, (), [])]
        width = max((len(name) for name, _ in shown), default=0)
        for name, value in shown:
            self.line(f"{name:<{width}}  {value}")

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Columns padded to their widest cell; numbers to the right."""
        cells = [[plain(cell, limit=120) for cell in row] for row in rows]
        right = [
            bool(cells) and all(_is_number(row[column]) for row in cells)
            for column in range(len(headers))
        ]
        widths = [
            max(len(header), *(len(row[column]) for row in cells)) if cells else len(header)
            for column, header in enumerate(headers)
        ]
        self.line(_padded(headers, widths, right), style="bold")
        for row in cells:
            self.line(_padded(row, widths, right))


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "").replace("%", "").strip().isdigit()


def _padded(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    return "  ".join(
        f"{cell:>{width}}" if to_right else f"{cell:<{width}}"
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ).rstrip()


def short(digest: str) -> str:
    """The first twelve digits of a digest: enough to name it, short enough to read."""
    return plain(digest)[:12]


def count(number: int, noun: str, plural: str = "") -> str:
    """A number with its noun: 1 row, 1,204 rows."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def instant(time_s: int) -> str:
    """Seconds since the epoch as a time in UTC."""
    return f"{dt.datetime.fromtimestamp(time_s, tz=dt.UTC):%Y-%m-%d %H:%M:%SZ}"

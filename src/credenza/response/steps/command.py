"""The user's own commands: run with a time limit, their end and last words kept.

They are the user's and run with the user's rights, from words in a plan that was read
before it was applied; no shell is between. A command that was killed is run again, so it
must be one that may be.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from credenza.core.errors import ConflictError, UsageError
from credenza.core.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_PLACEHOLDER = re.compile(r"\{\w+\}\Z")
MOST_OUTPUT = 64 * 2**10


class Ended(NamedTuple):
    """What a command left.

    Attributes:
        figures: of the JSON object that was its last line; {} when that was none.
    """

    figures: Mapping[str, float]
    output: str


def check_words(words: Sequence[str], known: Sequence[str]) -> None:
    """Refuse a command without words, or with a placeholder that stands for nothing.

    Raises:
        UsageError: it is one of these.
    """
    if not words:
        raise UsageError(
            "no-command",
            "a command has no words",
            why="its first word names the program to run",
            fix="give the program and its arguments",
        )
    for word in words:
        if _PLACEHOLDER.match(word) and word[1:-1] not in known:
            raise UsageError(
                "bad-placeholder",
                f"{word[:60]!r} stands for nothing",
                why=f"the placeholders are: {', '.join(f'{{{name}}}' for name in known)}",
                fix="use one of these",
            )


def run(words: Sequence[str], places: Mapping[str, Path], *, timeout_s: int) -> Ended:
    """Run a command to its end.

    Args:
        words: program and arguments; ``{release}`` in them is replaced by its path.
        places: what the placeholders stand for.
        timeout_s: after which it and its children are killed.

    Raises:
        ConflictError: it cannot be started, took too long or ended with an error.
    """
    argv = [_filled(word, places) for word in words]
    try:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as wrong:
        raise _failed(words, f"it cannot be started: {wrong.strerror}") from wrong
    with child:
        try:
            data, _ = child.communicate(timeout=timeout_s)
        except BaseException as wrong:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(wrong, subprocess.TimeoutExpired):
                raise _failed(words, f"it took longer than {timeout_s} s") from wrong
            raise
    output = data[-MOST_OUTPUT:].decode("utf-8", "replace")
    if child.returncode != 0:
        said = quote(output.strip()[-300:], limit=300)
        raise _failed(words, f"it ended with {child.returncode} and said {said}")
    return Ended(_figures(output), output)


def _filled(word: str, places: Mapping[str, Path]) -> str:
    for name, path in places.items():
        word = word.replace(f"{{{name}}}", str(path))
    return word


def _figures(output: str) -> dict[str, float]:
    lines = output.strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        str(name): float(value)
        for name, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _failed(words: Sequence[str], why: str) -> ConflictError:
    return ConflictError(
        "command-failed",
        f"the command {quote(words[0])} failed",
        why=why,
        fix="mend it and apply the plan again: finished steps are not repeated",
    )

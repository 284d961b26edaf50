"""JSON Lines under limits."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.json

from credenza.provenance.intake.limits import (
    check_columns,
    check_rows,
    check_schema,
    parsing,
    refused,
    within,
)

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Limits

_BLOCK_BYTES = 16 * 2**20
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)


class JsonlIntake:
    """Reads one JSON object per line.

    Nesting and the number of keys are bounded before the parser sees a line; a key
    named twice in one object is refused. Blind to keys that only many lines together
    make too many: those are counted after parsing, under the sandbox's limits.
    """

    suffixes = (".jsonl", ".ndjson")

    def read(self, path: Path, limits: Limits) -> pa.Table:
        """Parse, or refuse.

        Raises:
            UntrustedError: ``not-jsonl``, ``too-deep``, ``too-many-columns``,
                ``too-many-rows``, ``duplicate-column``, ``decoded-too-large``,
                ``parser-limit`` or ``unreadable-file``.
        """
        _check_lines(path, limits)
        with parsing("JSON Lines"), pa.OSFile(str(path)) as file:
            table = pyarrow.json.read_json(
                file,
                read_options=pyarrow.json.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pyarrow.json.ParseOptions(newlines_in_values=False),
            )
            check_schema(table.schema, limits)
            return within(table.to_batches(), table.schema, limits)


def _check_lines(path: Path, limits: Limits) -> None:
    """Walk the file in whole lines, bounding depth, keys and line length."""
    rest = b""
    rows = 0
    with parsing("JSON Lines"), path.open("rb") as file:
        if file.read(1) not in (b"{", b" ", b"\t", b"\r", b"\n"):
            raise refused(
                "not-jsonl",
                "a file called JSON Lines is not JSON Lines",
                why="it does not begin with an object",
                fix="write one JSON object per line, or give it the ending of what it is",
            )
        file.seek(0)
        while block := file.read(_BLOCK_BYTES):
            whole, newline, tail = (rest + block).rpartition(b"\n")
            if len(tail) > _BLOCK_BYTES:
                raise refused(
                    "unreadable-file",
                    "a line is too long",
                    why=f"more than {_BLOCK_BYTES} bytes without a line's end",
                    fix="write one JSON object per line",
                )
            rest = tail
            rows += whole.count(b"\n") + len(newline)
            check_rows(rows, limits)
            _check_shape(whole, limits)
    _check_shape(rest, limits)


def _check_shape(lines: bytes, limits: Limits) -> None:
    bare = np.frombuffer(_STRING.sub(b"", lines), np.uint8)
    opens = (bare == ord("{")) | (bare == ord("["))
    closes = (bare == ord("}")) | (bare == ord("]"))
    depth = np.cumsum(opens.astype(np.int32) - closes)
    deepest = int(depth.max(initial=0)) - 1
    if deepest > limits.depth:
        raise refused(
            "too-deep",
            "a file nests values deeper than its source may submit",
            why=f"{deepest} levels, more than {limits.depth}",
            fix="flatten the nested values",
        )
    line = np.cumsum(bare == ord("\n"))
    keys = np.bincount(line[(bare == ord(":")) & (depth == 1)])
    check_columns(int(keys.max(initial=0)), limits)

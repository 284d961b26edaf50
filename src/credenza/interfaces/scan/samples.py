"""The rows a report shows: flagged beside accepted ones, with what they share marked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from credenza.core.types import Finding, Ints
    from credenza.scanning.result import ScanResult

SHOWN_ROWS = 6
SHOWN_IMAGES = 10
SHOWN_COLUMNS = 8
COMPARED = 400
SHARED = 0.9
ELSEWHERE = 0.5
MAX_TEXT = 400
_SIDES = frozenset({"row", "column", "height", "width"})
_WORD = re.compile(r"\w+|[^\w\s]+")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a cell, marked when the flagged rows share it."""

    text: str
    is_marked: bool


@dataclass(frozen=True, slots=True)
class Cells:
    """Rows as text, cell by cell.

    Attributes:
        columns: their headers.
        flagged: rows, each a list of cells, each a list of pieces.
        accepted: as ``flagged``.
        is_telling: whether they say more than a label and a source do.
    """

    columns: tuple[str, ...]
    flagged: list[list[list[Piece]]]
    accepted: list[list[list[Piece]]]
    is_telling: bool


def beside(result: ScanResult, finding: Finding) -> tuple[Ints, Ints]:
    """Up to 400 rows of a finding, and as many accepted ones, of the same label if they can.

    Accepted rows are spread evenly over the data, so that no order picks them.
    """
    n = result.rows.num_rows
    mine = np.array([row for row in finding.rows if row < n][:COMPARED], dtype=np.int64)
    accepted = np.flatnonzero(~result.flagged)
    label = result.view.label
    if label and len(mine):
        values = result.view.table.column(label).slice(0, n).to_pylist()
        usual = Counter(values[row] for row in mine.tolist()).most_common(1)[0][0]
        alike = np.array([row for row in accepted.tolist() if values[row] == usual], np.int64)
        accepted = alike if len(alike) else accepted
    return mine, spread(accepted, COMPARED)


def cells(result: ScanResult, mine: Ints, others: Ints) -> Cells:
    """Readable columns of some flagged and some accepted rows, shared values marked."""
    table = result.view.table
    names = [name for name in table.column_names if _is_readable(result, name)]
    values = {
        name: (_texts(table.column(name), mine), _texts(table.column(name), others))
        for name in names
    }
    common = {name: _shared(result, name, *both) for name, both in values.items()}
    # Columns in which the flagged rows share something come first.
    shown = sorted(names, key=lambda name: (not common[name], name != result.view.label))
    shown = shown[:SHOWN_COLUMNS]
    return Cells(
        tuple(shown),
        [
            [_pieces(values[name][0][row], common[name]) for name in shown]
            for row in range(min(SHOWN_ROWS, len(mine)))
        ],
        [
            [_pieces(values[name][1][row], set()) for name in shown]
            for row in range(min(SHOWN_ROWS, len(others)))
        ],
        any(result.roles.get(name) not in (Role.LABEL, Role.SOURCE) for name in names),
    )


def boxed(finding: Finding) -> tuple[int, ...]:
    """The box that a detector says the trigger stands in; empty when it says none."""
    box = finding.exhibits.get("box")
    if not isinstance(box, dict) or not box.keys() >= _SIDES:
        return ()
    top, left, height, width = (
        int(str(box[side])) for side in ("row", "column", "height", "width")
    )
    return top, left, top + height, left + width


def outline(flagged: np.ndarray[Any, Any], accepted: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The box of the pixels that flagged images share and accepted ones do not.

    A shared pixel varies little among the flagged and lies far from the accepted mean,
    in units of the accepted spread.

    Args:
        flagged: ``(k, h, w[, c])`` uint8.
        accepted: ``(m, h, w[, c])``.

    Returns:
        ``(top, left, bottom, right)``, ends exclusive; empty when nothing is shared.
    """
    if len(flagged) < 3 or len(accepted) < 3:
        return ()
    ours, theirs = flagged.astype(np.float32), accepted.astype(np.float32)
    distance = np.abs(np.median(ours, axis=0) - theirs.mean(axis=0))
    width = np.quantile(ours, 0.9, axis=0) - np.quantile(ours, 0.1, axis=0)
    is_shared = (distance > 2.0 * (theirs.std(axis=0) + 4.0)) & (width < 0.25 * distance)
    if is_shared.ndim == 3:
        is_shared = is_shared.any(axis=2)
    if not is_shared.any() or is_shared.mean() > 0.25:
        return ()
    down, right = np.flatnonzero(is_shared.any(axis=1)), np.flatnonzero(is_shared.any(axis=0))
    return int(down[0]), int(right[0]), int(down[-1]) + 1, int(right[-1]) + 1


def pixels(result: ScanResult, column: str, rows: Ints) -> np.ndarray[Any, Any]:
    """``(k, h, w[, c])`` of some rows of an image column."""
    found = result.view.table.column(column).take(rows)
    kind = found.type
    flat = np.concatenate([np.asarray(chunk.storage.flatten()) for chunk in found.chunks])
    return flat.reshape(-1, *kind.shape)


def spread(rows: Ints, size: int) -> Ints:
    """At most ``size`` of ``rows``, evenly spaced."""
    if len(rows) <= size:
        return rows
    return rows[np.linspace(0, len(rows) - 1, size).astype(np.int64)]


def _is_readable(result: ScanResult, name: str) -> bool:
    role = result.view.facets.get(name, Role.IGNORED)
    return role not in (Role.IMAGE, Role.EMBEDDING, Role.IGNORED)


def _texts(column: Any, rows: Ints) -> list[str]:  # noqa: ANN401 - pyarrow is untyped
    return ["" if value is None else str(value) for value in column.take(rows).to_pylist()]


def _shared(result: ScanResult, name: str, mine: Sequence[str], others: Sequence[str]) -> set[str]:
    """What nearly all flagged rows have here, and fewer than half of the accepted."""
    if name == result.view.label or len(mine) < 3:
        return set()
    is_text = result.view.facets.get(name) is Role.TEXT
    ours, theirs = _counts(mine, is_text=is_text), _counts(others, is_text=is_text)
    return {
        value
        for value, count in ours.items()
        if value and count >= SHARED * len(mine) and theirs[value] < ELSEWHERE * max(len(others), 1)
    }


def _counts(values: Iterable[str], *, is_text: bool) -> Counter[str]:
    if is_text:
        return Counter(word for value in values for word in set(_WORD.findall(value.lower())))
    return Counter(values)


def _pieces(value: str, shared: set[str]) -> list[Piece]:
    if value in shared:
        return [Piece(value, is_marked=True)]
    if not shared:
        return [Piece(_cut(value), is_marked=False)]
    pieces: list[Piece] = []
    at = 0
    for found in _WORD.finditer(value):
        if found.group().lower() not in shared:
            continue
        marked = found.group()
        if pieces and found.start() == at:  # one mark, or its edges would look like spaces
            marked = pieces.pop().text + marked
        else:
            pieces.append(Piece(_cut(value[at : found.start()]), is_marked=False))
        pieces.append(Piece(marked, is_marked=True))
        at = found.end()
    pieces.append(Piece(_cut(value[at:]), is_marked=False))
    return [piece for piece in pieces if piece.text]


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"

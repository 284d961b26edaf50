"""How improbable it is that several units bear one mark so often and the others do not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy.special import gammaln

from credenza.campaigns.marks import chosen, describe, marks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from credenza.campaigns.marks import Marks
    from credenza.core.types import Bools, Floats, Ints, Role

LEAST_ROWS = 2
"""Rows of a unit that are more than one coincidence."""
MOST_UNITS = 16
RARE = 0.05
NOVEL = 3.0
MOST_ENTRIES = 2_000_000
MOST_CELLS = 20_000_000
HALF_A_ROW = 0.5
PRIOR_ROWS = 100.0
DRAWS = 199
EXCEEDANCES = 2


@dataclass(frozen=True, slots=True, eq=False)
class Counted:
    """Marks of a window that may be a payload, in one numbering.

    Attributes:
        kinds: where they come from.
        table: the window's rows, then the familiar ones.
        size: rows of the window.
        rows, marks: ``(t,)`` row ``rows[i]`` bears ``marks[i]``; sorted by mark.
        known_rows, known_marks: the same of familiar rows, counted from their first.
        total: ``(m,)`` rows of the window that bear it.
        kind: ``(m,)`` position in ``kinds``.
        entry: ``(m,)`` one of its entries there.
        halves: ``(m, 2)`` the values of a pair among ``levels``; -1 for other marks.
        level_rows, levels: ``(v,)`` row ``level_rows[i]`` has value ``levels[i]``.
    """

    kinds: tuple[Marks, ...]
    table: pa.Table
    size: int
    rows: Ints
    marks: Ints
    known_rows: Ints
    known_marks: Ints
    total: Ints
    kind: Ints
    entry: Ints
    halves: Ints
    level_rows: Ints
    levels: Ints

    def bearers(self, mark: int) -> Ints:
        """Rows of the window that bear it."""
        first, last = np.searchsorted(self.marks, [mark, mark + 1])
        return self.rows[first:last]

    def describe(self, mark: int) -> str:
        """The mark in words."""
        return describe(self.kinds[self.kind[mark]], self.table, int(self.entry[mark]))


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Who sent what: sources of one group are one unit.

    Attributes:
        of: ``(n,)`` unit of each row of the window.
        known: ``(m,)`` unit of each familiar row.
        epoch: ``(m,)`` part of the past that it stands for: 0, 1, ….
        rows: ``(U,)`` rows of each unit in the window.
        known_rows: ``(E, U)`` by epoch.
    """

    of: Ints
    known: Ints
    epoch: Ints
    rows: Floats
    known_rows: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """The best claim about each mark.

    Attributes:
        score: ``(m,)`` nats; 0 where no two units bear it twice.
        units: ``(m, K)`` the units that bear it most, in order.
        k: ``(m,)`` how many of these are the claim.
    """

    score: Floats
    units: Ints
    k: Ints


def count(window: pa.Table, familiar: pa.Table, facets: Mapping[str, Role], label: str) -> Counted:
    """Marks of at least 4 rows, at most 5 % of them, and more frequent than familiar.

    Nothing here looks at who sent a row, so what is left out here cannot bend a
    permutation of the senders. The rarest marks stay when there are too many.
    """
    table = pa.concat_tables([window, familiar.select(window.column_names)])
    n, known = window.num_rows, familiar.num_rows
    every = marks_of(table, facets=facets, label=label, familiar_from=n, least=2 * LEAST_ROWS)
    parts = [_frequent(marks, n, known) for marks in every]
    offset = np.cumsum([0, *(len(part.total) for part in parts)])
    placed = list(zip(parts, offset, strict=False))
    none = np.empty(0, dtype=np.int64)
    found = Counted(
        kinds=tuple(part.kind for part in parts),
        table=table,
        size=n,
        rows=_joined(part.rows for part in parts),
        marks=_joined(part.marks + start for part, start in placed),
        known_rows=_joined(part.known_rows for part in parts),
        known_marks=_joined(part.known_marks + start for part, start in placed),
        total=_joined(part.total for part in parts),
        kind=np.repeat(np.arange(len(parts)), np.diff(offset)),
        entry=_joined(np.arange(len(part.total)) for part in parts),
        halves=none,
        level_rows=none,
        levels=none,
    )
    return _with_halves(_bounded(found))


def rank(counted: Counted, units: Units) -> Ranking:
    """For each mark the best k units, 2 ≤ k ≤ half of all, and how improbable they are.

    The most improbable unit does not count, for one source alone is no campaign. Each of the
    others is held against the largest of several rates: that of the units outside the
    claim and of those in it that come before; in each epoch that of all familiar rows, and
    its own; for a pair of values also what the unit would show if it combined the two
    freely. So what is popular explains itself, and so does what a source sent before or
    sends much of anyway. The ways to choose k are subtracted.

    The third of a claim is judged knowing the second, the fourth knowing both: the chain
    rule. At the rate of outsiders alone eight rows that fall on four units by chance would
    be three independent wonders.
    """
    size, width = len(counted.total), len(units.rows)
    most = min(MOST_UNITS, max(2, int((units.rows > 0).sum()) // 2))
    found = Ranking(
        np.zeros(size), np.zeros((size, most), dtype=np.int64), np.zeros(size, dtype=np.int64)
    )
    step = max(1, MOST_CELLS // width)
    whole = (0, int(counted.levels.max(initial=-1)) + 1)
    free = _cells(counted.levels, units.of[counted.level_rows], whole, width)
    epochs = len(units.known_rows)
    before = units.known * epochs + units.epoch if epochs else units.known
    of, known = units.of[counted.rows], before[counted.known_rows]
    for first in range(0, size, step):
        block = (first, min(size, first + step))
        cells = _cells(counted.marks, of, block, width)
        shared = np.flatnonzero((cells >= LEAST_ROWS).sum(axis=1) >= 2)
        if len(shared):
            usual = _cells(counted.known_marks, known, block, width * epochs)[shared]
            rate = np.maximum(
                _usual_rate(usual.reshape(len(shared), width, epochs), units),
                _free_rate(counted.halves[first + shared], free, units),
            )
            _rank_some(found, first + shared, cells[shared], rate, units)
    return found


def expected_rates(counted: Counted, units: Units, ranking: Ranking, mark: int) -> Floats:
    """``(U,)`` the rate that each unit's rows of one mark were held against."""
    bearers = counted.bearers(mark)
    width = len(units.rows)
    guilty = ranking.units[mark, : ranking.k[mark]]
    inside = np.isin(np.arange(width), guilty)
    cells = np.bincount(units.of[bearers], minlength=width)
    others = (cells[~inside].sum() + HALF_A_ROW) / (units.rows[~inside].sum() + 1)
    known = counted.known_marks == mark
    before = counted.known_rows[known]
    epochs = len(units.known_rows)
    usual = np.zeros((1, width, epochs), dtype=np.int64)
    np.add.at(usual, (0, units.known[before], units.epoch[before]), 1)
    free = np.zeros(width)
    for half in counted.halves[mark]:
        has = units.of[counted.level_rows[counted.levels == half]]
        share = np.bincount(has, minlength=width) / np.maximum(units.rows, 1)
        free = share if not free.any() else free * share
    return np.asarray(np.maximum(np.maximum(_usual_rate(usual, units)[0], free), others))


def _cells(marks: Ints, unit: Ints, block: tuple[int, int], width: int) -> Ints:
    """``(marks of the block, units)`` rows."""
    low, high = np.searchsorted(marks, block)
    joint = (marks[low:high] - block[0]) * width + unit[low:high]
    cells = np.bincount(joint, minlength=(block[1] - block[0]) * width)
    return np.asarray(cells.reshape(block[1] - block[0], width))


def draw(counted: Counted, units: Units, top: float, rng: np.random.Generator) -> Floats:
    """Largest scores when the senders are permuted over the rows of the window.

    Draws until two reach ``top`` or 199 are done, so that an ordinary window costs a few.

    Source:
        Besag and Clifford, "Sequential Monte Carlo p-values", Biometrika 1991.
    """
    drawn: list[float] = []
    while len(drawn) < DRAWS and sum(one >= top for one in drawn) < EXCEEDANCES:
        score = rank(counted, replace(units, of=rng.permutation(units.of))).score
        drawn.append(float(score.max(initial=0.0)))
    return np.array(drawn)


def chance(drawn: Floats, score: float) -> float:
    """p-value of a score among the drawn ones."""
    above = int(np.sum(drawn >= score))
    if len(drawn) < DRAWS and above >= EXCEEDANCES:
        return above / len(drawn)
    return (above + 1) / (len(drawn) + 1)


def _usual_rate(cells: Ints, units: Units) -> Floats:
    """``(m, U)`` the largest familiar rate: of all units or its own, in any epoch."""
    found = np.zeros(cells.shape[:2])
    for epoch, rows in enumerate(units.known_rows):
        own = cells[:, :, epoch]
        overall = own.sum(axis=1, keepdims=True) / max(1.0, rows.sum())
        shrunk = (own + PRIOR_ROWS * overall) / (rows + PRIOR_ROWS)
        found = np.maximum(found, np.maximum(shrunk, overall))
    return found


def _free_rate(halves: Ints, levels: Ints, units: Units) -> Floats:
    """``(m, U)`` rate of each pair if a unit combined its two values freely; 0 without."""
    found = np.zeros((len(halves), len(units.rows)))
    at = np.flatnonzero(halves[:, 0] >= 0)
    first, second = (levels[halves[at, side]] / np.maximum(units.rows, 1) for side in (0, 1))
    found[at] = first * second
    return found


def _rank_some(found: Ranking, at: Ints, cells: Ints, usual: Floats, units: Units) -> None:
    """Fill in the claims about the marks ``at``."""
    most = found.units.shape[1]
    is_heavy = cells >= LEAST_ROWS
    total, sent_in_all = cells.sum(axis=1)[:, None], max(1.0, units.rows.sum())
    expected = np.maximum(units.rows * np.maximum(usual, total / sent_in_all), 1e-9)
    deviance = cells * np.log(np.maximum(cells, 1) / expected) - (cells - expected)
    far = np.where(is_heavy, np.copysign(deviance, cells - expected), -np.inf)
    order = np.argsort(-far, axis=1, kind="stable")[:, :most]
    n = np.take_along_axis(np.where(is_heavy, cells, 0), order, axis=1)
    size = units.rows[order]
    own = np.take_along_axis(usual, order, axis=1)
    in_claim, sent = np.cumsum(n, axis=1), np.cumsum(size, axis=1)
    outside = total - in_claim + HALF_A_ROW
    outside_sent = sent_in_all - sent + 1
    # Of the claim, without the first, who comes before each.
    before, before_sent = (
        all_of - one - all_of[:, :1] for all_of, one in ((in_claim, n), (sent, size))
    )
    best, best_k = np.zeros(len(at)), np.zeros(len(at), dtype=np.int64)
    for k in range(2, most + 1):
        rest = slice(1, k)
        rate = (outside[:, k - 1, None] + before[:, rest]) / (
            outside_sent[:, k - 1, None] + before_sent[:, rest]
        )
        u = excess(n[:, rest], size[:, rest] * np.maximum(own[:, rest], rate))
        score = u.sum(axis=1) - _ways(len(units.rows), k)
        better = (n[:, k - 1] >= LEAST_ROWS) & (score > best)
        best, best_k = np.where(better, score, best), np.where(better, k, best_k)
    found.score[at], found.units[at], found.k[at] = best, order, best_k


def excess(n: Ints, expected: Floats) -> Floats:
    """Minus the logarithm of P(Poisson(expected) ≥ n), to within its leading terms."""
    mean = np.maximum(expected, 1e-300)
    ratio = np.minimum(mean / (n + 1.0), 0.99)
    log_p = n * np.log(mean) - mean - gammaln(n + 1.0) - np.log1p(-ratio)
    return np.where(n > mean, np.maximum(-log_p, 0.0), 0.0)


def _ways(units: int, k: int) -> float:
    """Logarithm of the ways to choose k units."""
    return float(gammaln(units + 1) - gammaln(k + 1) - gammaln(units - k + 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """The marks of one kind that are kept, numbered from 0; fields as in ``Counted``.

    Attributes:
        kind: with one entry a mark. All entries of all kinds at once would take gigabytes.
    """

    kind: Marks
    rows: Ints
    marks: Ints
    known_rows: Ints
    known_marks: Ints
    total: Ints


def _frequent(marks: Marks, n: int, known: int) -> _Part:
    here, there = np.flatnonzero(marks.rows < n), np.flatnonzero(marks.rows >= n)
    codes, first, inverse, total = np.unique(
        marks.codes[here], return_index=True, return_inverse=True, return_counts=True
    )
    place = np.minimum(np.searchsorted(codes, marks.codes[there]), max(len(codes) - 1, 0))
    is_same = codes[place] == marks.codes[there] if len(codes) else np.zeros(len(there), bool)
    there, place = there[is_same], place[is_same]
    usual = np.bincount(place, minlength=len(codes))
    kept = (total >= 2 * LEAST_ROWS) & (total <= max(RARE * n, 2 * LEAST_ROWS))
    kept &= total * known >= NOVEL * usual * n
    number = np.cumsum(kept) - 1
    rows, mark = _sorted(marks.rows[here], number[inverse], kept[inverse])
    known_rows, known_mark = _sorted(marks.rows[there] - n, number[place], kept[place])
    kind = chosen(marks, here[first[kept]])
    return _Part(kind, rows, mark, known_rows, known_mark, total[kept])


def _sorted(rows: Ints, marks: Ints, kept: Bools) -> tuple[Ints, Ints]:
    order = np.flatnonzero(kept)
    order = order[np.argsort(marks[order], kind="stable")]
    return rows[order], marks[order]


def _bounded(counted: Counted) -> Counted:
    """The rarest marks, at most 2 million entries."""
    if counted.total.sum() <= MOST_ENTRIES:
        return counted
    order = np.argsort(counted.total, kind="stable")
    rare = np.zeros(len(order), dtype=bool)
    rare[order[np.cumsum(counted.total[order]) <= MOST_ENTRIES]] = True
    number = np.cumsum(rare) - 1
    rows, marks = _sorted(counted.rows, number[counted.marks], rare[counted.marks])
    known_rows, known_marks = _sorted(
        counted.known_rows, number[counted.known_marks], rare[counted.known_marks]
    )
    return replace(
        counted,
        rows=rows,
        marks=marks,
        known_rows=known_rows,
        known_marks=known_marks,
        total=counted.total[rare],
        kind=counted.kind[rare],
        entry=counted.entry[rare],
    )


def _with_halves(counted: Counted) -> Counted:
    """With the values that its pairs are made of, and the rows that have them."""
    halves = np.full((len(counted.total), 2), -1, dtype=np.int64)
    rows, levels = [], []
    size = 0
    for place, marks in enumerate(counted.kinds):
        at = np.flatnonzero(counted.kind == place)
        if marks.pair is None or not len(at):
            continue
        codes = marks.codes[counted.entry[at]]
        width = marks.pair[1].size
        for side, column in enumerate(marks.pair):
            used, own = np.unique((codes // width, codes % width)[side], return_inverse=True)
            here = column.codes[: counted.size]
            found = np.minimum(np.searchsorted(used, here), len(used) - 1)
            kept = np.flatnonzero(used[found] == here)
            rows.append(kept)
            levels.append(size + found[kept])
            halves[at, side] = size + own
            size += len(used)
    order = np.argsort(_joined(levels), kind="stable")
    return replace(
        counted,
        halves=halves,
        level_rows=_joined(rows)[order],
        levels=_joined(levels)[order],
    )


def _joined(parts: Iterable[Ints]) -> Ints:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])

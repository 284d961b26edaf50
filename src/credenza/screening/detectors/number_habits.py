"""Sources whose numbers are rounded, or begin, unlike those of all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.table import columns_of, numbers, source_codes
from credenza.screening.fuse import temper
from credenza.screening.view import UnassessedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats, Ints, View

FEWEST_SOURCES = 4
FEWEST_ROWS = 50
FEWEST_VALUES = 100
DIGITS = 6
FEWEST_EXPECTED = 5
SMALLEST_LOG_P = -700.0


@dataclass(frozen=True, slots=True)
class NumberHabits:
    """-log10 p that a source's leading and trailing digits are drawn as the others' are.

    Made-up numbers are rounded too often or too rarely, and do not begin as measured ones
    do. Benford's law itself holds for few columns, so each source is compared with all
    others instead, and the crowd of sources says how far honest ones differ (as
    ``fuse.temper``). Weak evidence: units, instruments and prices differ between honest
    sources too, so it names a source for a person to look at and flags no row. Blind with
    fewer than four sources, to copied numbers, and to columns of few values.

    Attributes:
        fdr: chance to name any source when all round alike.

    Complexity:
        O(n) a number column.

    Source:
        Benford 1938; Nigrini 2012 (digit tests); the comparison of sources is ours.
    """

    fdr: float = 0.01

    @property
    def name(self) -> str:
        """The detector's name."""
        return "number-habits"

    @property
    def needs(self) -> frozenset[Role]:
        """A number."""
        return frozenset({Role.NUMBER})

    def score(self, view: View) -> Scores:
        """The evidence against a row's source; the same for all its rows.

        Raises:
            UnassessedError: fewer than four sources have 50 numbers each.
        """
        source, names = source_codes(view)
        values = np.zeros(len(source))
        findings: list[Finding] = []
        spoke = False
        for habit in _habits(view):
            tested = (habit.digit >= 0) & ~view.trusted
            rows = np.bincount(source[tested], minlength=len(names))
            heard = np.flatnonzero(rows >= FEWEST_ROWS).tolist()
            spoke |= len(heard) >= FEWEST_SOURCES
            for s, log_p, crowd in self._peeled(habit, source, heard, tested):
                mine = source == s
                values[mine] = np.maximum(values[mine], -log_p / np.log(10))
                if log_p <= np.log(self.fdr / 2):
                    mine &= tested
                    findings.append(self._finding(habit, mine, crowd, names[s], log_p=log_p))
        if not spoke:
            raise UnassessedError(
                f"fewer than {FEWEST_SOURCES} sources have {FEWEST_ROWS} varied numbers each"
            )
        findings.sort(key=lambda finding: finding.p_value)
        return Scores(values, tuple(findings))

    def _peeled(
        self, habit: _Habit, source: Ints, heard: list[int], tested: Bools
    ) -> Iterator[tuple[int, float, Bools]]:
        """Each source, its log p, and the crowd it was held against.

        The worst is taken out of the crowd before the next is judged: what it did to the
        crowd's digits is nobody else's habit.
        """
        while len(heard) >= FEWEST_SOURCES:
            crowd = tested & np.isin(source, heard)
            tails = np.array([habit.unlike(crowd & (source == s), crowd) for s in heard])
            tails = np.minimum(temper(tails) + np.log(len(heard)), 0.0)
            worst = int(np.argmin(tails))
            if tails[worst] > np.log(self.fdr / 2):
                yield from ((s, p, crowd) for s, p in zip(heard, tails.tolist(), strict=True))
                return
            yield heard[worst], float(tails[worst]), crowd
            heard = heard[:worst] + heard[worst + 1 :]

    def _finding(
        self, habit: _Habit, mine: Bools, tested: Bools, source: str, *, log_p: float
    ) -> Finding:
        own, usual = _shares(habit.digit[mine]), _shares(habit.digit[tested & ~mine])
        worst = int(np.argmax(np.abs(own - usual)))
        exhibits: dict[str, object] = {
            "column": habit.column,
            "habit": habit.name,
            "digit": worst,
            "share": float(own[worst]),
            "usual": float(usual[worst]),
            "rows": int(mine.sum()),
        }
        sentence = (
            f"{own[worst]:.0%} of {mine.sum()} numbers of {quote(source)} in "
            f"{tick(habit.column)} have {worst} as their {habit.name}, against "
            f"{usual[worst]:.0%} in other sources"
        )
        p_value = float(np.clip(np.exp(log_p), 1e-300, 1.0))
        return Finding(self.name, Unit.SOURCE, (source,), p_value, sentence, exhibits)


@dataclass(frozen=True, slots=True, eq=False)
class _Habit:
    """A digit of every number of a column; -1 where there is none."""

    column: str
    name: str
    digit: Ints

    def unlike(self, mine: Bools, tested: Bools) -> float:
        """Log p of a two-sample chi-square test of a source's digits against the others'."""
        both = (mine, tested & ~mine)
        table = np.stack([np.bincount(self.digit[rows], minlength=10) for rows in both])
        # Rare digits are taken together: chi-square needs about five of each expected.
        total = table.sum(axis=0)
        is_rare = total * table.sum(axis=1).min() < FEWEST_EXPECTED * max(total.sum(), 1)
        table = np.column_stack([table[:, ~is_rare], table[:, is_rare].sum(axis=1)])
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] < 2 or not table.sum(axis=1).all():
            return 0.0
        expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
        statistic = float(((table - expected) ** 2 / expected).sum())
        return max(float(stats.chi2.logsf(statistic, table.shape[1] - 1)), SMALLEST_LOG_P)


def _habits(view: View) -> Iterator[_Habit]:
    """Leading digit, and number of digits in use, of each column of varied numbers."""
    for column in columns_of(view, Role.NUMBER):
        values = numbers(view, column)
        known = np.flatnonzero(~np.isnan(values) & (values != 0))
        if len(np.unique(values[known])) < FEWEST_VALUES:
            continue
        size = np.abs(values[known])
        power = np.floor(np.log10(size))
        whole = np.rint(size / 10.0 ** (power - DIGITS + 1)).astype(np.int64)
        zeros = np.sum([whole % 10**k == 0 for k in range(1, DIGITS)], axis=0)
        for name, digit in (
            ("leading digit", whole // 10 ** (DIGITS - 1) % 10),
            ("count of digits in use", DIGITS - zeros),
        ):
            found = np.full(len(values), -1, dtype=np.int64)
            found[known] = digit
            yield _Habit(column, name, found)


def _shares(digit: Ints) -> Floats:
    count = np.bincount(digit, minlength=10)
    return np.asarray(count / max(count.sum(), 1))

"""Copies and near copies of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.table import (
    columns_of,
    content_of,
    mix,
    row_hash,
    rows_of,
)
from credenza.screening.features.text import minhash, tokens
from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats, Ints, View

SHOWN_COLUMNS = 3
MIN_COPIES = 4
BANDS = 4
MAX_NAMED = 200
NEAR = 0.5
COMMON = 0.1


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Groups of copies that are larger than this data's groups, and new against trusted rows.

    Copies are the unit of evidence and the cheapest payload: one row sent a hundred
    times, by one source or split over many. Rows are compared whole, with any single
    column left out, and by MinHash bands of their texts, where at least half of the
    signature must agree. A group counts when it is
    both larger than the tail of this window's own group sizes foretells (a flood is
    one group, however many its rows, so it cannot move that tail), and more frequent
    than among trusted rows. Where there are none, it must also be a particular row: two
    of its values must hardly stand together elsewhere, for where every value is a
    common one, as zeros and missing values are, rows agree without being copies. Blind
    to copies that differ in two columns or more, to copies of such a common row, and to
    floods of thousands of small groups, which become the window's habit.

    Attributes:
        fdr: expected share of false groups among those named.
        max_findings: groups named; the scores know them all.

    Complexity:
        O(c · n log n) for c columns.

    Source:
        Broder 1997 (MinHash); leave-one-column-out hashes are ours.
    """

    fdr: float = 0.01
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "duplicates"

    @property
    def needs(self) -> frozenset[Role]:
        """No role: any column will do."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """-log10 p of the most surprising group that a row belongs to, 0 elsewhere."""
        n = view.table.num_rows
        values = np.zeros(n)
        findings: list[Finding] = []
        named = np.zeros(n, dtype=bool)
        parts = content_of(view)
        alone = not view.trusted.any()
        ways = list(_ways(view, parts))
        for alike, keys, compared in ways:
            large, log_p, groups = group_surprise(keys[~view.trusted], keys[view.trusted])
            guilty = np.flatnonzero(reject_log_p(log_p, self.fdr / len(ways), groups))
            # Ranked, so that the strongest are named when there are too many.
            for g in guilty[np.argsort(log_p[guilty], kind="stable")][:MAX_NAMED]:
                rows = keys == large[g]
                here = rows & ~view.trusted
                if alone and not is_particular([parts[c] for c in compared], rows):
                    continue
                values[rows] = np.maximum(values[rows], -log_p[g] / np.log(10))
                if 2 * (here & ~named).sum() >= here.sum() and len(findings) < MAX_NAMED:
                    findings.append(self._finding(view, rows, alike, float(log_p[g])))
                    named |= rows
        findings.sort(key=lambda finding: finding.p_value)
        return Scores(values, tuple(findings[: self.max_findings]), is_evidence=True)

    def _finding(self, view: View, rows: Bools, alike: str, log_p: float) -> Finding:
        here = rows & ~view.trusted
        position = int(np.flatnonzero(here)[0])
        shown = [
            f"{tick(name)} = {quote(view.table.column(name)[position].as_py())}"
            for name in columns_of(view, Role.NUMBER, Role.CATEGORY, Role.TEXT)[:SHOWN_COLUMNS]
        ]
        sources = sorted({str(s) for s in view.source[here]})
        exhibits: dict[str, object] = {
            "alike": alike,
            "copies": int(here.sum()),
            "trusted_copies": int((rows & view.trusted).sum()),
            "trusted_rows": int(view.trusted.sum()),
            "sources": sources,
            "example": shown,
        }
        sentence = (
            f"{exhibits['copies']} rows are {alike} of one row ({', '.join(shown)}, …); "
            f"{len(sources)} source{'s' if len(sources) != 1 else ''}; "
            f"{exhibits['trusted_copies']} of {exhibits['trusted_rows']} trusted rows are"
        )
        return Finding(
            self.name,
            Unit.GROUP,
            tuple(sources),
            float(max(np.exp(log_p), 1e-300)),
            sentence,
            exhibits,
            rows_of(here),
            names_rows=True,
        )


def _ways(view: View, parts: list[Ints]) -> Iterator[tuple[str, Ints, list[int]]]:
    """Ways in which rows may be alike: a key per row, and the columns that are compared."""
    n = view.table.num_rows
    if not parts or n == 0:
        return
    whole = row_hash(parts, n)
    everything = list(range(len(parts)))
    yield "exact copies", whole, everything
    names = columns_of(view, Role.NUMBER, Role.CATEGORY, Role.TEXT)
    if len(parts) >= 3:
        for place, (name, part) in enumerate(zip(names, parts, strict=True)):
            with np.errstate(over="ignore"):
                key = whole - mix(part, place)
            yield f"copies in all but {tick(name)}", key, [c for c in everything if c != place]
    for name in columns_of(view, Role.TEXT):
        signature = minhash(tokens(view, name))
        width = signature.shape[1] // BANDS
        for band in range(BANDS):
            places = [signature[:, band * width + step] for step in range(width)]
            yield f"near copies in {tick(name)}", _near(row_hash(places, n), signature, whole), []


def _near(keys: Ints, signature: Ints, whole: Ints) -> Ints:
    """``keys``, where a row that is unlike the middle of its group gets one of its own.

    A band of a few places agrees by chance for texts that share their commonest words.
    """
    _, group, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    rows = np.flatnonzero(sizes[group] >= MIN_COPIES)
    if len(rows) == 0:
        return keys
    _, group, sizes = np.unique(group[rows], return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes + sizes // 2
    agree = np.zeros(len(rows))
    for place in signature[rows].T:
        ordered = place[np.lexsort((place, group))]
        agree += place == ordered[middle][group]
    far = rows[agree < NEAR * signature.shape[1]]
    found = keys.copy()
    found[far] = mix(whole[far], 7)
    return found


def is_particular(parts: list[Ints], rows: Bools) -> bool:
    """Whether two values of a group of copies hardly stand together in other rows.

    Args:
        parts: ``(n,)`` content codes of each column in which the group's rows agree.
        rows: ``(n,)`` the group.
    """
    first = int(np.flatnonzero(rows)[0])
    others = np.stack([codes[~rows] == codes[first] for codes in parts]) if parts else None
    if others is None or len(others) < 2:
        return True
    carried = others.astype(np.float32)
    together = carried @ carried.T
    return bool(together.min() <= COMMON * rows.sum())


def group_surprise(new: Ints, old: Ints) -> tuple[Ints, Floats, int]:
    """Log p of the size of each group of 4 rows and more: the weaker of the two tests.

    Returns:
        Keys of the groups, their log p, and the number of groups of any size.
    """
    keys, sizes = np.unique(new, return_counts=True)
    at = np.flatnonzero(sizes >= MIN_COPIES)
    if len(at) == 0:
        return keys[at], np.zeros(0), len(keys)
    size = sizes[at]
    ordered = np.sort(old)
    known = np.searchsorted(ordered, keys[at], side="right") - np.searchsorted(ordered, keys[at])
    share = len(new) / (len(new) + len(old))
    against_trusted = (
        stats.binom.logsf(size - 1, size + known, share) if len(old) else np.full(len(at), -np.inf)
    )
    low, high = np.quantile(sizes, [0.9, 0.995])
    # Survival falls from .1 to .005 between these two sizes; sizes of groups have heavy
    # tails, so it goes on as a power of the size.
    power = np.log(20) / np.log(max(high / low, 2.0))
    beyond = np.where(size > high, np.log(0.005) - power * np.log(size / high), 0.0)
    return keys[at], np.maximum(against_trusted, beyond), len(keys)

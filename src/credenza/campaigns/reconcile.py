"""What one source says of a thing, beside what the others say of the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.columns import by_value, numbers
from credenza.core.text import quote, tick
from credenza.core.types import Finding, Silence, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from credenza.core.types import Floats, Ints, Strings

LEAST_OTHERS = 2
MAD_TO_SD = 1.4826
DETECTOR = "reconcile"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What came of a comparison.

    Attributes:
        findings: one for each source and value that disagrees, rows counted in the window.
        silences: by source, that none of its rows could be compared.
    """

    findings: tuple[Finding, ...]
    silences: tuple[tuple[str, Silence], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Rows of the window beside the other units' word on the same key.

    Attributes:
        rows: ``(m,)`` positions in the window; only rows with at least two other units.
        own: ``(m,)`` the row's value.
        middle: ``(m,)`` median of the other units' medians.
        spread: ``(m,)`` one usual disagreement.
        others: ``(m,)`` how many other units there are.
    """

    rows: Ints
    own: Floats
    middle: Floats
    spread: Floats
    others: Ints

    def deviation(self) -> Floats:
        """``(m,)`` usual disagreements that each row is away from the others."""
        return np.asarray(np.abs(self.own - self.middle) / self.spread)


def reconcile(
    window: pa.Table,
    source: Strings,
    unit: Ints,
    *,
    key: Sequence[str],
    values: Sequence[str],
    spreads: float,
) -> Reconciliation:
    """Find rows that say something else than the other sources do of the same key.

    Rows of one key are compared with the median of the *other* units' medians, so that no
    unit can move its own yardstick, and a unit that repeats itself still has one voice. One
    spread is the larger of the others' median absolute deviation at that key and the typical
    one over all keys: two others that happen to agree exactly prove nothing.

    Blind where fewer than two other units describe the key (a source none of whose rows can
    be compared falls silent), where liars are half of those who do, and to columns that are
    not numbers. It says who stands alone, not who is right.

    Args:
        window: rows of all sources.
        source: ``(n,)`` source id of each row.
        unit: ``(n,)`` its unit: sources of one declared group are one voice.
        key: columns that name what a row is about, compared exactly.
        values: number columns to compare.
        spreads: from how many spreads on a row disagrees, above 0.

    Source:
        Leave-one-out median and MAD (Hampel 1974), the scale pooled over keys.
    """
    thing = _things(window, key)
    findings: list[Finding] = []
    heard = np.zeros(window.num_rows, dtype=bool)
    for name in values:
        compared = _compare(thing, unit, numbers(window, name))
        heard[compared.rows] = True
        findings += _findings(window, source, compared, key=key, name=name, spreads=spreads)
    keys = ", ".join(tick(name) for name in key)
    silences = [
        (who, Silence(DETECTOR, f"no row of {quote(who)} has {keys} of two other sources"))
        for who in sorted(set(source.tolist()))
        if not heard[source == who].any()
    ]
    return Reconciliation(tuple(sorted(findings, key=lambda f: f.p_value)), tuple(silences))


def _things(window: pa.Table, key: Sequence[str]) -> Ints:
    """``(n,)`` number of each row's key; -1 where a part of it is missing."""
    found = np.zeros(window.num_rows, dtype=np.int64)
    known = np.ones(window.num_rows, dtype=bool)
    for name in key:
        column = by_value(window, name)
        known &= column.codes >= 0
        # Numbered anew after each part, so that many parts cannot overflow.
        _, found = np.unique(found * (column.size + 1) + column.codes, return_inverse=True)
    return np.where(known, found, -1)


def _compare(thing: Ints, unit: Ints, value: Floats) -> _Compared:
    at = np.flatnonzero((thing >= 0) & np.isfinite(value))
    pair = thing[at] * (int(unit.max(initial=0)) + 1) + unit[at]
    cells, cell_of = np.unique(pair, return_inverse=True)
    order = np.lexsort((value[at], cell_of))
    size = np.bincount(cell_of, minlength=len(cells))
    start = np.cumsum(size) - size
    voice = _medians(value[at][order], start, size)
    things = cells // (int(unit.max(initial=0)) + 1)
    first = np.flatnonzero(np.r_[True, things[1:] != things[:-1]]) if len(things) else things
    stop = np.r_[first[1:], len(things)] if len(things) else first
    middle, spread = np.full(len(cells), np.nan), np.full(len(cells), np.nan)
    others = np.zeros(len(cells), dtype=np.int64)
    for low, high in zip(first, stop, strict=True):
        count = high - low
        if count <= LEAST_OTHERS:
            continue
        rest = _without_each(voice[low:high])
        middle[low:high] = np.median(rest, axis=1)
        spread[low:high] = np.median(np.abs(rest - middle[low:high, None]), axis=1)
        others[low:high] = count - 1
    usual = spread[np.isfinite(spread)]
    typical = float(np.median(np.abs(voice - middle)[np.isfinite(middle)])) if len(usual) else 0.0
    scale = MAD_TO_SD * np.maximum(spread, typical)
    scale = np.maximum(scale, 1e-9 * np.maximum(1.0, np.abs(middle)))
    comparable = others[cell_of] >= LEAST_OTHERS
    chosen = cell_of[comparable]
    return _Compared(
        at[comparable], value[at][comparable], middle[chosen], scale[chosen], others[chosen]
    )


def _medians(ordered: Floats, start: Ints, size: Ints) -> Floats:
    """Median of each run of sorted values."""
    low, high = start + (size - 1) // 2, start + size // 2
    return np.asarray((ordered[low] + ordered[high]) / 2)


def _without_each(voice: Floats) -> Floats:
    """``(c, c - 1)`` all voices but one, for each."""
    count = len(voice)
    keep = ~np.eye(count, dtype=bool)
    return np.broadcast_to(voice, (count, count))[keep].reshape(count, count - 1)


def _findings(
    window: pa.Table,
    source: Strings,
    compared: _Compared,
    *,
    key: Sequence[str],
    name: str,
    spreads: float,
) -> Iterator[Finding]:
    deviation = compared.deviation()
    agreeing = np.sort(deviation[deviation <= spreads])
    apart = deviation > spreads
    who = source[compared.rows]
    for sender in sorted(set(who[apart].tolist())):
        mine = np.flatnonzero(apart & (who == sender))
        worst = int(mine[np.argmax(deviation[mine])])
        row = int(compared.rows[worst])
        about = " and ".join(f"{tick(k)} = {quote(window.column(k)[row].as_py())}" for k in key)
        exhibits: dict[str, object] = {
            "value": name,
            "source": sender,
            "apart": len(mine),
            "compared": int((who == sender).sum()),
            "rows": int((source == sender).sum()),
            "about": about,
            "own": float(compared.own[worst]),
            "others": int(compared.others[worst]),
            "others_median": float(compared.middle[worst]),
            "spreads": float(deviation[worst]),
        }
        sentence = (
            f"{len(mine)} of the {exhibits['compared']} rows of {quote(sender)} that others "
            f"describe too disagree with them on {tick(name)}; furthest where {about}: "
            f"{compared.own[worst]:.6g}, the median of {exhibits['others']} others is "
            f"{compared.middle[worst]:.6g}, {deviation[worst]:.1f} usual spreads away"
        )
        rows = tuple(np.sort(compared.rows[mine]).tolist())
        p_value = 1.0 / (len(agreeing) + 1)
        yield Finding(DETECTOR, Unit.GROUP, (sender,), p_value, sentence, exhibits, rows)

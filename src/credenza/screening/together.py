"""Sources of one file that share a payload."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy import special, stats

from credenza.core.text import quote
from credenza.core.types import Finding, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from credenza.core.types import Bools, Ints, View

CROWD = 4
LEVEL = 0.01
HONEST = 0.001
SHOWN = 6


class _Shared(NamedTuple):
    """A payload, its carriers in the few sources that share it, and the log p of that."""

    payload: Finding
    rows: tuple[int, ...]
    log_p: float


def shared_payloads(view: View, findings: Iterable[Finding]) -> list[Finding]:
    """A campaign for each few of many sources that share a named payload, or several.

    Were the carriers spread by chance, so many of them would hardly all lie in so few
    sources; the chance is that of the rows of these sources, times the ways to choose
    them. A payload has honest carriers too, so the few are chosen by their rates, and of
    them only those are named that carry it far more often than the others do. Blind to
    payloads that most sources carry, and to sources that are one sender.

    Args:
        view: the rows, from at least four sources.
        findings: what detectors named; those that name rows are payloads.

    Source:
        Scan statistics over subsets, Neill 2012: the best subset of a size is of the
        highest rates.
    """
    tested = np.flatnonzero(~view.trusted)
    sources, code = np.unique(view.source[tested].astype(str), return_inverse=True)
    if len(sources) < CROWD:
        return []
    code_of = np.full(len(view.source), -1, dtype=np.int64)
    code_of[tested] = code
    sent = np.bincount(code)
    found: dict[tuple[str, ...], list[_Shared]] = defaultdict(list)
    for finding in findings:
        if finding.unit is Unit.GROUP and finding.names_rows and finding.rows:
            mine = code_of[list(finding.rows)]
            carried = np.bincount(mine[mine >= 0], minlength=len(sources))
            few, log_p = sharing(carried, sent)
            if few.sum() >= 2 and log_p <= np.log(LEVEL):
                rows = tuple(
                    r for r, s in zip(finding.rows, mine, strict=True) if few[s] and s >= 0
                )
                names = tuple(str(name) for name in sources[few])
                found[names].append(_Shared(finding, rows, log_p))
    return [_campaign(names, len(sources), shared) for names, shared in found.items()]


def sharing(carried: Ints, sent: Ints) -> tuple[Bools, float]:
    """Sources that share a payload, and the log p of that.

    Args:
        carried: ``(s,)`` carriers of each source.
        sent: ``(s,)`` rows of each source, at least 1.

    Returns:
        ``(s,)`` mask, and the logarithm of a p-value for so uneven a spread.
    """
    s = len(sent)
    order = np.argsort(-carried / sent, kind="stable")
    sizes = np.arange(1, s // 2 + 1)
    of_few, rows_of_few = np.cumsum(carried[order])[: s // 2], np.cumsum(sent[order])[: s // 2]
    total, rows = int(carried.sum()), int(sent.sum())
    ways = special.gammaln(s + 1) - special.gammaln(sizes + 1) - special.gammaln(s - sizes + 1)
    ways += np.log(len(sizes))
    tails = stats.binom.logsf(of_few - 1, total, rows_of_few / rows) + ways
    best = int(tails.argmin())
    few = np.zeros(s, dtype=bool)
    few[order[: best + 1]] = True
    usual = (total - of_few[best] + 1.0) / (rows - rows_of_few[best] + 1.0)
    alone = stats.binom.sf(carried - 1, sent, min(usual, 1.0))
    return few & (alone <= HONEST / s), float(tails[best])


def _campaign(names: tuple[str, ...], sources: int, shared: Sequence[_Shared]) -> Finding:
    """One finding for all that the same sources share; the surest of it, times the looks."""
    rows = tuple(sorted({row for one in shared for row in one.rows}))
    carriers = {row for one in shared for row in one.payload.rows}
    exhibits: dict[str, object] = {
        "sources": list(names),
        "of": sources,
        "rows": len(rows),
        "elsewhere": len(carriers) - len(rows),
        "payloads": [
            {"detector": one.payload.detector, "sentence": one.payload.sentence} for one in shared
        ],
    }
    shown = ", ".join(quote(name) for name in names[:SHOWN])
    payloads = "a payload" if len(shared) == 1 else f"{len(shared)} payloads"
    told = "; ".join(one.payload.sentence for one in shared[:SHOWN])
    sentence = (
        f"{len(names)} of {sources} sources share {payloads} in {exhibits['rows']} rows "
        f"({shown}{', …' if len(names) > SHOWN else ''}; elsewhere in "
        f"{exhibits['elsewhere']}): {told}{'; …' if len(shared) > SHOWN else ''}"
    )
    log_p = min(one.log_p for one in shared) + np.log(len(shared))
    p_value = float(np.clip(np.exp(log_p), 1e-300, 1.0))
    return Finding("together", Unit.CAMPAIGN, names, p_value, sentence, exhibits, rows)

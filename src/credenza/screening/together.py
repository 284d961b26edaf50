"""Sources of one file that share a payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from credenza.core.text import quote
from credenza.core.types import Finding, Unit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.types import View

CROWD = 4
LEVEL = 0.01
SHOWN = 6


def shared_payloads(view: View, findings: Iterable[Finding]) -> list[Finding]:
    """A campaign for each named payload that a few of many sources share.

    Were the carriers spread by chance, so many of them would hardly all lie in so few
    sources; the chance is that of the rows of these sources, times the ways to choose
    them. Blind to payloads that most sources carry, and to sources that are one sender.

    Args:
        view: the rows, from at least four sources.
        findings: what detectors named; those that name rows are payloads.
    """
    sources, rows_of_source = np.unique(view.source[~view.trusted], return_counts=True)
    if len(sources) < CROWD:
        return []
    found = []
    for finding in findings:
        if finding.unit is Unit.GROUP and finding.names_rows:
            mine = np.unique(view.source[list(finding.rows)])
            share = rows_of_source[np.isin(sources, mine)].sum() / rows_of_source.sum()
            ways = np.log(special.comb(len(sources), len(mine)))
            log_p = float(ways + len(finding.rows) * np.log(share))
            if len(mine) >= 2 and log_p <= np.log(LEVEL):
                names = tuple(str(name) for name in mine)
                found.append(_campaign(finding, names, len(sources), np.exp(log_p)))
    return found


def _campaign(payload: Finding, names: tuple[str, ...], sources: int, p_value: float) -> Finding:
    exhibits: dict[str, object] = {
        "sources": list(names),
        "of": sources,
        "rows": len(payload.rows),
        "payload": payload.sentence,
        "detector": payload.detector,
    }
    shown = ", ".join(quote(name) for name in names[:SHOWN])
    sentence = (
        f"{len(names)} of {sources} sources share a payload in {len(payload.rows)} rows "
        f"({shown}{', …' if len(names) > SHOWN else ''}): {payload.sentence}"
    )
    p_value = max(float(p_value), 1e-300)
    return Finding("together", Unit.CAMPAIGN, names, p_value, sentence, exhibits, payload.rows)

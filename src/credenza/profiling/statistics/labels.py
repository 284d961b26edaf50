"""Labels against what the reference model expected, in total and in subgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaln, ndtri, pdtr, pdtrc

from credenza.profiling.statistics.rows import Measures, Rows, root_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats

SURE = 0.1
"""A label whose probability the model puts at this or less is a surprise."""
CERTAIN = 0.02
"""At this or less it is a contradiction: honest rows hardly have any."""
MOST_CLASSES = 5
FAR = 8.0
"""Largest normal score; beyond it more evidence is no more use."""


def labels(rows: Rows) -> Measures:
    """Label rates, residuals and confident disagreement, for at most five classes.

    *Residual*: labels minus probabilities, in binomial standard units, so that a batch
    of hard rows is no evidence. *Surprise* and *contradiction*: how many rows carry a
    label that the model was at least 90 % or 98 % sure against, as the normal score of
    that count among the counts its own probabilities foresee. Flipped labels stand out
    there, because few rows are at risk and hardly any of them is expected.

    Blind to labels that the model expects, such as those of a trigger it has learnt.

    Source:
        Residuals and confident disagreement as prototyped for the flights; the count is
        set against its Poisson expectation here instead of a square root of the rate,
        which gives the few rows of a small batch their due.
    """
    if rows.label is None:
        return {}
    found: Measures = {}
    name = rows.reference.label
    classes = rows.reference.classes
    for place, value in enumerate(classes[:MOST_CLASSES]):
        claim = f"{name} = {value}"
        carried = np.asarray(rows.label == place, dtype=np.bool_)
        # The rates of two classes are one number.
        rated = len(classes) != 2 or place == 0
        if rated:
            found[f"label share {claim}"] = root_rate(int(carried.sum()), rows.size)
        if rows.expected is not None:
            p = rows.expected[:, place]
            if rated:
                found |= _residuals(claim, carried, p, rows)
            found |= _surprises(claim, carried, p, rows)
    return found


def _residuals(claim: str, carried: Bools, p: Floats, rows: Rows) -> Measures:
    excess = carried - p
    variance = p * (1 - p)
    return {
        f"residual {claim}{where}": (
            float(excess[part].sum() / np.sqrt(variance[part].sum() + 0.25)),
            1.0,
        )
        for where, part in _parts(rows)
    }


def _surprises(claim: str, carried: Bools, p: Floats, rows: Rows) -> Measures:
    found: Measures = {}
    parts = list(_parts(rows))
    sure = p <= SURE
    for where, part in parts:
        risk = part & sure
        found[f"surprise {claim}{where}"] = _normal_score(carried[risk], p[risk])
    risk = parts[0][1] & (p <= CERTAIN)
    found[f"contradiction {claim}"] = _normal_score(carried[risk], p[risk])
    return found


def _parts(rows: Rows) -> Iterator[tuple[str, Bools]]:
    """All labelled rows, then those of every subgroup."""
    known = np.asarray(rows.label != -1, dtype=np.bool_)
    yield "", known
    for name, inside in rows.subgroups.items():
        yield f" where {name}", inside & known


def _normal_score(carried: Bools, p: Floats) -> tuple[float, float]:
    """Normal score of the mid-p of a Poisson count; standard normal when p is right."""
    count, foreseen = int(carried.sum()), float(p.sum())
    if count == 0:
        return float(ndtri(0.5 * np.exp(-foreseen))) if foreseen < 30 else -FAR, 1.0
    # Above by the upper tail, which keeps its digits where the lower one is 1.
    at = np.exp(count * np.log(max(foreseen, 1e-9)) - foreseen - gammaln(count + 1))
    upper = pdtrc(count, foreseen) + 0.5 * at
    if upper < 0.5:
        return min(FAR, float(-ndtri(max(upper, 1e-300)))), 1.0
    return max(-FAR, float(ndtri(max(pdtr(count, foreseen) - 0.5 * at, 1e-300)))), 1.0

"""Labels against what the reference model expected, in total and in subgroups."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.profiling.statistics.rows import Measures, Rows, root_rate

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats

SURE = 0.1
"""A label whose probability the model puts at this or less is a surprise."""
MOST_CLASSES = 5


def labels(rows: Rows) -> Measures:
    """Label rates, residuals and confident disagreement, for at most five classes.

    *Residual*: labels minus probabilities, in binomial standard units, so that a batch
    of hard rows is no evidence. *Surprise*: how many rows carry a label that the model
    was at least 90 % sure against, beyond the number that its own probabilities foresee,
    on a square-root scale. Flipped labels stand out there, because a small part of the
    rows is at risk and hardly any of them is expected.

    Blind to labels that the model expects, such as those of a trigger it has learnt.

    Source:
        Residuals and confident disagreement as prototyped for the flights; the count is
        set against its expectation here, not only against the number of rows.
    """
    if rows.label is None:
        return {}
    found: Measures = {}
    name = rows.reference.label
    shown = rows.reference.classes[:MOST_CLASSES]
    for place, value in enumerate(shown):
        carried = rows.label == place
        # The rates of two classes are one number.
        last_of_two = len(rows.reference.classes) == 2 and place == 1
        if not last_of_two:
            found[f"share {name} = {value}"] = root_rate(int(carried.sum()), rows.size)
        if rows.expected is not None:
            p = rows.expected[:, place]
            found |= _against(f"{name} = {value}", carried, p, rows, residual=not last_of_two)
    return found


def _against(claim: str, carried: Bools, p: Floats, rows: Rows, *, residual: bool) -> Measures:
    known = rows.label != -1 if rows.label is not None else np.zeros(rows.size, bool)
    everyone = {"": np.ones(rows.size, dtype=np.bool_)}
    sure = p <= SURE
    found: Measures = {}
    for name, inside in {**everyone, **rows.subgroups}.items():
        where = f" where {name}" if name else ""
        part = inside & known
        if residual:
            variance = float(np.sum(p[part] * (1 - p[part])))
            excess = float(np.sum(carried[part] - p[part]))
            found[f"residual {claim}{where}"] = (excess / np.sqrt(variance + 0.25), 1.0)
        risk = part & sure
        count = float(np.sum(carried[risk]))
        foreseen = float(np.sum(p[risk]))
        value = 2 * (np.sqrt(count + 0.375) - np.sqrt(foreseen + 0.375))
        found[f"surprise {claim}{where}"] = (float(value), 1.0)
    return found

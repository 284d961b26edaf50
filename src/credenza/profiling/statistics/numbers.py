"""Where numbers lie: level, and both tails of the trusted distribution."""

from __future__ import annotations

import numpy as np

from credenza.profiling.statistics.rows import Measures, Rows, root_rate


def numbers(rows: Rows) -> Measures:
    """Mean in trusted standard units, and the rates beyond the trusted 5 % and 95 %.

    The mean cuts values at the trusted 1 % and 99 %, so that one outlier is one row.
    """
    found: Measures = {}
    for name, value in rows.numbers.items():
        known = value[np.isfinite(value)]
        own = rows.reference.numbers[name]
        mean = sd = float("nan")
        if len(known):
            unit = (np.clip(known, own.low, own.high) - own.centre) / own.spread
            mean = float(unit.mean())
            sd = float(np.sqrt((unit.var() * len(unit) + 1) / (len(unit) + 1) / len(unit)))
        found[f"number mean {name}"] = (mean, sd)
        low, high = own.tails
        found[f"number share {name} < {low:g}"] = root_rate(int(np.sum(known < low)), len(known))
        found[f"number share {name} > {high:g}"] = root_rate(int(np.sum(known > high)), len(known))
    return found

"""How much came, and how much of it is missing."""

from __future__ import annotations

import numpy as np

from credenza.profiling.statistics.rows import Measures, Rows, root_rate


def volume(rows: Rows) -> Measures:
    """Logarithm of the number of rows, and the missing rate of every column."""
    size = max(rows.size, 1)
    found: Measures = {"volume rows (log)": (float(np.log(size)), float(1 / np.sqrt(size)))}
    for name, code in rows.codes.items():
        found[f"volume missing {name}"] = root_rate(int(np.sum(code < 0)), rows.size)
    return found

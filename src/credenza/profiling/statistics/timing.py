"""When rows happened, beside the hours and days that are numbers like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.profiling.statistics.rows import root_rate
from credenza.profiling.statistics.unstructured import NO_MOMENT

if TYPE_CHECKING:
    from credenza.profiling.statistics.rows import Measures, Rows


def timing(rows: Rows) -> Measures:
    """Rate of rows that share their very moment with another row of the batch.

    Scripts write many rows at once, people do not. Blind where times are coarse, such as
    days, for there every row shares its moment; and to a script that waits.
    """
    found: Measures = {}
    for name, moment in rows.reading.moments.items():
        known = moment[moment != NO_MOMENT]
        _, place, count = np.unique(known, return_inverse=True, return_counts=True)
        found[f"timing together {name}"] = root_rate(int(np.sum(count[place] > 1)), len(known))
    return found

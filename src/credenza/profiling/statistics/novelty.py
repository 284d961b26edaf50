"""Values and value pairs that trusted rows hardly have, or do not have at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.profiling.statistics.reference import UNKNOWN, pair_places
from credenza.profiling.statistics.rows import Measures, Rows, root_rate

if TYPE_CHECKING:
    from credenza.core.types import Floats


def novelty(rows: Rows) -> Measures:
    """Rates of rare and of unknown levels and words by column, and of unknown value pairs.

    A trigger is a combination that honest rows hardly have, whatever its label. Honest
    novelty (a new route) looks the same, which is why one source alone is no campaign.
    """
    found: Measures = {}
    for name, category in rows.reference.categories.items():
        code = rows.codes[name]
        rare = (code >= category.common) & (code < UNKNOWN)
        found[f"novelty rare {name}"] = root_rate(int(rare.sum()), rows.size)
        unknown = code == UNKNOWN
        found[f"novelty unknown {name}"] = root_rate(int(unknown.sum()), rows.size)
    for name, (new, rare_words, every) in rows.reading.words.items():
        found[f"novelty rare words {name}"] = root_rate(rare_words, every)
        found[f"novelty unknown words {name}"] = root_rate(new, every)
    return found | _pairs(rows)


def _pairs(rows: Rows) -> Measures:
    unseen: dict[str, Floats] = {name: np.zeros(rows.size) for name in rows.codes}
    every = np.zeros(rows.size)
    for (a, b), bits in rows.reference.pairs.items():
        seen = np.unpackbits(np.frombuffer(bits, dtype=np.uint8))
        new = 1.0 - seen[pair_places(rows.codes[a], rows.codes[b])]
        unseen[a] = unseen[a] + new
        unseen[b] = unseen[b] + new
        every += new
    found = {
        f"pairs unseen with {name}": root_rate(float(np.sum(count > 0)), rows.size)
        for name, count in unseen.items()
    }
    found["pairs unseen at all"] = root_rate(float(np.sum(every > 0)), rows.size)
    found["pairs unseen in several columns"] = root_rate(float(np.sum(every > 2)), rows.size)
    return found

"""Words, and pairs side by side, whose carriers have a label that little else explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.screening.features.candidates import gram_candidates
from credenza.screening.features.context import Context
from credenza.screening.features.grams import grams_of

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
    from credenza.screening.features.label import Labels

MAX_CLASSES = 12
FEWEST_ROWS = 30
UNLIKELY = 0.02


def word_residuals(
    view: View, column: str, labels: Labels, least: int
) -> dict[int, tuple[Ints, Floats, Floats]]:
    """For each frequent label words and pairs of a text, and Σ(y - p) / √Σp(1 - p) over carriers.

    Here p is what the rest of the text says, by counts that know no other column. A word that
    matters has a residual too, so it is compared with words as frequent.

    Args:
        view: the rows.
        column: of texts.
        labels: of the rows.
        least: fewest carriers under test.

    Returns:
        By label code: ``(w, 2)`` token codes, -1 as the second of a word; ``(w,)`` carriers
        and residuals.
    """
    grams = grams_of(view, column)
    known = labels.codes >= 0
    words = gram_candidates(grams, known & ~view.trusted, least)
    original = words.parts[0].original
    codes = np.stack([grams.first[original], grams.second[original]], axis=1)
    carriers = np.bincount(words.codes, minlength=words.size).astype(np.float64)
    counts = np.bincount(labels.codes[known], minlength=len(labels.classes))
    found = {}
    for label in np.argsort(-counts, kind="stable")[:MAX_CLASSES]:
        if counts[label] < FEWEST_ROWS:
            continue
        own = (labels.codes == label).astype(np.float64)
        p = Context.of(known, own, [], [grams]).foretold(words)
        p = np.clip(p, UNLIKELY, 1.0 - UNLIKELY)
        rest = np.bincount(words.codes, weights=own[words.rows] - p, minlength=words.size)
        noise = np.bincount(words.codes, weights=p * (1.0 - p), minlength=words.size)
        z = rest / np.sqrt(np.maximum(noise, 1e-9))
        found[int(label)] = (codes, carriers, z)
    return found

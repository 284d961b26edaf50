"""From suspect rows to suspect sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import hypergeom

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Bools, Floats, Ints, Strings

FLOOR = 1e-300
"""Tails below it are not told apart by p-value, but by how far they lie out."""


@dataclass(frozen=True, slots=True)
class SourceBlame:
    """How many of the suspect rows one source, or one declared group, sent.

    Attributes:
        source: its name.
        rows: rows it sent.
        suspects: how many of them are suspect.
        expected: how many would be if suspects were drawn at random within each label.
        p_value: chance of at least ``suspects`` then, times the number of sources.
    """

    source: str
    rows: int
    suspects: int
    expected: float
    p_value: float


def blame_sources(
    suspects: Bools,
    labels: Ints,
    sources: Strings | Sequence[str],
    declared: Mapping[str, str] | None = None,
) -> tuple[SourceBlame, ...]:
    """Sources by how far their share of the suspects exceeds their share of the rows.

    Exact within each label, so a source is not blamed for sending many rows of the
    blamed class. It takes rows of one label as exchangeable between honest sources: a
    source with a look of its own (a camera, a dialect) that the wrong prediction shares
    can come up innocently. Many small colluders are each weak evidence; declare groups.

    Args:
        suspects: ``(n,)`` True for suspect rows.
        labels: ``(n,)`` label of each row.
        sources: ``(n,)`` source of each row.
        declared: group of the sources that count as one.

    Returns:
        Most suspicious first; Bonferroni-corrected over the sources.
    """
    named = np.asarray(sources).astype(str)
    groups = declared or {}
    names, place = np.unique([groups.get(name, name) for name in named], return_inverse=True)
    found: list[tuple[float, SourceBlame]] = []
    for number, name in enumerate(names):
        own = place == number
        chance, mean, variance = _null(own, suspects, labels)
        hits = int((own & suspects).sum())
        tail = float(np.clip(chance[hits:].sum(), FLOOR, 1.0))
        blame = SourceBlame(str(name), int(own.sum()), hits, mean, min(1.0, tail * len(names)))
        found.append(((hits - mean) / np.sqrt(variance + np.finfo(float).tiny), blame))
    return tuple(b for _, b in sorted(found, key=lambda f: (f[1].p_value, -f[0], f[1].source)))


def _null(own: Bools, suspects: Bools, labels: Ints) -> tuple[Floats, float, float]:
    """Distribution, mean and variance of a source's suspects, drawn within each label."""
    chance, mean, variance = np.ones(1), 0.0, 0.0
    for label in np.unique(labels[suspects]):
        stratum = labels == label
        drawn = int((suspects & stratum).sum())
        law = hypergeom(int(stratum.sum()), int((own & stratum).sum()), drawn)
        chance = np.convolve(chance, law.pmf(np.arange(drawn + 1)))
        mean, variance = mean + float(law.mean()), variance + float(law.var())
    return chance, mean, variance

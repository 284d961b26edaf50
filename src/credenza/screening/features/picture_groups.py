"""Groups of pictures that a detector named: their finding, and the scores of their rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.beliefs import labelled_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Ints, View
    from credenza.screening.features.image import Images
    from credenza.screening.features.label import Labels

LEAST_P = 1e-300
SHOWN_ROWS = 8


class PictureGroups(ABC):
    """A detector that names groups of labelled pictures, and scores their rows by them."""

    __slots__ = ()

    @property
    @abstractmethod
    def name(self) -> str:
        """The detector's name."""

    @property
    def needs(self) -> frozenset[Role]:
        """Pictures and their labels."""
        return frozenset({Role.IMAGE, Role.LABEL})

    def score(self, view: View) -> Scores:
        """-log10 p of the most surprising group that a row is in, 0 elsewhere.

        Raises:
            UnassessedError: the view has no pictures, or no labels that are classes.
        """
        labels, every = labelled_pictures(view)
        named = self.groups(view, labels, every) if every else ()
        findings = sorted(named, key=lambda one: one.p_value)
        values = np.zeros(view.table.num_rows)
        for one in findings:
            rows = list(one.rows)
            values[rows] = np.maximum(values[rows], -np.log10(one.p_value))
        return Scores(values, tuple(findings), is_evidence=True)

    @abstractmethod
    def groups(self, view: View, labels: Labels, every: list[Images]) -> Iterator[Finding]:
        """The groups in each column of pictures, asked where labels are enough."""


def group_finding(
    detector: str,
    view: View,
    rows: Ints,
    sentence: str,
    exhibits: dict[str, object],
    *,
    log_p: float,
) -> Finding:
    """The finding of a group, with what is shown of any."""
    sources = tuple(sorted({str(source) for source in view.source[rows]}))
    shown = {
        **exhibits,
        "carriers": len(rows),
        "sources": list(sources),
        "example_rows": rows[:SHOWN_ROWS].tolist(),
    }
    p_value, claimed = float(max(np.exp(log_p), LEAST_P)), tuple(rows.tolist())
    return Finding(
        detector, Unit.GROUP, sources, p_value, sentence, shown, claimed, names_rows=True
    )

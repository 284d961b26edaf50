"""The verb: which rows and sources made this prediction, as findings for review."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.core.types import Finding, Unit
from credenza.training.influence.builtin import INFLUENCES
from credenza.training.influence.sources import blame_sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Floats, Ints, Strings
    from credenza.training.influence.head import Influence, Moment
    from credenza.training.influence.sources import SourceBlame

SHARE = 0.01
FEWEST = 10
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Trace:
    """Where a wrong prediction comes from.

    Attributes:
        method: what made the scores.
        scores: ``(n,)`` mean over the probes; higher pushed harder.
        suspects: positions of the suspect rows, worst first.
        probes: predictions explained together.
        labels: ``(n,)`` class positions of the rows.
        sources: sources by their share of the suspects, worst first; () without sources.
    """

    method: str
    scores: Floats
    suspects: Ints
    probes: int
    labels: Ints
    sources: tuple[SourceBlame, ...]


def trace(
    moments: Sequence[Moment],
    *,
    method: str | Influence = "kfac",
    suspects: int | None = None,
    sources: Strings | Sequence[str] | None = None,
    declared: Mapping[str, str] | None = None,
) -> Trace:
    """Rank the training rows by how far they pushed the probes to their class.

    Ten probes with one cause are far better than one: what they have in common is the
    cause. Some rows always come first, so a ranking is not evidence of poison by itself;
    sources are tested, rows are only ordered.

    Args:
        moments: the last layer's view, see ``head_rows``; methods that sum over training
            read all, the others the last.
        method: a name of ``INFLUENCES``, or a method.
        suspects: rows to call suspect; None: 1 %, at least 10.
        sources: ``(n,)`` source of each training row.
        declared: group of the sources that count as one.

    Raises:
        NotFoundError: no method has that name.
        UsageError: there are no moments, or shapes do not fit.
    """
    if not moments:
        raise UsageError("no-moments", "there is no view of the last layer", fix="give one")
    chosen = INFLUENCES.make(method) if isinstance(method, str) else method
    scores = chosen.scores(moments).mean(axis=0)
    labels = moments[-1].train.labels
    count = max(FEWEST, round(SHARE * len(labels))) if suspects is None else suspects
    if not 1 <= count <= len(labels):
        raise UsageError("bad-parameter", f"{count} suspects of {len(labels)} rows")
    order = np.argsort(-scores, kind="stable")[:count]
    blamed: tuple[SourceBlame, ...] = ()
    if sources is not None:
        if len(sources) != len(labels):
            raise UsageError("bad-shape", f"{len(sources)} sources for {len(labels)} rows")
        chosen_rows = np.zeros(len(labels), dtype=np.bool_)
        chosen_rows[order] = True
        blamed = blame_sources(chosen_rows, labels, sources, declared)
    name = method if isinstance(method, str) else type(method).__name__
    return Trace(name, scores, order, len(moments[-1].probes.labels), labels, blamed)


def findings(traced: Trace, *, level: float = 0.01) -> tuple[Finding, ...]:
    """A trace as evidence: one finding per source beyond ``level``, and one for the rows.

    The finding on rows has the p-value 1, since a ranking tests nothing.
    """
    blamed = [_on_source(traced, blame) for blame in traced.sources if blame.p_value <= level]
    return (*blamed, _on_rows(traced))


def _on_source(traced: Trace, blame: SourceBlame) -> Finding:
    exhibits = {
        "source": blame.source,
        "rows": blame.rows,
        "suspects": blame.suspects,
        "expected": round(blame.expected, 2),
        "all_suspects": len(traced.suspects),
        "method": traced.method,
    }
    sentence = (
        "{source} sent {suspects} of the {all_suspects} rows that pushed hardest to "
        "the wrong prediction; {expected} were to be expected of its {rows} rows"
    ).format_map(exhibits)
    return Finding("influence", Unit.SOURCE, (blame.source,), blame.p_value, sentence, exhibits)


def _on_rows(traced: Trace) -> Finding:
    top = tuple(int(row) for row in traced.suspects)
    exhibits = {
        "suspects": len(top),
        "rows": len(traced.labels),
        "probes": traced.probes,
        "method": traced.method,
        "scores": [float(traced.scores[row]) for row in top[:SHOWN]],
    }
    sentence = (
        "{suspects} of {rows} rows pushed {probes} wrong predictions hardest, by {method}; "
        "a ranking, to be looked at before anything is removed"
    ).format_map(exhibits)
    subjects = tuple(str(row) for row in top)
    return Finding("influence", Unit.ROW, subjects, 1.0, sentence, exhibits, top)

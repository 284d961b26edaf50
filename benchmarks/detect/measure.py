"""How a scan and its peers are measured, the same for every table."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from scipy import stats
from sklearn.metrics import roc_auc_score

from credenza.screening.builtin import DETECTORS, SCAN_DETECTORS
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Iterable

    from peers import Answer
    from sources import Columns

    from credenza.core.types import Bools, Floats
    from credenza.screening.run import Screening


@dataclass(frozen=True)
class Cell:
    """One tool on one poisoned data set.

    Attributes:
        hits: poisoned rows flagged at the tool's default, of ``poison``.
        false: clean rows flagged, of ``clean``.
        at_thousandth: share of the poison ranked above all but .1 % of the clean rows.
        at_hundredth: the same for 1 %.
        auroc: area under the curve of the scores; nan without poison.
    """

    hits: int
    poison: int
    false: int
    clean: int
    at_thousandth: float
    at_hundredth: float
    auroc: float


def scan(
    columns: Columns, label: str, source: str = "", names: tuple[str, ...] = SCAN_DETECTORS
) -> tuple[Screening, float]:
    """A scan, by default with the default detectors, and the processor seconds it took."""
    table = pa.table({name: pa.array(list(values)) for name, values in columns.items()})
    view = make_view("bench", table, label=label, source=source)
    started = time.process_time()
    found = screen(view, [DETECTORS.make(n) for n in names], only_applicable=True)
    return found, time.process_time() - started


def cell(flagged: Bools, score: Floats, bad: Bools) -> Cell:
    """Counts and rates of one tool."""
    counts = int(flagged[bad].sum()), int(bad.sum()), int(flagged[~bad].sum()), int((~bad).sum())
    if not bad.any():
        return Cell(*counts, float("nan"), float("nan"), float("nan"))
    share = [float((score[bad] > np.quantile(score[~bad], 1 - at)).mean()) for at in (0.001, 0.01)]
    return Cell(*counts, *share, float(roc_auc_score(bad, score)))


def of_peer(answer: Answer, bad: Bools) -> Cell:
    """The cell of a peer's answer."""
    return cell(answer.flagged, answer.score, bad)


def wilson(hits: int, of: int) -> str:
    """A share with its 95 % Wilson interval."""
    if of == 0:
        return "-"
    low, high = stats.binomtest(hits, of).proportion_ci(method="wilson")
    return f"{hits / of:.3f} [{low:.3f}, {high:.3f}]"


def row(name: str, tool: str, cells: Iterable[Cell], extra: str = "") -> str:
    """A line of the table: shares pooled over seeds, rankings as median and worst."""
    found = list(cells)
    hits, poison = sum(c.hits for c in found), sum(c.poison for c in found)
    false, clean = sum(c.false for c in found), sum(c.clean for c in found)
    ranks = [
        f"{np.median(values):.2f} ({min(values):.2f})" if poison else "-"
        for values in ([c.at_thousandth for c in found], [c.at_hundredth for c in found])
    ]
    auroc = f"{np.median([c.auroc for c in found]):.3f}" if poison else "-"
    rate = f"{false / clean:.5f}"
    shown = (name, tool, wilson(hits, poison), rate, *ranks, auroc, extra)
    return f"| {' | '.join(shown)} |"


HEAD = (
    "| attack | tool | TPR at default | FPR at default "
    "| TPR at FPR .1 % | TPR at FPR 1 % | AUROC | |\n"
    "|---|---|---|---|---|---|---|---|"
)

"""Control charts, read from the scan's state that each settled window left behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.state import newest_deviations
from credenza.gate.windows import AGE
from credenza.store.rows import WindowRow

if TYPE_CHECKING:
    from credenza.campaigns.state import Deviations
    from credenza.core.types import Floats
    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class Panel:
    """How far each source was from its own past, by window and statistic.

    Attributes:
        windows: first days of the windows that were scanned, in order.
        deviations: ``(windows, sources, statistics)`` in standard units, common cause
            and season removed, clipped as the scan clips them; NaN where a source sent
            nothing, and until it joins.
    """

    windows: tuple[str, ...]
    sources: tuple[str, ...]
    statistics: tuple[str, ...]
    deviations: Floats


def panel_of(stores: Stores, dataset: str, last: int | None = None) -> Panel:
    """The settled windows of a dataset that the scan saw; empty before the first.

    Reads a part of one small state per window, held sources included.

    Args:
        stores: where the states lie.
        dataset: whose windows.
        last: so many of the newest only; None: all.
    """
    with stores.journal.catalog.snapshot() as index:
        many = index.count(WindowRow, dataset=dataset) if last is None else last
        latest = index.latest(WindowRow, many, AGE, dataset=dataset)
    settled = [row for row in reversed(latest) if row.state]
    newest = [newest_deviations(stores.journal.blobs.get(row.state)) for row in settled]
    if not newest:
        return Panel((), (), (), np.zeros((0, 0, 0)))
    sources = tuple(sorted({name for one in newest for name in one.sources}))
    statistics = newest[-1].statistics
    deviations = np.stack([_placed(one, sources, statistics) for one in newest])
    # A source that sent nothing keeps the window before, to the last bit.
    absent = (deviations[1:] == deviations[:-1]).all(axis=2)
    deviations[1:][absent] = np.nan
    return Panel(tuple(row.window for row in settled), sources, statistics, deviations)


def _placed(own: Deviations, sources: tuple[str, ...], statistics: tuple[str, ...]) -> Floats:
    """A window's deviations in the order of the chart; NaN for who came later."""
    found = np.full((len(sources), len(statistics)), np.nan)
    rows = [sources.index(name) for name in own.sources]
    known = [place for place, name in enumerate(own.statistics) if name in statistics]
    columns = [statistics.index(own.statistics[place]) for place in known]
    found[np.ix_(rows, columns)] = own.values[:, known]
    return found

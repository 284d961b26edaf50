"""Control charts, read from the scan's state that each settled window left behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.panel import PanelScanner
from credenza.store.rows import WindowRow

if TYPE_CHECKING:
    from credenza.campaigns.state import PanelState
    from credenza.core.types import Floats
    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class Panel:
    """How far each source was from its own past, by window and statistic.

    Attributes:
        windows: first days of the windows that were scanned, in order.
        deviations: ``(windows, sources, statistics)`` in standard units, common cause
            and season removed, clipped as the scan clips them; a source that sent
            nothing keeps its last one, and NaN until it joins.
    """

    windows: tuple[str, ...]
    sources: tuple[str, ...]
    statistics: tuple[str, ...]
    deviations: Floats


def panel_of(stores: Stores, dataset: str) -> Panel:
    """Every settled window of a dataset that the scan saw; empty before the first.

    Reads one small state per window. The average whose newest window weighs 1 is that
    window's own deviation, held sources included.
    """
    with stores.journal.catalog.snapshot() as index:
        settled = [row for row in index.find(WindowRow, dataset=dataset) if row.state]
    settled.sort(key=lambda row: row.settled_index)
    states = [PanelScanner.from_bytes(stores.journal.blobs.get(row.state)).state for row in settled]
    if not states:
        return Panel((), (), (), np.zeros((0, 0, 0)))
    sources = tuple(sorted({name for state in states for name in state.sources}))
    statistics = states[-1].statistics
    return Panel(
        tuple(row.window for row in settled),
        sources,
        statistics,
        np.stack([_placed(state, sources, statistics) for state in states]),
    )


def _placed(state: PanelState, sources: tuple[str, ...], statistics: tuple[str, ...]) -> Floats:
    """A state's newest deviations in the order of the chart; NaN for who came later."""
    found = np.full((len(sources), len(statistics)), np.nan)
    rows = [sources.index(name) for name in state.sources]
    known = [place for place, name in enumerate(state.statistics) if name in statistics]
    columns = [statistics.index(state.statistics[place]) for place in known]
    found[np.ix_(rows, columns)] = state.averages[0][:, known]
    return found

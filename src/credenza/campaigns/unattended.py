"""The scan of a whole panel, also where nobody decides on its claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.panel import PanelScanner
from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.campaigns.judge import WindowResult
    from credenza.core.types import Bools, Floats

MARGIN = 3.0
"""Without it a panel's own rate holds, but drifts, jumps and new partners of a real feed were
called campaigns several times as often."""
PATIENCE = 4
"""Windows for which a claim is repeated before the change is taken for the new ordinary."""


class Unattended:
    """Holds the sources of a claim for a few windows, then takes their change as known.

    A gate has reviewers, who clear a source or do not. Without them a claim can only be
    made; made for ever it would hide the next one, and dropped at once the attacker would
    train the baseline while the evidence still gathers. So the sources of a claim teach
    nothing for ``PATIENCE`` windows, counted over the whole claim, and afterwards the
    statistic that moved begins anew for them.

    Blind to whoever stays put after that: it has been said.
    """

    def __init__(self, sources: int) -> None:
        self._sources = sources
        self._held: dict[tuple[int, int], int] = {}

    def accept(self, scanner: PanelScanner, result: WindowResult) -> None:
        """Let the scanner learn from the window that ``result`` is about."""
        taken = np.ones(self._sources, dtype=bool)
        found = result.campaign
        moved = () if found is None else found.sources + found.suspected
        taken[list(moved)] = False
        scanner.accept(taken, ordinary=True)
        if found is None:
            self._held.clear()
            return
        held = {(source, found.statistic): 1 for source in moved}
        for key, windows in self._held.items():
            held[key] = windows + 1
        known = [
            source
            for (source, p), windows in held.items()
            if windows >= PATIENCE and p == found.statistic
        ]
        self._held = {key: windows for key, windows in held.items() if windows < PATIENCE}
        if known:
            scanner.begin_anew(known, found.statistic)


def scan_panel(
    values: Floats,
    *,
    start: int,
    periods: Sequence[int] = (),
    groups: Sequence[str] | None = None,
    rate: float = 0.01,
    accepted: Bools | None = None,
) -> Iterator[WindowResult]:
    """Judge every window of a panel from ``start`` on, each by its past alone.

    Args:
        values: ``(S, T, P)`` sources, windows, statistics; NaN = absent.
        start: first window that is judged; those before it are vetted history.
        periods: lengths of cycles in windows, such as 7 for days of the week.
        groups: group of each source; sources of one group count once.
        rate: false campaigns per window that are accepted; what the past foretells is
            held to a third of it.
        accepted: ``(S, T)`` False where a batch was held and must teach nothing; None:
            nobody decides, and ``Unattended`` says what is learnt.

    Yields:
        One ``WindowResult`` a window, in order.

    Raises:
        UsageError: a shape does not fit.
    """
    if values.ndim != 3 or not 0 <= start <= values.shape[1]:
        raise UsageError(
            "bad-panel",
            "the panel is not (sources, windows, statistics) with a start inside it",
            why=f"shape {values.shape}, start {start}",
            fix="give a three-dimensional array, NaN where a source is absent",
        )
    sources, windows, statistics = values.shape
    scanner = PanelScanner(
        [f"{s:06d}" for s in range(sources)],
        [f"{p:06d}" for p in range(statistics)],
        groups=groups,
        periods=periods,
        rate=rate / MARGIN,
    )
    unattended = Unattended(sources)
    for t in range(windows):
        result = scanner.step(values[:, t, :])
        if t >= start:
            yield result
        if accepted is not None:
            scanner.accept(np.asarray(accepted[:, t], dtype=bool))
        elif t < start:
            scanner.accept()
        else:
            unattended.accept(scanner, result)

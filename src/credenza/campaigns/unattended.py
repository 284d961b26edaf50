"""The scan of a whole panel, also where nobody decides on its claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.campaigns.panel import PanelScanner
from credenza.campaigns.panel_input import (
    accepted_of,
    groups_of,
    periods_of,
    rate_of,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.campaigns.judge import WindowResult
    from credenza.core.types import Bools, Floats

MARGIN = 4.0
"""The whole rate would be too much: an honest change that lasts, such as a drift, meets thirty
windows, and at 1/100 one of them would have a false claim in a quarter of all cases."""
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
    groups: Sequence[str | int | None] | None = None,
    rate: float = 0.01,
    accepted: Bools | None = None,
) -> Iterator[WindowResult]:
    """Judge every window of a panel from ``start`` on, each by its past alone.

    What does not fit is refused by the call itself, before any window is judged. A panel of
    one source, or in which nobody shows anything, is judged: it has no campaigns.

    Args:
        values: ``(S, T, P)`` sources, windows, statistics; numbers, NaN = absent.
        start: first window that is judged; those before it are vetted history.
        periods: lengths of cycles in windows, such as 7 for days of the week.
        groups: group of each source, a name or a number; sources of one group count once;
            None or "" = alone.
        rate: false campaigns per window that are accepted, between 0 and 1; what the past
            foretells is held to a quarter of it.
        accepted: ``(S, T)`` False where a batch was held and must teach nothing; None:
            nobody decides, and ``Unattended`` says what is learnt.

    Yields:
        One ``WindowResult`` a window, in order.

    Raises:
        UsageError: an argument has another shape, type or range.
    """
    panel = values_of(values, start)
    sources, windows, statistics = panel.shape
    scanner = PanelScanner(
        [f"{s:06d}" for s in range(sources)],
        [f"{p:06d}" for p in range(statistics)],
        groups=groups_of(groups, sources),
        periods=periods_of(periods),
        rate=rate_of(rate) / MARGIN,
    )
    return _judged(panel, start, scanner, accepted_of(accepted, (sources, windows)))


def _judged(
    panel: Floats, start: int, scanner: PanelScanner, accepted: Bools | None
) -> Iterator[WindowResult]:
    sources, windows, _ = panel.shape
    unattended = Unattended(sources)
    for t in range(windows):
        result = scanner.step(panel[:, t, :])
        if t >= start:
            yield result
        if accepted is not None:
            scanner.accept(accepted[:, t])
        elif t < start:
            scanner.accept()
        else:
            unattended.accept(scanner, result)

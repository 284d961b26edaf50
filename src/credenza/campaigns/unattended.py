"""What a scan learns where nobody decides on its claims."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.campaigns.judge import WindowResult
    from credenza.campaigns.panel import PanelScanner

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

"""The scan under test, as the gate runs it: judge, then learn from who was not held."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from credenza.campaigns.panel import PanelScanner
from credenza.campaigns.unattended import MARGIN, Unattended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from panels import Panel

    from credenza.campaigns.panel import WindowResult
    from credenza.core.types import Floats


RATE = 0.01
"""What ``scan_panel`` is asked for."""


class Passed(NamedTuple):
    """A clean pass over a panel.

    Attributes:
        results: by window, from the calibration on.
        states: by window, the scanner before it, where asked for.
    """

    results: list[WindowResult]
    states: dict[int, bytes]


def new_scanner(panel: Panel, groups: Sequence[str] | None = None) -> PanelScanner:
    """A scanner that has seen nothing."""
    sources, _, statistics = panel.values.shape
    return PanelScanner(
        [f"{s:06d}" for s in range(sources)],
        [f"{p:06d}" for p in range(statistics)],
        groups=groups,
        periods=panel.periods,
        rate=RATE / MARGIN,
    )


def go_on(
    scanner: PanelScanner, values: Floats, unattended: Unattended | None = None
) -> list[WindowResult]:
    """Judge ``values`` ``(S, W, P)``; None: everything is vetted and learnt."""
    found = []
    for t in range(values.shape[1]):
        result = scanner.step(values[:, t])
        if unattended is None:
            scanner.accept()
        else:
            unattended.accept(scanner, result)
        found.append(result)
    return found


def clean_pass(panel: Panel, keep: set[int], groups: Sequence[str] | None = None) -> Passed:
    """One pass over the clean panel, with the states before the windows in ``keep``."""
    scanner = new_scanner(panel, groups)
    unattended = Unattended(len(panel.values))
    results, states = [], {}
    for t in range(panel.values.shape[1]):
        if t in keep:
            states[t] = scanner.to_bytes()
        vetted = t < panel.calibration
        results += go_on(scanner, panel.values[:, t : t + 1], None if vetted else unattended)
    return Passed(results[panel.calibration :], states)

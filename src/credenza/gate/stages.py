"""The stages of a batch, each a type: skipping one does not type-check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.campaigns.lookback import Lookback
    from credenza.campaigns.panel import PanelScanner
    from credenza.core.types import Batch, Campaign, Silence, Verdict
    from credenza.gate.across import AcrossWindow
    from credenza.gate.decide import Evidence
    from credenza.profiling.state import State


@dataclass(frozen=True, slots=True)
class Profiled:
    """A verified batch, its rows, and their mergeable profile.

    Attributes:
        window: the window it waits for.
    """

    batch: Batch
    table: pa.Table
    profile: State
    window: str


@dataclass(frozen=True, slots=True)
class Screened:
    """All batches of one window with the evidence on each.

    Attributes:
        panel: the campaign scan after this window, before acceptance; None: it did not run.
        lookback: what control charts look back on from the next window.
        across: what the comparison of its sources gave.
    """

    dataset: str
    window: str
    evidence: tuple[Evidence, ...]
    campaigns: tuple[Campaign, ...]
    silences: tuple[Silence, ...]
    panel: PanelScanner | None
    lookback: Lookback
    across: AcrossWindow


@dataclass(frozen=True, slots=True)
class Judged:
    """Verdicts on all batches of one window, with the evidence they rest on."""

    screened: Screened
    verdicts: tuple[Verdict, ...]

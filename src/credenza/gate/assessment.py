"""A window's rows looked at together: by detectors, by the campaign scan, across sources.

No part can stop the others: one that fails or overruns is a silence, which policy holds.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from credenza.core.types import Silence
from credenza.gate.across import AcrossWindow, Sent, joined, judge_across, memory_of
from credenza.gate.beside import asked, screen_beside
from credenza.gate.panel import PanelWindow, judge_panel, lookback_of
from credenza.gate.silence import assessed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.types import Campaign, Floats
    from credenza.gate.policy import Policy
    from credenza.gate.reference import Reference
    from credenza.gate.stores import Stores
    from credenza.screening.run import Screening
    from credenza.store.rows import BatchRow, WindowRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Window:
    """The batches of one window, their rows, and where each batch's rows lie in ``table``.

    Attributes:
        rows: the batches under judgement.
        late: it was settled before they came.
        settled: how many windows were.
        before: the settled window before it, or None.
        company: of a late one, what was sent for it besides: judged, and looked at again.
    """

    dataset: str
    name: str
    rows: tuple[BatchRow, ...]
    table: pa.Table
    starts: tuple[int, ...]
    late: bool
    settled: int
    before: WindowRow | None
    company: tuple[BatchRow, ...] = ()

    def span(self, position: int) -> tuple[int, int]:
        """First and last + 1 row of batch ``position``."""
        return self.starts[position], self.starts[position + 1]

    def sources(self) -> list[str]:
        """The sender of each row."""
        return [row.source for row in self.rows for _ in range(row.records)]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the parts that look at a whole window found in it.

    Attributes:
        panel: of each source against its own past, and of all of them together.
        across: of what sources share, contradict each other in, or crowd out.
        screening: row by row; None: nothing could be judged, or it is vouched for.
        silences: parts that could not answer.
    """

    panel: PanelWindow = field(default_factory=PanelWindow)
    across: AcrossWindow = field(default_factory=AcrossWindow)
    screening: Screening | None = None
    silences: tuple[Silence, ...] = ()

    def campaigns(self) -> tuple[Campaign, ...]:
        """Of the statistics and of the payloads; one where they speak of the same sources."""
        return joined(self.panel.campaigns, self.across.campaigns)


def assess(
    stores: Stores, policy: Policy, reference: Reference, window: Window, *, vouched: bool
) -> Assessment:
    """Ask the reference, the detectors, the campaign scan and the comparison across sources.

    Args:
        stores: where states and guests lie; detectors read none of it.
        policy: which detectors are asked, at which rates.
        reference: what is known to be usual.
        window: under judgement. What came late for one is set beside all that was sent for
            it, from where the scan stood then; nothing is learnt from it.
        vouched: a person answers for the rows, so detectors are not asked.
    """
    silences: list[Silence] = []
    whole = _with_company(stores, window)
    foreseen = assessed("reference", lambda: reference.expected(whole.table))
    expected = _heard(foreseen, silences)
    panel, screening = PanelWindow(lookback=lookback_of(stores, window.before)), None
    across = AcrossWindow(memory=memory_of(stores, window.before))

    def screen() -> Screening:
        return _screen_rows(stores, policy, reference, window, expected)

    # Detectors read no store: they judge rows beside the campaign scan, on a core of their own.
    with ThreadPoolExecutor(1) as beside:
        rows = None if vouched else beside.submit(assessed, "screening", screen)
        if policy.campaigns and policy.window.days:
            scanned = assessed(
                "campaigns", lambda: _scan(stores, policy, reference, whole, expected)
            )
            panel = _heard(scanned, silences) or panel
            sent = _sent(whole, expected)
            compared = assessed(
                "across", lambda: judge_across(stores, policy, reference, sent, vouched=vouched)
            )
            across = _heard(compared, silences) or across
            if window.late and len(set(whole.sources())) == 1:
                alone = "nobody else sent anything for its window that it could be set beside"
                silences.append(Silence("campaigns", alone))
        if rows is not None:
            screening = _heard(rows.result(), silences)
            silences += [] if screening is None else screening.silences
    found = Assessment(panel, across, screening, tuple(silences))
    return _of_latecomers(found, window) if window.late else found


def _with_company(stores: Stores, window: Window) -> Window:
    """A window and all that was sent for it; what is judged comes first."""
    tables = [window.table, *(stores.table(row) for row in window.company)]
    ends = window.starts[-1] + np.cumsum([table.num_rows for table in tables[1:]], dtype=np.int64)
    return replace(
        window,
        rows=(*window.rows, *window.company),
        table=pa.concat_tables(tables),
        starts=(*window.starts, *(int(end) for end in ends)),
    )


def _of_latecomers(found: Assessment, window: Window) -> Assessment:
    """What is said of those who came late; what was said of the others in time stands."""
    late = {row.source for row in window.rows}

    def of_these(campaigns: Iterable[Campaign]) -> tuple[Campaign, ...]:
        return tuple(one for one in campaigns if late & {*one.sources, *one.suspected})

    return replace(
        found,
        panel=replace(found.panel, campaigns=of_these(found.panel.campaigns), scanner=None),
        across=replace(
            found.across,
            campaigns=of_these(found.across.campaigns),
            influence=(),
            dominance=(),
        ),
    )


def _heard(answer: T | Silence, silences: list[Silence]) -> T | None:
    """The answer of a part that spoke; a silent one is noted."""
    if isinstance(answer, Silence):
        silences.append(answer)
        return None
    return answer


def _screen_rows(
    stores: Stores, policy: Policy, reference: Reference, window: Window, expected: Floats | None
) -> Screening:
    """Rows of the window beside the trusted ones; window rows come first."""
    return screen_beside(
        window.name,
        window.table,
        window.sources(),
        reference,
        asked(stores, policy),
        policy.budget,
        None if expected is None else expected[: window.table.num_rows],
    )


def _scan(
    stores: Stores, policy: Policy, reference: Reference, window: Window, expected: Floats | None
) -> PanelWindow:
    spans: dict[str, list[tuple[BatchRow, int, int]]] = {}
    oldest_first = sorted(enumerate(window.rows), key=lambda at: (at[1].source, at[1].sequence))
    for position, row in oldest_first:
        spans.setdefault(row.source, []).append((row, *window.span(position)))
    return judge_panel(
        stores,
        policy,
        reference,
        dataset=window.dataset,
        window=window.name,
        spans=spans,
        table=window.table,
        expected=expected,
        before=window.before,
    )


def _sent(window: Window, expected: Floats | None) -> Sent:
    return Sent(
        window.dataset,
        window.name,
        window.table,
        np.array(window.sources(), dtype=object),
        {row.source: row.digest for row in sorted(window.rows, key=lambda row: row.sequence)},
        expected,
        window.before,
    )

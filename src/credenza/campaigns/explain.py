"""A scan's result as the noun that people read, with a sentence made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.text import quote
from credenza.core.types import Campaign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.campaigns.claim import PanelCampaign
    from credenza.campaigns.panel import WindowResult
    from credenza.core.types import Floats


def explain(
    found: PanelCampaign,
    result: WindowResult,
    values: Floats,
    *,
    sources: Sequence[str],
    statistics: Sequence[str],
    window: str,
    batches: Mapping[str, str] | None = None,
) -> Campaign:
    """What moved together, with its before and after.

    Args:
        found: a claim about this window.
        result: of ``PanelScanner.step`` for this window.
        values: ``(S, P)`` what was given to ``step``.
        sources: names, in the order of the panel.
        statistics: names, in the order of the panel.
        window: start of the window, ISO date.
        batches: digest of each source's batch.
    """
    p = found.statistic
    known = batches or {}
    named = tuple(sources[s] for s in found.sources)
    return Campaign(
        sources=named,
        suspected=tuple(sources[s] for s in found.suspected),
        batches=tuple(known[name] for name in named if name in known),
        statistic=statistics[p],
        direction=found.direction,
        window=window,
        p_value=found.p_value,
        removed_common_cause=float(result.common_shift[p]),
        evidence={
            "sources": _moved(found, result, values, sources),
            "score": found.score,
            "score_without": dict(zip(named, found.without, strict=True)),
            "average_of_newest": found.scale,
            "history_windows": result.history,
            "alarm_rate_so_far": result.alarms_so_far,
        }
        | ({"follows": list(named)} if found.follows else {}),
    )


def _moved(
    found: PanelCampaign, result: WindowResult, values: Floats, sources: Sequence[str]
) -> dict[str, object]:
    """What each named and suspected source was expected to show, and showed."""
    p = found.statistic
    return {
        sources[s]: {
            "before": float(result.expected[s, p]),
            "after": float(values[s, p]),
            "deviation": float(result.residual[s, p]),
            "named": s in found.sources,
        }
        for s in (*found.sources, *found.suspected)
    }


def sentence(campaign: Campaign) -> str:
    """The campaign in one sentence, every figure from its evidence."""
    names = ", ".join(quote(name) for name in campaign.sources)
    history = campaign.evidence["history_windows"]
    if "mark" in campaign.evidence:
        who = names or ", ".join(quote(name) for name in campaign.suspected)
        return (
            f"{who} send {campaign.evidence['rows']} {campaign.statistic} in the window of "
            f"{campaign.window}, which hardly any other source does (p = {campaign.p_value:.2g} "
            f"by permuted senders, {history} windows for comparison)"
        )
    if "follows" in campaign.evidence:
        who = ", ".join(quote(name) for name in campaign.suspected)
        return (
            f"{who} moved {campaign.direction} in {campaign.statistic} in the window of "
            f"{campaign.window}, as {names or 'others'} did before (p = {campaign.p_value:.2g} "
            f"for any other source; the shift that all sources share, "
            f"{campaign.removed_common_cause:+.1f} standard units, is removed)"
        )
    return (
        f"{names or 'no single source'} moved {campaign.direction} together in "
        f"{campaign.statistic} in the window of {campaign.window} "
        f"(p = {campaign.p_value:.2g} against {history} windows; the shift that all sources "
        f"share, {campaign.removed_common_cause:+.1f} standard units, is removed)"
    )

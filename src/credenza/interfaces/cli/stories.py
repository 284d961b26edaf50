"""Evidence as lines of text, the same in every command."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from credenza.core.types import Campaign, Verdict

WORDS = {"admit": "admitted", "hold": "held", "quarantine": "quarantined", "reject": "rejected"}


def counts_by_outcome(verdicts: Iterable[Verdict]) -> str:
    """How many of each outcome: 21 admitted, 4 held."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return ", ".join(f"{counts[o]} {WORDS[o.name.lower()]}" for o in sorted(counts)) or "no batches"


def campaign_lines(campaign: Campaign) -> Iterator[str]:
    """The claim, whom it names, and the table behind it."""
    yield (
        f"campaign: {campaign.statistic} moved {campaign.direction} together "
        f"in {len(campaign.sources)} sources (p = {campaign.p_value:.2g})"
    )
    yield f"  named: {', '.join(campaign.sources) or 'nobody'}"
    if campaign.suspected:
        yield f"  suspected: {', '.join(campaign.suspected)}"
    yield f"  common cause removed: {campaign.removed_common_cause:+.2f} standard units"
    yield from (f"  {line}" for line in evidence_lines(campaign.evidence))


def evidence_lines(evidence: Mapping[str, object]) -> Iterator[str]:
    """A table of evidence, one line per source or fact."""
    for name, value in evidence.items():
        if isinstance(value, dict):
            told = ", ".join(f"{key} {_digits(item)}" for key, item in value.items())
            yield f"{name}: {told}"
        else:
            yield f"{name}: {_digits(value)}"


def _digits(value: object) -> str:
    """A float to four digits; the record keeps them all."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)

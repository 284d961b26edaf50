"""Evidence as lines of text, the same in every command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.campaigns.explain import sentence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from credenza.core.types import Campaign, Reason, Verdict

WORDS = {"admit": "admitted", "hold": "held", "quarantine": "quarantined", "reject": "rejected"}


def counts_by_outcome(verdicts: Iterable[Verdict]) -> str:
    """How many of each outcome: 21 admitted, 4 held."""
    counts = Counter(verdict.outcome for verdict in verdicts)
    return ", ".join(f"{counts[o]} {WORDS[o.name.lower()]}" for o in sorted(counts)) or "no batches"


def vouching(reasons: Iterable[Reason]) -> list[str]:
    """What a reader must know of what was let in without being judged, each sentence once."""
    return list(dict.fromkeys(one.sentence for one in reasons if one.rule == "vouched"))


def campaign_lines(campaign: Campaign) -> Iterator[str]:
    """The claim, whom it names, and the table behind it."""
    yield f"campaign: {sentence(campaign)}"
    yield f"  named: {', '.join(campaign.sources) or 'nobody'}"
    if campaign.suspected:
        yield f"  suspected: {', '.join(campaign.suspected)}"
    for row in moved_sources(campaign):
        without = f"; without it the score is {row.score_without}" if row.score_without else ""
        yield (
            f"  {row.source}: {row.before} before, {row.after} now, "
            f"{row.deviation} standard units{without}"
        )
    score = campaign.evidence.get("score")
    if score is not None:
        yield f"  with all of them the score is {_digits(score)}"


@dataclass(frozen=True, slots=True)
class Moved:
    """What one source did, in digits for people; "" where the record has none."""

    source: str
    part: str
    before: str
    after: str
    deviation: str
    score_without: str


def moved_sources(campaign: Campaign) -> list[Moved]:
    """The campaign's evidence by source, named ones first."""
    sources = _table(campaign.evidence.get("sources"))
    without = _table(campaign.evidence.get("score_without"))
    rows = []
    for name in (*campaign.sources, *campaign.suspected):
        facts = _table(sources.get(name))
        rows.append(
            Moved(
                source=name,
                part="named" if name in campaign.sources else "suspected",
                before=_digits(facts.get("before")),
                after=_digits(facts.get("after")),
                deviation=_digits(facts.get("deviation"), sign="+"),
                score_without=_digits(without.get(name)),
            )
        )
    return rows


def _table(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _digits(value: object, sign: str = "") -> str:
    """A number to three digits; the ledger keeps it as text, so text is read too."""
    if value is None:
        return ""
    try:
        return f"{float(str(value)):{sign}.3g}"
    except ValueError:
        return str(value)

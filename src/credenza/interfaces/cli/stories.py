"""Evidence as lines of text, the same in every command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.campaigns.explain import sentence
from credenza.core.text import quote

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
        # Whom only a shared payload names did nothing in this statistic.
        if row.deviation:
            yield (
                f"  {row.source}: {row.before} before, {row.after} now, "
                f"{row.deviation} standard units{without}"
            )
    score = campaign.evidence.get("score")
    if score is not None:
        yield f"  with all of them the score is {_digits(score)}"
    rate = campaign.evidence.get("alarm_rate_so_far")
    if rate is not None:
        yield f"  claims like it were made in {float(str(rate)):.2%} of the windows scanned before"
    payloads = campaign.evidence.get("payloads")
    for payload in payloads if isinstance(payloads, Sequence) else ():
        yield _shared_line(_table(payload))


def _shared_line(payload: Mapping[str, object]) -> str:
    """A payload that belongs to a campaign: its mark, who sent how many rows, their labels."""
    sources, labels = _table(payload.get("sources")), _table(payload.get("labels"))
    who = ", ".join(f"{name} {_table(own).get('rows')}" for name, own in sources.items())
    said = f"  they share {payload.get('rows')} rows where {payload.get('mark')}: {who}"
    if "expected" not in labels:
        return said
    share, expected = (f"{float(str(labels[part])):.0%}" for part in ("share", "expected"))
    return f"{said}; {share} are labelled {quote(str(labels['label']))}, expected were {expected}"


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

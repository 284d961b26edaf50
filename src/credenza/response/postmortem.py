"""A postmortem in Markdown, generated from the ledger: what happened, what worked, what did not.

Every sentence comes from the timeline, the incident's steps or its lessons. Titles, reasons
and references may be an attacker's, so whatever is not ours is escaped for Markdown and HTML.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, cast

from credenza.core.text import quote
from credenza.response.desk import batch_rows
from credenza.response.incident import ORDER, State

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from credenza.response.desk import Desk
    from credenza.response.incident import Incident
    from credenza.response.timeline import Happening

_MARKED = re.compile(r"""[\\`*_{}\[\]()#|~&<>$@:"']|(?<=www)\.""")


def escaped(text: object, *, limit: int = 300) -> str:
    """Foreign text as it may stand in Markdown: one line, no markup, no link, no HTML."""
    shown = str(text)
    cut = f"… ({len(shown)} characters)" if len(shown) > limit else ""
    marked = _MARKED.sub(lambda found: f"&#{ord(found[0])};", shown[:limit])
    return quote(marked, limit=len(marked))[1:-1].replace("\\", "&#92;") + cut


def postmortem(
    incident: Incident,
    happenings: Sequence[Happening],
    verdicts: Sequence[tuple[str, str, str]],
) -> str:
    """The whole page.

    Args:
        incident: recovered or closed, or on the way there.
        happenings: its timeline.
        verdicts: of each of its batches: digest, the gate's outcome, its rules in words.
    """
    return "\n".join(
        [
            f"# {incident.id}: {escaped(incident.title)}",
            "",
            *_facts(incident),
            "",
            "## How long it took",
            "",
            *_durations(incident),
            "",
            "## What worked",
            "",
            *_bullets(_worked(incident, verdicts)),
            "",
            "## What did not",
            "",
            *_bullets(_failed(incident, verdicts)),
            "",
            "## Rules that were tried on it",
            "",
            *_bullets(_tried(incident)),
            "",
            "## Timeline",
            "",
            "| entry | time | who | what |",
            "|---|---|---|---|",
            *(
                f"| {one.index} | {_time(one.time_s)} | {escaped(one.by)} "
                f"| {escaped(one.sentence)} |"
                for one in happenings
            ),
            "",
        ]
    )


def _facts(incident: Incident) -> Iterator[str]:
    yield f"- state: {incident.state}, severity: {incident.severity.name.lower()}"
    yield f"- playbook: {escaped(incident.playbook)}"
    yield f"- began as a {incident.trigger}: {escaped(incident.reference)}"
    yield f"- dataset: {escaped(incident.dataset)}"
    yield f"- sources: {', '.join(map(escaped, incident.sources)) or 'none named'}"
    yield f"- batches: {len(incident.batches)}"
    yield f"- answered by: {escaped(incident.assignee) or 'nobody'}"


def _durations(incident: Incident) -> Iterator[str]:
    yield f"- the evidence is from {_time(incident.began_s)}"
    for state in ORDER:
        reached = incident.entered_s.get(state)
        took = "not yet" if reached is None else f"{span(reached - incident.began_s)} later"
        yield f"- {state}: {took}"


def _worked(incident: Incident, verdicts: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    for digest, outcome, rules in verdicts:
        if outcome != "admit":
            yield f"the gate did not admit batch {digest[:12]}: {outcome} ({escaped(rules)})"
    for step in incident.steps:
        done = incident.done.get(step.id)
        if done is not None and not done.waived:
            yield f"{escaped(step.id)}: {escaped(done.account)}"


def _failed(incident: Incident, verdicts: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    for digest, outcome, rules in verdicts:
        if outcome == "admit":
            why = f" although it noted {escaped(rules)}" if rules else ", and nothing spoke"
            yield f"the gate admitted batch {digest[:12]}{why}"
    for step in incident.steps:
        done = incident.done.get(step.id)
        if done is not None and done.waived:
            yield f"{escaped(step.id)} was waived by {escaped(done.by)}: {escaped(done.account)}"
        elif done is None:
            yield f"{escaped(step.id)} was never done"
    for name in incident.escalated:
        yield f"it waited too long and was escalated ({escaped(name)})"
    if incident.state is not State.CLOSED:
        yield f"it is still {incident.state}"


def _tried(incident: Incident) -> Iterator[str]:
    """What the verb that looks for rules left in the ledger."""
    for done in incident.done.values():
        for lesson in cast("list[Mapping[str, object]]", done.exhibits.get("lessons", [])):
            fate = "**proposed**" if lesson["holds"] else "not proposed"
            yield f"{escaped(lesson['sentence'])}: {fate}"


def verdicts_of(desk: Desk, incident: Incident) -> list[tuple[str, str, str]]:
    """Of each judged batch of the incident: digest, the gate's outcome, its rules in words."""
    from credenza.gate.replay import case_of  # noqa: PLC0415 - beside the models: slow to load

    found = []
    for row in batch_rows(desk.stores, incident.batches):
        if row.verdict_index is not None:
            case = case_of(desk.stores, row)
            rules = sorted({rule for rule, _ in case.rules} - {"vouched"})
            found.append((row.digest, case.outcome().name.lower(), ", ".join(rules)))
    return found


def span(seconds: int) -> str:
    """A duration in its two largest units: 3 d 4 h, 12 min 5 s."""
    parts: list[str] = []
    rest = max(0, seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _bullets(lines: Iterator[str]) -> list[str]:
    return [f"- {line}" for line in lines] or ["- nothing on record"]


def _time(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S")

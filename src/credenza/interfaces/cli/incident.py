"""``credenza incident``: what was found is answered, step by step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.suspicion import row_ranges
from credenza.interfaces.cli.terminal import Screen, count, plain, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.core.errors import CredenzaError
    from credenza.response.incident import Incident

STEPS_LEFT_EXIT = 4
HOW_TO_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OPEN_EXAMPLE = 'credenza incident open "labels turned" --playbook campaign --batch BATCH --by ada'
by = click.option("--by", required=True, metavar="NAME", help="Who answers for it.")
note = click.option("--note", required=True, help="How; goes into the ledger.")


@family("incident")
def command() -> None:
    """Incidents: opened, answered by a playbook, closed, and learnt from.

    An incident goes from triggered over acknowledged, contained, eradicated and recovered
    to closed. Each state is reached once the playbook's steps for it are done or waived.
    """


@command.use_case(
    "open",
    examples=(OPEN_EXAMPLE,),
)
@click.argument("title")
@click.option("--playbook", default="", help="backdoor, campaign, label-flip, …")
@click.option("--own", type=HOW_TO_FILE, help="A playbook of your own, instead of a shipped one.")
@click.option("--batch", default="", help="That was found.")
@click.option("--rows", default="", metavar="ROWS", help="Of that batch, such as 0-99,120.")
@click.option("--campaign", default="", help="That was found.")
@click.option("--siem", default="", help="Reference of a case elsewhere.")
@click.option("--source", "sources", multiple=True, help="Senders that a report names.")
@click.option("--dataset", default="", help="Which; known from a batch or campaign.")
@click.option("--severity", default="", help="Instead of the playbook's.")
@by
def open_incident(
    home: Path | None, own: Path | None, title: str, rows: str, **facts: str
) -> Answer:
    """Open an incident from a batch, a campaign, a case of a SIEM, or a report."""
    spans = row_ranges(rows) if rows else []
    places = [place for start, stop in spans for place in range(start, stop)]
    with open_workspace(home) as workspace:
        text = None if own is None else own.read_bytes()
        return _told(workspace.incidents.open(title, own=text, rows=places, **facts))


@command.use_case("list", examples=("credenza incident list",))
def list_incidents(home: Path | None) -> Answer:
    """List all incidents, oldest first."""
    with open_workspace(home) as workspace:
        found = workspace.incidents.all()
        late = {one.id: workspace.incidents.overdue(one.id) for one in found}

    def show(screen: Screen) -> None:
        screen.table(
            ("incident", "state", "severity", "assignee", "title", "overdue"),
            [
                (
                    one.id,
                    one.state,
                    one.severity.name.lower(),
                    one.assignee,
                    plain(one.title, limit=50),
                    ", ".join(f"tell {due.tell}" for due in late[one.id]),
                )
                for one in found
            ],
        )
        screen.line(count(len(found), "incident"))

    body = {"incidents": [jsonable(one) for one in found], "overdue": jsonable(late)}
    return Answer("credenza.incidents/1", body, show)


@command.use_case("show", examples=("credenza incident show inc-1",))
@click.argument("incident")
def show_incident(home: Path | None, incident: str) -> Answer:
    """Show an incident: its steps, and its timeline from the ledger."""
    with open_workspace(home) as workspace:
        found = workspace.incidents.show(incident)
        happened = workspace.incidents.timeline(incident)

    def show(screen: Screen) -> None:
        _show(screen, found)
        for one in happened:
            screen.line(f"  {one.index:>6}  {one.by}: {one.sentence}")

    body = {"incident": jsonable(found), "timeline": [jsonable(one) for one in happened]}
    return Answer("credenza.incident-shown/1", body, show)


@command.use_case(
    "run", judges=True, governed=True, examples=("credenza incident run inc-1 --exit-zero",)
)
@click.argument("incident")
def run(home: Path | None, incident: str) -> Answer:
    """Do the automatic steps of the next state. Exits with 4 while steps are left."""
    with open_workspace(home) as workspace:
        found, refused = workspace.incidents.run(incident)
    ahead = found.next_state()
    left = refused or (ahead is not None and found.open_steps(ahead))
    return _told(found, refused, STEPS_LEFT_EXIT if left else 0)


@command.use_case(
    "prove",
    examples=('credenza incident prove inc-1 who --proof "one owner, see ticket 17" --by ada',),
)
@click.argument("incident")
@click.argument("step")
@click.option("--proof", required=True, help="In words; goes into the ledger.")
@click.option("--file", type=HOW_TO_FILE, help="A document that is kept with it.")
@by
def prove(  # noqa: PLR0917 - click gives each option its place
    home: Path | None, incident: str, step: str, proof: str, file: Path | None, by: str
) -> Answer:
    """Say that a manual step is done, with its proof."""
    content = b"" if file is None else file.read_bytes()
    with open_workspace(home) as workspace:
        return _told(workspace.incidents.prove(incident, step, proof, by=by, file=content))


@command.use_case(
    "waive",
    examples=('credenza incident waive inc-1 accomplices --reason "a first window" --by ada',),
)
@click.argument("incident")
@click.argument("step")
@click.option("--reason", required=True, help="Goes into the ledger.")
@by
def waive(home: Path | None, incident: str, step: str, reason: str, by: str) -> Answer:
    """Leave a step out, with a reason. Some steps cannot be waived."""
    with open_workspace(home) as workspace:
        return _told(workspace.incidents.waive(incident, step, reason, by=by))


@command.use_case("assign", examples=("credenza incident assign inc-1 beat --by ada",))
@click.argument("incident")
@click.argument("assignee")
@by
def assign(home: Path | None, incident: str, assignee: str, by: str) -> Answer:
    """Give an incident to somebody."""
    with open_workspace(home) as workspace:
        return _told(workspace.incidents.assign(incident, assignee, by=by))


@command.use_case(
    "grade",
    examples=('credenza incident grade inc-1 high --note "a model in production" --by ada',),
)
@click.argument("incident")
@click.argument("severity")
@note
@by
def grade(home: Path | None, incident: str, severity: str, note: str, by: str) -> Answer:
    """Change how severe an incident is: low, medium, high or critical."""
    with open_workspace(home) as workspace:
        return _told(workspace.incidents.grade(incident, severity, by=by, note=note))


@command.use_case(
    "widen",
    examples=('credenza incident widen inc-1 --source ajax --note "same owner" --by ada',),
)
@click.argument("incident")
@click.option("--source", "sources", multiple=True, help="That belongs to it too.")
@click.option("--batch", "batches", multiple=True, help="That belongs to it too.")
@note
@by
def widen(  # noqa: PLR0917 - click gives each option its place
    home: Path | None,
    incident: str,
    sources: Sequence[str],
    batches: Sequence[str],
    note: str,
    by: str,
) -> Answer:
    """Count more senders or batches among what an incident is about."""
    with open_workspace(home) as workspace:
        return _told(
            workspace.incidents.widen(incident, by=by, note=note, sources=sources, batches=batches)
        )


@command.use_case("escalate", examples=("credenza incident escalate",))
def escalate(home: Path | None) -> Answer:
    """Record every escalation that is due, and say who is to be told. For a timer."""
    with open_workspace(home) as workspace:
        happened = workspace.incidents.escalate()

    def show(screen: Screen) -> None:
        for incident, one in happened:
            screen.line(
                f"tell {one.tell}: {incident.id} is {incident.state} for too long "
                f"({one.id}); severity {incident.severity.name.lower()}"
            )
        screen.line(count(len(happened), "escalation"))

    body = [{"incident": one.id, "escalation": jsonable(rule)} for one, rule in happened]
    return Answer("credenza.escalations/1", {"escalations": body}, show)


@command.use_case(
    "postmortem", examples=("credenza incident postmortem inc-1 --out postmortem.md",)
)
@click.argument("incident")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it there.")
def postmortem(home: Path | None, incident: str, out: Path | None) -> Answer:
    """Write what happened, what worked and what did not, from the ledger."""
    with open_workspace(home) as workspace:
        text = workspace.incidents.postmortem(incident)
    if out is not None:
        out.write_text(text, encoding="utf-8")

    def show(screen: Screen) -> None:
        for line in [f"written to {out}"] if out is not None else text.splitlines():
            screen.line(line)

    return Answer("credenza.postmortem/1", {"incident": incident, "markdown": text}, show)


def _entering(name: str, state: str, says: str, example: str, *, governed: bool = False) -> None:
    """The command that reaches one state."""

    @command.use_case(name, help=says, examples=(example,), governed=governed)
    @click.argument("incident")
    @note
    @by
    def enter(home: Path | None, incident: str, note: str, by: str) -> Answer:
        from credenza.response.incident import State  # noqa: PLC0415 - help stays light

        with open_workspace(home) as workspace:
            return _told(workspace.incidents.enter(incident, State(state), by=by, note=note))


_entering(
    "ack",
    "acknowledged",
    "Acknowledge an incident: it is yours from now on.",
    'credenza incident ack inc-1 --note "on it" --by ada',
)
_entering(
    "contain",
    "contained",
    "Say that it is contained: nothing more of it gets in or out.",
    'credenza incident contain inc-1 --note "feeds held" --by ada',
)
_entering(
    "eradicate",
    "eradicated",
    "Say that it is eradicated: the dataset holds none of its rows.",
    'credenza incident eradicate inc-1 --note "excised" --by ada',
)
_entering(
    "recover",
    "recovered",
    "Say that it is recovered: models are as they should be.",
    'credenza incident recover inc-1 --note "retrained" --by ada',
)
_entering(
    "close",
    "closed",
    "Close an incident: what was held for it is held no more.",
    'credenza incident close inc-1 --note "done" --by ada',
    governed=True,
)


def _told(found: Incident, refused: Sequence[CredenzaError] = (), code: int = 0) -> Answer:
    body = {
        "incident": jsonable(found),
        "refused": [{"code": one.code, "what": one.what, "why": one.why} for one in refused],
    }
    return Answer("credenza.incident/1", body, _shown(found, refused), code)


def _shown(found: Incident, refused: Sequence[CredenzaError]) -> Callable[[Screen], None]:
    def show(screen: Screen) -> None:
        _show(screen, found)
        for one in refused:
            screen.line(f"refused: {one.what}; {one.why}")

    return show


def _show(screen: Screen, found: Incident) -> None:
    screen.fields(
        [
            ("incident", found.id),
            ("title", found.title),
            ("state", found.state),
            ("severity", found.severity.name.lower()),
            ("assignee", found.assignee),
            ("dataset", found.dataset),
            ("sources", ", ".join(found.sources)),
            ("batches", ", ".join(map(short, found.batches[:10]))),
        ]
    )
    for step in found.steps:
        done = found.done.get(step.id)
        if done is None:
            told = "open" if step.does else f"open, needs proof: {step.proof}"
        else:
            told = f"{'waived' if done.waived else 'done'} by {done.by}: {done.account}"
        screen.line(f"  {step.phase}/{step.id}: {told}")

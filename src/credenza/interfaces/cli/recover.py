"""``credenza recover``: the way back, as a plan that is applied once."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from credenza.core.errors import PendingError, UsageError
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.blast import show_radius
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.suspicion import suspicion_of, suspicion_options
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from credenza.response.recover import Recovery, Taken, Timing
    from credenza.response.steps.step import Wishes

SUSPICION_EXAMPLE = "credenza recover plan flights --source acme --since 2013-06-03"


@family("recover")
def command() -> None:
    """Hold, roll back, excise, rebuild, retrain, validate and declare clean."""


@command.use_case(
    "plan",
    examples=(
        f"{SUSPICION_EXAMPLE} --out plan.json",
        "credenza recover plan flights --batch BATCH --measure cap --at-most 0.001",
    ),
)
@suspicion_options
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write the plan.")
@click.option("--freeze", is_flag=True, help="Refuse everything that the senders send, too.")
@click.option("--no-hold", is_flag=True, help="Do not hold what the senders send.")
@click.option("--no-release", is_flag=True, help="End with the clean version.")
@click.option("--retrain", metavar="COMMAND", help="Trains on {release} and writes {model}.")
@click.option("--revalidate", metavar="COMMAND", help="Its last line is a JSON object of figures.")
@click.option("--criterion", "criteria", multiple=True, help="Such as accuracy>=0.9.")
@click.option("--timeout", "timeout_s", type=int, default=86_400, help="Seconds for each command.")
@click.option(
    "--waive",
    "waivers",
    type=(str, str),
    multiple=True,
    metavar="KIND REASON",
    help="Declare clean although this kind of thing is unknown.",
)
@click.option("--measure", default="", help="Keep the model: down-weight, cap or exclude-slice.")
@click.option("--at-most", type=float, default=0.0, help="Suspicious share that may stay.")
@click.option(
    "--slice",
    "slice_",
    type=(str, str),
    multiple=True,
    metavar="COLUMN VALUE",
    help="Where the model is not to be asked, with exclude-slice.",
)
def plan(home: Path | None, out: Path | None, **told: Any) -> Answer:  # noqa: ANN401 - click's parameters
    """Draw up the way back and show it. Nothing is changed.

    Read the plan, change it if you like, and hand it to `credenza recover apply`.
    """
    from credenza.core.canonical import canonical_json  # noqa: PLC0415 - help stays light

    suspicion = suspicion_of(told)
    with open_workspace(home) as workspace:
        radius = workspace.response.blast_radius(suspicion)
        made = workspace.response.plan(suspicion, _wishes(told))
    if out is not None:
        out.write_bytes(canonical_json(made.document))

    def show(screen: Screen) -> None:
        show_radius(screen, radius)
        screen.line(f"plan {short(made.digest)}, {count(len(made.steps), 'step')}:")
        for number, step in enumerate(made.steps, start=1):
            screen.line(f"  {number}. {step.says()}")
        if out is not None:
            screen.line(f"nothing is done yet: credenza recover apply {out}")

    return Answer(
        "credenza.plan/1",
        {
            "digest": made.digest,
            "steps": [step.says() for step in made.steps],
            "plan": made.document,
            "unknown": jsonable(radius.unknown),
        },
        show,
    )


@command.use_case("rescreen", examples=("credenza recover rescreen flights --rows 1000000",))
@click.argument("dataset")
@click.option("--rows", "most_rows", type=int, required=True, help="Screen at most so many.")
def rescreen(home: Path | None, dataset: str, most_rows: int) -> Answer:
    """Screen what was admitted before by today's policy, the newest window first.

    Verdicts stay. The next call goes on where this one stopped; findings can be named with
    `--detector` afterwards.
    """
    with open_workspace(home) as workspace:
        found = workspace.response.rescreen(dataset, most_rows=most_rows)

    def show(screen: Screen) -> None:
        screen.table(
            ("window", "batches", "rows", "flagged in", "findings"),
            [(one.window, one.batches, one.rows, len(one.flagged), one.findings) for one in found],
        )
        screen.line(f"{count(len(found), 'window')} screened again")

    return Answer("credenza.rescreen/1", {"windows": [jsonable(one) for one in found]}, show)


@command.use_case(
    "apply", judges=True, governed=True, examples=("credenza recover apply plan.json",)
)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def apply(home: Path | None, file: Path) -> Answer:
    """Take every step of a plan that was not taken yet.

    May be killed and run again: finished steps stand in the ledger and are not repeated.
    Exits with 4 while people must sign or approve.
    """
    taken: list[Taken] = []
    waits = ""
    with open_workspace(home) as workspace:
        plan = workspace.response.read_plan(_read(file))
        try:
            workspace.response.apply(plan, taken.append)
        except PendingError as pending:
            waits = str(pending)
        known = workspace.response.recovery(plan.digest)
    return _recovery(known, taken, waits)


@command.use_case("sign", examples=("credenza recover sign RECOVERY --key ida.key",))
@click.argument("recovery")
@click.option(
    "--key", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Your own."
)
def sign(home: Path | None, recovery: str, key: Path) -> Answer:
    """Put your name to the declaration that a recovery's dataset is clean."""
    from credenza.provenance.keys import load_key  # noqa: PLC0415 - help stays light

    with open_workspace(home) as workspace:
        name = workspace.response.sign(recovery, load_key(key))
    return Answer(
        "credenza.signature/1",
        {"recovery": recovery, "member": name},
        lambda screen: screen.line(f"signed by {name}"),
    )


@command.use_case("list", examples=("credenza recover list",))
def list_recoveries(home: Path | None) -> Answer:
    """List the recoveries that were begun."""
    with open_workspace(home) as workspace:
        found = workspace.response.recoveries()

    def show(screen: Screen) -> None:
        screen.table(
            ("recovery", "dataset", "steps", "taken"),
            [
                (short(one.digest), one.plan.suspicion.dataset, len(one.steps), _taken(one))
                for one in found
            ],
        )

    body = [{"digest": one.digest, "steps": len(one.steps), "taken": _taken(one)} for one in found]
    return Answer("credenza.recoveries/1", {"recoveries": body}, show)


@command.use_case("show", examples=("credenza recover show RECOVERY",))
@click.argument("recovery")
def show_recovery(home: Path | None, recovery: str) -> Answer:
    """Show how far a recovery is, and how long it took."""
    with open_workspace(home) as workspace:
        return _recovery(workspace.response.recovery(recovery), [], "")


def _wishes(told: dict[str, Any]) -> Wishes:
    from credenza.response.steps.step import Wishes  # noqa: PLC0415 - help stays light

    chosen = told["slice_"]
    if len({column for column, _ in chosen}) > 1:
        raise UsageError(
            "bad-slice",
            "a slice is of one column",
            why="a slice is the rows with one value in one column",
            fix="give --slice COLUMN VALUE",
        )
    return Wishes(
        hold=not told["no_hold"],
        freeze=told["freeze"],
        measure=told["measure"],
        at_most=told["at_most"],
        slice_column=chosen[0][0] if chosen else "",
        slice_values=tuple(value for _, value in chosen),
        retrain=tuple(shlex.split(told["retrain"] or "")),
        revalidate=tuple(shlex.split(told["revalidate"] or "")),
        criteria=told["criteria"],
        timeout_s=told["timeout_s"],
        waivers=dict(told["waivers"]),
        is_released=not told["no_release"],
    )


def _read(file: Path) -> bytes:
    from credenza.workspace.home import read_file  # noqa: PLC0415 - help stays light

    return read_file(file)


def _recovery(known: Recovery, taken: list[Taken], waits: str) -> Answer:
    new = {step.place for step in taken if step.is_new}

    def show(screen: Screen) -> None:
        for step in known.steps:
            mark = "now" if step.place in new else "done" if step.index is not None else "open"
            screen.line(f"{mark:<5} {step.says}")
        screen.fields(_pairs(known.timing))
        if waits:
            screen.line(waits)

    body: dict[str, object] = {
        "recovery": known.digest,
        "steps": [jsonable(step) for step in known.steps],
        "timing": jsonable(known.timing),
        "taken_now": sorted(new),
    }
    if waits:
        body["waits"] = waits
    return Answer("credenza.recovery/1", body, show, exit_code=4 if waits else 0)


def _pairs(timing: Timing) -> list[tuple[str, object]]:
    """Seconds from the finding to the end of each phase."""
    ends = {
        "to containment": timing.contained_s,
        "to eradication": timing.eradicated_s,
        "to recovery": timing.recovered_s,
    }
    return [(name, f"{at - timing.found_s} s") for name, at in ends.items() if at is not None]


def _taken(one: Recovery) -> int:
    return sum(step.index is not None for step in one.steps)

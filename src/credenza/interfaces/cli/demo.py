"""``credenza demo``: a year of flights, with an attack on the way."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from credenza.core.extras import needs_extra
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import AS_JSON, use_case
from credenza.interfaces.cli.terminal import Screen

INTEGRITY_EXIT = 3
ATTACKS = ("label-flip", "trigger", "skew", "flood", "none")


@use_case(
    "demo",
    at_home=False,
    examples=(
        "credenza demo",
        "credenza demo --attack trigger --attackers 3 --seed 7",
        "credenza demo --attack none --json",
    ),
)
@click.option(
    "--attack",
    type=click.Choice(ATTACKS),
    default=ATTACKS[0],
    show_default=True,
    help="What the hostile feeds do to 5 % of their rows.",
)
@click.option(
    "--attackers",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="How many feeds act together.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Draws who attacks and from which week on.",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where the workspace and report.html go; a temporary directory by default.",
)
def command(attack: str, attackers: int, seed: int, home: Path | None) -> Answer:
    """Show the gate at work on a year of real flights.

    Some 25 feeds send one signed batch a week. From a week drawn by the seed on,
    some of them act together to mislead the model. The gate sees only what a gate
    would see: signed files. Needs the extra `credenza[demo]`, and a minute or two.
    With --json the story goes to stderr and stdout is one object.
    """
    with needs_extra("demo", "the demo"):
        from credenza.interfaces.demo.story import Ask, tell  # noqa: PLC0415 - help stays light
    as_json = bool(click.get_current_context().meta[AS_JSON])
    tale = tell(Ask(attack, attackers, seed, home), Screen(sys.stderr if as_json else sys.stdout))
    sound = tale.verified and tale.tampered_refused and tale.audited
    body = {name: value for name, value in tale.summary().items() if name != "schema"}
    return Answer("credenza.demo/1", body, _told, 0 if sound else INTEGRITY_EXIT)


def _told(screen: Screen) -> None:
    """Nothing is left to say: the story was told as it happened."""

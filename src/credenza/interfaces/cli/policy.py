"""``credenza policy``: the rules, shown and tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer, jsonable
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from collections.abc import Iterator

REFUSED_EXIT = 1


@family("policy")
def command() -> None:
    """The rules that turn evidence into verdicts: one TOML file."""


@command.use_case("show", examples=("credenza policy show",))
def show_policy(home: Path | None) -> Answer:
    """Show the policy in force, with its digest and every default."""
    with open_workspace(home) as workspace:
        body = _object(workspace.policy())

    def show(screen: Screen) -> None:
        screen.fields(_settings(body))

    return Answer("credenza.policy-shown/1", {"policy": body}, show)


@command.use_case(
    "test",
    judges=True,
    examples=("credenza policy test", "credenza policy test stricter.toml --cases ours.toml"),
)
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--cases",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file of your own [[case]] tables: evidence, and the outcome you expect.",
)
def test(home: Path | None, path: Path | None, cases: Path | None) -> Answer:
    """Try a policy file on the cases that every policy must pass, and on yours.

    PATH is the workspace's own policy by default. Exits with 1 when a case gives
    another outcome than expected.
    """
    with open_workspace(home) as workspace:
        results = workspace.test_policy(path, cases)
    failed = [result for result in results if not result.passed]

    def show(screen: Screen) -> None:
        for result in results:
            expected = " or ".join(outcome.name.lower() for outcome in result.expected)
            told = "ok" if result.passed else f"FAILED, expected {expected}"
            screen.line(f"{result.name}: {result.found.name.lower()}, {told}")
        screen.line(f"{count(len(results), 'case')}, {len(failed)} failed")

    return Answer(
        "credenza.policy-test/1",
        {
            "passed": not failed,
            "cases": [{**_object(result), "passed": result.passed} for result in results],
        },
        show,
        REFUSED_EXIT if failed else 0,
    )


@command.use_case(
    "propose",
    examples=(
        "credenza policy propose flights",
        "credenza policy propose flights --days 60 --out proposed.toml",
    ),
)
@click.argument("dataset")
@click.option("--days", default=30, show_default=True, help="Back from its newest window.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the proposed policy there; the one in force is never touched.",
)
def propose(home: Path | None, dataset: str, days: int, out: Path | None) -> Answer:
    """Propose settings that reviewers' decisions on DATASET speak for, with their replay.

    Nothing is adopted: read the file, test it, and put it in the policy's place.
    """
    with open_workspace(home) as workspace:
        found = workspace.propose_policy(dataset, days=days)
    if out is not None:
        out.write_text(found.text, encoding="utf-8")

    def show(screen: Screen) -> None:
        for change in found.changes:
            screen.line(f"{change.key}: {change.before} -> {change.after}; {change.why}")
        screen.line(f"{count(len(found.changes), 'change')} proposed, none adopted")
        replay = found.replay
        screen.line(f"replay of {count(replay.windows, 'window')}, {replay.batches} batches:")
        for title, counts in (("as it was", replay.before), ("proposed", replay.after)):
            screen.line(f"  {title}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
        screen.line(
            f"  {replay.released} would pass that were stopped, {replay.released_rejected} of "
            f"which a reviewer rejected; {replay.stopped} would be stopped that passed"
        )

    return Answer("credenza.proposal/1", {"proposal": jsonable(found)}, show)


def _object(value: object) -> dict[str, object]:
    """A noun as a JSON object."""
    found = jsonable(value)
    return found if isinstance(found, dict) else {"value": found}


def _settings(tree: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested settings as dotted names."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{prefix}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{prefix}{name}", shown

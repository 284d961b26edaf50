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

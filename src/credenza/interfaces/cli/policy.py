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
        policy = jsonable(workspace.policy())
    body = policy if isinstance(policy, dict) else {"policy": policy}

    def show(screen: Screen) -> None:
        screen.fields(_settings(body))

    return Answer("credenza.policy-shown/1", {"policy": body}, show)


@command.use_case("test", judges=True, examples=("credenza policy test stricter.toml",))
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def test(home: Path | None, path: Path) -> Answer:
    """Check a policy file before it judges anything.

    Exits with 1 when it has problems.
    """
    with open_workspace(home) as workspace:
        problems = [str(problem) for problem in workspace.test_policy(path)]

    def show(screen: Screen) -> None:
        for problem in problems:
            screen.line(f"problem: {problem}")
        screen.line(f"{path}: {count(len(problems), 'problem') if problems else 'sound'}")

    return Answer(
        "credenza.policy-test/1",
        {"path": str(path), "problems": problems},
        show,
        REFUSED_EXIT if problems else 0,
    )


def _settings(tree: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested settings as dotted names."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _settings(value, f"{prefix}{name}.")
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            yield f"{prefix}{name}", shown

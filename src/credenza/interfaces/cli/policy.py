"""``credenza policy``: the rules, shown and tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.errors import NotFoundError
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.governance import UNGOVERNED
from credenza.interfaces.cli.request import request_answer
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.gate.replay import Other

REFUSED_EXIT = 1
GOVERNED = "governed: see `credenza governance show` for who may change it"


@family("policy")
def command() -> None:
    """The rules that turn evidence into verdicts: one TOML file."""


@command.use_case("show", examples=("credenza policy show",))
def show_policy(home: Path | None) -> Answer:
    """Show the policy in force, with its digest, every default, and who may change it."""
    with open_workspace(home) as workspace:
        body = _object(workspace.policies.in_force())
        governed = workspace.governance.is_governed
        draft = workspace.policies.draft() != workspace.policies.text()

    def show(screen: Screen) -> None:
        screen.fields(_settings(body))
        screen.line(GOVERNED if governed else UNGOVERNED)
        if draft:
            screen.line("policy.toml differs from it: a draft until `credenza policy adopt`")

    return Answer(
        "credenza.policy-shown/1", {"policy": body, "governed": governed, "draft": draft}, show
    )


@command.use_case(
    "adopt",
    governed=True,
    examples=("credenza policy adopt stricter.toml",),
)
@click.argument("path", required=False, type=click.Path(dir_okay=False, path_type=Path))
def adopt(home: Path | None, path: Path | None) -> Answer:
    """Put another policy in force: PATH, or the workspace's policy.toml as you edited it."""
    with open_workspace(home) as workspace:
        adopted = workspace.policies.adopt(path)

    def show(screen: Screen) -> None:
        screen.line(f"policy {short(adopted.digest)} is in force")

    return Answer("credenza.policy-adopted/1", {"policy": _object(adopted)}, show)


@command.use_case(
    "explain", examples=("credenza policy explain BATCH", "credenza policy explain REQUEST")
)
@click.argument("judged", metavar="BATCH_OR_REQUEST")
def explain(home: Path | None, judged: str) -> Answer:
    """Say which rule decided, on which facts, and what would have changed it.

    Of a batch, every other fact was tried: the verdicts told are those that the policy
    gives. Of a request, who may approve it and how many it takes.
    """
    with open_workspace(home) as workspace:
        try:
            found = workspace.policies.weigh(judged)
        except NotFoundError:
            return request_answer(workspace.requests.show(judged))

    def show(screen: Screen) -> None:
        screen.line(f"batch {short(found.batch)}: {found.outcome.name.lower()}")
        for reason in found.reasons:
            asked = f"{reason.outcome.name.lower()}, by {reason.setting or 'the rule itself'}"
            screen.line(f"[{reason.rule}] {asked}: {reason.sentence}")
            if reason.without is not found.outcome:
                screen.line(f"  without this rule: {reason.without.name.lower()}")
        for sentence, outcome in found.changes:
            screen.line(f"with {sentence}: {outcome.name.lower()}")
        if found.now is not None and found.now is not found.outcome:
            screen.line(f"under the policy in force: {found.now.name.lower()}")
        if found.decided:
            screen.line(f"a reviewer decided: {found.decided}")

    return Answer("credenza.policy-explained/1", {"weighing": jsonable(found)}, show)


@command.use_case(
    "replay",
    examples=(
        "credenza policy replay --since 2013-07-01",
        "credenza policy replay --since 0 --policy stricter.toml --dataset flights",
    ),
)
@click.option(
    "--since", required=True, metavar="DATE|ENTRY", help="First window, or number of an entry."
)
@click.option(
    "--policy",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The policy to try; policy.toml as it stands by default.",
)
@click.option("--dataset", help="Of this dataset only.")
def replay(home: Path | None, since: str, path: Path | None, dataset: str | None) -> Answer:
    """Decide again, under another policy, on everything that was judged. Nothing is written.

    From the recorded evidence: outcomes, limits on flagged rows and probation are exact;
    what a looser threshold would have found was never recorded.
    """
    with open_workspace(home) as workspace:
        found, changed = workspace.policies.replay(since, path, dataset)

    def show(screen: Screen) -> None:
        screen.table(
            ("it was", "it would be", "batches"), [(a, b, str(n)) for a, b, n in found.moved]
        )
        if changed:
            screen.table(
                ("batch", "source", "window", "was", "would be", "rules", "reviewer"),
                [
                    (short(o.batch), o.source, o.window, o.before, o.after, *_words(o))
                    for o in changed
                ],
            )
        told = f"{count(found.batches, 'batch', 'batches')} of {count(found.windows, 'window')}"
        screen.line(f"{told}, {len(changed)} judged otherwise")
        if found.unknown:
            screen.line(f"{found.unknown} besides, of which the ledger keeps no evidence")

    return Answer(
        "credenza.policy-replay/1",
        {"replay": jsonable(found), "otherwise": [jsonable(one) for one in changed]},
        show,
    )


def _words(other: Other) -> tuple[str, str]:
    return " ".join(other.rules), other.decided


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
    another outcome than expected. A case of yours is a name, evidence and an outcome:

    \b
      [[case]]
      name = "a third of the rows are flagged"
      records = 300
      flagged_rows = 100
      expect = "hold"
    """  # noqa: D301 - click's mark of lines that stay as they are
    with open_workspace(home) as workspace:
        results = workspace.policies.test(path, cases)
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
        found = workspace.policies.propose(dataset, days=days)
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

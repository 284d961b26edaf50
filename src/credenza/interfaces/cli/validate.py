"""``credenza validate``: independent looks at what is held."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.errors import UsageError
    from credenza.workspace.validations import Recorded

batches_argument = click.argument("batches", nargs=-1, required=True)


@family("validate")
def command() -> None:
    """Look at suspects by means that did not raise the suspicion.

    Each answer goes into the ledger as evidence: it supports the suspicion, contradicts it,
    or leaves it undecided. None of them decides.
    """


@command.use_case("pending", examples=("credenza validate pending",))
def pending(home: Path | None) -> Answer:
    """Let the policy's validators look at all that is held and they have not seen."""
    with open_workspace(home) as workspace:
        done = workspace.validations.pending()
    failed = [one for one in done if isinstance(one, Exception)]
    return _answer([one for one in done if not isinstance(one, Exception)], failed)


@command.use_case(
    "list", examples=("credenza validate list", "credenza validate list --batch BATCH")
)
@click.option("--batch", default="", help="Of this batch only.")
def list_validations(home: Path | None, batch: str) -> Answer:
    """List the answers so far, oldest first."""
    with open_workspace(home) as workspace:
        return _answer(workspace.validations.all(batch))


@command.use_case(
    "rescreen",
    examples=("credenza validate rescreen BATCH --detectors isolation,lof",),
)
@batches_argument
@click.option("--detectors", default="", help="Others than the policy's, with commas.")
def rescreen(home: Path | None, batches: Sequence[str], detectors: str) -> Answer:
    """Screen the suspects under another set of detectors."""
    chosen = {"detectors": tuple(detectors.split(","))} if detectors else {}
    return _run(home, "rescreen", batches, **chosen)


@command.use_case("recompute", examples=("credenza validate recompute BATCH --seeds 10",))
@batches_argument
@click.option("--seeds", type=click.IntRange(1, 1000), default=20, show_default=True)
@click.option("--trim", type=click.FloatRange(0, 0.4), default=0.05, show_default=True)
def recompute(home: Path | None, batches: Sequence[str], seeds: int, trim: float) -> Answer:
    """Recompute what moved with other halves, windows and without extremes."""
    return _run(home, "recompute", batches, seeds=seeds, trim=trim)


@command.use_case(
    "reconcile",
    examples=("credenza validate reconcile BATCH --key carrier --values dep_delay",),
)
@batches_argument
@click.option("--key", default="", help="Columns that name the thing; the policy's by default.")
@click.option("--values", default="", help="Number columns; the policy's by default.")
def reconcile(home: Path | None, batches: Sequence[str], key: str, values: str) -> Answer:
    """Compare with what other sources say of the same things."""
    columns = {"key": _names(key), "values": _names(values)}
    return _run(home, "reconcile", batches, **columns)


@command.use_case(
    "with-and-without", examples=("credenza validate with-and-without BATCH --seed 1",)
)
@batches_argument
@click.option("--seed", type=int, default=0, show_default=True)
def with_and_without(home: Path | None, batches: Sequence[str], seed: int) -> Answer:
    """Train with the suspects and without them, and compare on trusted rows."""
    return _run(home, "with-and-without", batches, seed=seed)


@command.use_case(
    "rederive",
    examples=('credenza validate rederive BATCH --code features --run "python derive.py"',),
)
@batches_argument
@click.option(
    "--code",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Folder of the code; it may read this folder, and no other of yours.",
)
@click.option("--run", "words", required=True, metavar="COMMAND", help="Derives the features.")
@click.option("--seconds", type=float, default=600.0, show_default=True, help="At most so long.")
def rederive(
    home: Path | None, batches: Sequence[str], code: Path, words: str, seconds: float
) -> Answer:
    """Derive the features again from the signed originals, with your own code.

    The code runs confined. It finds rows.parquet and the original files in $CREDENZA_IN and
    writes features.parquet, row for row, to $CREDENZA_OUT.
    """
    from credenza.response.confinement import Bounds  # noqa: PLC0415 - help stays light

    bounds = Bounds(wall_s=seconds)
    return _run(
        home, "rederive", batches, command=tuple(shlex.split(words)), code=code, bounds=bounds
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _run(home: Path | None, validator: str, batches: Sequence[str], **parameters: object) -> Answer:
    with open_workspace(home) as workspace:
        return _answer([workspace.validations.run(validator, batches, **parameters)])


def _answer(found: Sequence[Recorded], failed: Sequence[UsageError] = ()) -> Answer:
    def show(screen: Screen) -> None:
        for one in found:
            told = one.validation
            names = ", ".join(map(short, one.batches))
            screen.line(f"{told.validator} on {names}: {told.answer}; {told.sentence}")
            for finding in told.findings[:10]:
                screen.line(f"  {finding.sentence}")
            for silence in told.silences:
                screen.line(f"  silent: {silence.detector}: {silence.reason}")
        for wrong in failed:
            screen.line(f"could not look: {wrong.what}; {wrong.why}")
        screen.line(count(len(found), "validation"))

    body = {
        "validations": [jsonable(one) for one in found],
        "failed": [{"code": one.code, "what": one.what, "why": one.why} for one in failed],
    }
    return Answer("credenza.validations/1", body, show)


def validation_answer(one: Recorded) -> Answer:
    """One validation, in the words of this family."""
    return _answer([one])

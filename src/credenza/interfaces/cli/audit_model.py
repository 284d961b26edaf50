"""``credenza audit-model``: the gate between a trained model and its use."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.extras import needs_extra
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import use_case
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from credenza.training.audit.audit import Audit
    from credenza.training.audit.case import Rows

EXITS = {"ADMIT": 0, "HOLD": 4, "REJECT": 1}
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@use_case(
    "audit-model",
    at_home=False,
    judges=True,
    examples=(
        (
            "credenza audit-model model.pt --baseline baseline.pt --network nets:small"
            " --clean verified.npz --train train.npz --report audit.html"
        ),
    ),
)
@click.argument("weights", type=FILE)
@click.option("--baseline", type=FILE, required=True, help="Weights learnt from verified rows.")
@click.option(
    "--network",
    "factory",
    required=True,
    metavar="MODULE:FUNCTION",
    help="Your function that makes the network for a number of classes; imported and called.",
)
@click.option("--clean", type=FILE, required=True, help="Verified rows neither learnt from: .npz.")
@click.option("--train", type=FILE, help="The rows the model learnt from: .npz with X and y.")
@click.option("--drill", "drills", type=FILE, multiple=True, help="A trigger: .npz with pattern.")
@click.option("--check", "checks", multiple=True, metavar="NAME", help="Only these checks.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a page with pictures."
)
def command(
    *,
    weights: Path,
    baseline: Path,
    factory: str,
    clean: Path,
    train: Path | None,
    drills: tuple[Path, ...],
    checks: tuple[str, ...],
    seed: int,
    report: Path | None,
) -> Answer:
    """Compare a model with its baseline before it is promoted.

    Weights are a state dict (safetensors, or torch.save, read without unpickling). Never
    judges by validation accuracy alone. Exits with 1 when the model is stopped, with 4
    when a person must look, or when a check that was asked for could not. Needs the
    extra `credenza[torch]`.
    """
    # Whoever names a module means one beside them, as with `python -m`.
    sys.path.insert(0, "")
    from credenza.training.audit.audit import audit  # noqa: PLC0415 - help stays light
    from credenza.training.audit.files import read_drill, read_rows  # noqa: PLC0415 - the same
    from credenza.training.torch_weights import load_network  # noqa: PLC0415 - torch is an extra

    verified, learnt = read_rows(clean), None if train is None else read_rows(train)
    classes = 1 + max(int(one.y.max()) for one in (verified, learnt) if one is not None)
    found = audit(
        load_network(factory, weights, classes),
        load_network(factory, baseline, classes),
        verified,
        [read_drill(one) for one in drills],
        train=learnt,
        checks=checks or None,
        seed=seed,
    )
    if report is not None:
        report.write_text(_page(found, learnt), encoding="utf-8")

    return Answer(
        "credenza.model-audit/1",
        _body(found),
        lambda screen: _show(screen, found, report),
        EXITS[found.outcome.name],
    )


def _show(screen: Screen, found: Audit, report: Path | None) -> None:
    for one in found.checks:
        screen.line(f"{one.outcome.name.lower():7} {one.name}: {one.sentence}")
    for silent in found.silences:
        screen.line(f"silent  {silent.detector}: {silent.reason}")
    screen.line(f"{found.outcome.name.lower()}, by {count(len(found.checks), 'check')}")
    screen.fields([("report", report)])


def _body(found: Audit) -> dict[str, object]:
    checks = [
        {
            "name": one.name,
            "outcome": one.outcome.name.lower(),
            "sentence": one.sentence,
            "exhibits": jsonable(one.exhibits),
            "target": one.target,
            "suspects": list(one.suspects),
        }
        for one in found.checks
    ]
    silences = [jsonable(one) for one in found.silences]
    return {"outcome": found.outcome.name.lower(), "checks": checks, "silences": silences}


def _page(found: Audit, learnt: Rows | None) -> str:
    with needs_extra("report", "the report"):
        from credenza.interfaces.audit.report import render  # noqa: PLC0415 - an extra
    return render(found, learnt)

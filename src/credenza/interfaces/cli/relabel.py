"""``credenza relabel``: people who do not see the labels give them again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, short
from credenza.interfaces.cli.validate import validation_answer

if TYPE_CHECKING:
    from collections.abc import Sequence


@family("relabel")
def command() -> None:
    """Hand rows to people who label them again, blindly, and take their labels back."""


@command.use_case(
    "export",
    examples=("credenza relabel export BATCH --out sheet.jsonl --controls 0",),
)
@click.argument("batches", nargs=-1, required=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--format",
    "form",
    type=click.Choice(["jsonl", "label-studio"]),
    default="jsonl",
    show_default=True,
)
@click.option("--suspects", type=click.IntRange(1), default=50, show_default=True)
@click.option("--controls", type=click.IntRange(0), default=50, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draw.")
def export(home: Path | None, batches: Sequence[str], out: Path, **chosen: object) -> Answer:
    """Write a sheet of suspects and trusted rows in an order that says nothing."""
    with open_workspace(home) as workspace:
        sheet, text = workspace.validations.export_sheet(batches, **chosen)  # type: ignore[arg-type] # click gives each its type
    out.write_text(text, encoding="utf-8")

    def show(screen: Screen) -> None:
        screen.line(f"sheet {short(sheet)} is in {out}; bring the labels back with its name")

    return Answer("credenza.sheet/1", {"sheet": sheet, "file": str(out)}, show)


@command.use_case("import", examples=("credenza relabel import SHEET labels.jsonl",))
@click.argument("sheet")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_labels(home: Path | None, sheet: str, file: Path) -> Answer:
    """Take labels back: JSONL, or Label Studio's JSON export.

    Every annotator must have labelled every row of the sheet once. The agreement of the
    annotators and what they contradict go into the ledger.
    """
    with open_workspace(home) as workspace:
        return validation_answer(workspace.validations.import_labels(sheet, file.read_bytes()))

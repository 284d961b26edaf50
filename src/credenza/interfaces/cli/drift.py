"""``credenza drift``: how far each column of each source is from trusted rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen, count
from credenza.interfaces.documents import drift_document

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.gate.drift import ColumnDistance

SHOWN = 20


@use_case(
    "drift",
    examples=("credenza drift flights", "credenza drift flights --source acme --window 2013-07-15"),
)
@click.argument("dataset")
@click.option("--window", default="", metavar="DATE", help="Its first day; the newest by default.")
@click.option("--source", default="", help="Of this sender only.")
def command(home: Path | None, dataset: str, window: str, source: str) -> Answer:
    """Measure how far the columns of DATASET moved, alarm or not.

    Each source's rows of one window beside trusted rows: the population stability index
    (psi), Kolmogorov-Smirnov or total variation (ks/tv), Jensen-Shannon (js), maximum mean
    discrepancy (mmd), and how often a classifier tells them apart by this column alone,
    which is half by chance. p is smaller the less the other sources moved likewise. Numbers
    and categories only; texts, vectors and labels have statistics of their own.
    """
    with open_workspace(home) as workspace:
        found = workspace.drift(dataset, window, source)

    def show(screen: Screen) -> None:
        screen.fields(
            [
                ("dataset", found.dataset),
                ("window", found.window),
                ("compared with", count(found.trusted_rows, "trusted row")),
            ]
        )
        screen.table(
            ("source", "column", "rows", "psi", "ks/tv", "js", "mmd", "told apart", "p", "most"),
            [_row(one) for one in found.columns[:SHOWN]],
        )
        if len(found.columns) > SHOWN:
            screen.line(f"and {count(len(found.columns) - SHOWN, 'column')} that moved less")
        if found.small:
            screen.line(f"too few rows to say anything: {', '.join(found.small)}")
        if found.unread:
            screen.line(f"not compared: {', '.join(found.unread)}")

    return Answer(*drift_document(found), show)


def _row(one: ColumnDistance) -> tuple[str, ...]:
    told = "" if one.classifier_accuracy is None else f"{one.classifier_accuracy:.0%}"
    measures = (one.psi, one.distance, one.jensen_shannon, one.mmd)
    return (
        one.source,
        one.column,
        str(one.rows),
        *(f"{measure:.3f}" for measure in measures),
        told,
        f"{one.p_value:.2g}",
        f"{one.most}, {'never seen before' if one.is_new else f'{one.times:.1f} times'}",
    )

"""``credenza report``: documents for auditors."""

from __future__ import annotations

from pathlib import Path

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count


@family("report")
def command() -> None:
    """Reports that are computed from the ledger."""


@command.use_case(
    "compliance",
    examples=(
        "credenza report compliance",
        "credenza report compliance --status gap --out controls.md",
    ),
)
@click.option(
    "--status",
    type=click.Choice(["evidenced", "configured without evidence", "gap", "outside"]),
    help="Show controls of this status only.",
)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write Markdown.")
def compliance(home: Path | None, status: str | None, out: Path | None) -> Answer:
    """Show what in the ledger is evidence for the controls of several frameworks.

    CISA/NSA AI Data Security, OWASP LLM04 and ML02, MITRE ATLAS, NIST AI 100-2 and AI RMF,
    ISO/IEC 42001 A.7, EU AI Act Art. 10 and 15. It is evidence for a control, never a
    claim to meet it.
    """
    from credenza.response.compliance import MEANING, by_status, markdown  # noqa: PLC0415 - help stays light

    with open_workspace(home) as workspace:
        found = workspace.oversight.compliance()
    if out is not None:
        out.write_text(markdown(found), encoding="utf-8")
    shown = [one for one in found if status in (None, one.status)]

    def show(screen: Screen) -> None:
        framework = ""
        for one in shown:
            if one.control.framework != framework:
                framework = one.control.framework
                screen.line(framework)
            mark = "" if one.control.checked else " [text not checked]"
            screen.line(f"  {one.control.id}: {one.control.text}{mark}")
            screen.line(f"    {one.status}; {one.sentence}")
        counts = ", ".join(f"{n} {name}" for name, n in by_status(found).items())
        screen.line(f"{count(len(found), 'control')}: {counts}")
        screen.line(MEANING)

    body = {"controls": [jsonable(one) for one in shown], "counts": by_status(found)}
    return Answer("credenza.compliance/1", body, show)

"""``credenza submit``: sign files and hand them in."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from credenza.core.errors import UsageError
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer, exit_of
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.key import REFERENCE
from credenza.interfaces.cli.terminal import Screen, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Reason
    from credenza.gate.reception import Receipt
    from credenza.provenance.urls import Refused


REPEATED = "nothing was handed in this time; --again hands the files in as a batch of their own"


@use_case(
    "submit",
    judges=True,
    governed=True,
    examples=(
        "credenza submit june.parquet --source acme --key acme.key --dataset flights --label late",
        (
            "credenza submit july.csv --source acme --key acme.key --dataset flights --label late "
            "--collected 2013-07-01 2013-07-08 --licence CC0-1.0"
        ),
    ),
)
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--urls",
    "index",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="In place of FILES: a table with a column `url`; fetch the pages, sign what they gave.",
)
@click.option(
    "--spread", "spread_s", default=0.0, metavar="SECONDS", help="Visit pages at random over that."
)
@click.option(
    "--hold", "hold_s", default=0.0, metavar="SECONDS", help="Visit again after that; both agree."
)
@click.option("--allow-private", is_flag=True, help="Fetch from private networks too.")
@click.option("--source", required=True, help="Who sends it; registered by `source add`.")
@click.option(
    "--key",
    "keys",
    required=True,
    multiple=True,
    metavar="KEY",
    help=f"{REFERENCE} Several where the source's threshold asks for several signatures.",
)
@click.option("--dataset", required=True, help="The dataset it is meant for.")
@click.option("--label", default="", metavar="COL", help="The column a model will predict.")
@click.option(
    "--collected",
    nargs=2,
    metavar="START END",
    help="When it was collected: two ISO dates or times in UTC, END excluded.",
)
@click.option("--licence", default="", help="Licence of the data, as an SPDX name.")
@click.option(
    "--provenance",
    multiple=True,
    metavar="NAME=VALUE",
    help="A Data & Trust Alliance field. May be given several times.",
)
@click.option("--again", is_flag=True, help="Hand FILES in even if they are in already.")
@click.option(
    "--receipt",
    "receipt_to",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the gate's signed receipt to this file: proof if the batch is dropped later.",
)
def command(  # noqa: PLR0917 - click passes each option by its name
    home: Path | None,
    files: tuple[Path, ...],
    index: Path | None,
    spread_s: float,
    hold_s: float,
    allow_private: bool,
    keys: tuple[str, ...],
    provenance: tuple[str, ...],
    receipt_to: Path | None,
    **described: Any,  # noqa: ANN401 - click's values
) -> Answer:
    """Sign FILES as one batch and hand it to the gate.

    Reads Parquet, CSV and JSON Lines. The batch waits until its window is complete,
    and `credenza settle` judges the window as a whole: exit code 4 says that it
    waits, 0 that it was admitted at once, 1 that it was refused. Files that are in
    already are not handed in twice; the answer is how they stand.
    """
    if bool(files) == (index is not None):
        raise UsageError(
            "bad-usage",
            "give FILES, or --urls with an index, not both",
            why="a batch is one or the other",
            fix="run `credenza submit --help`",
        )
    with contextlib.ExitStack() as stack:
        refused: tuple[Refused, ...] = ()
        if index is not None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            files, refused = fetch(index, folder, spread_s, hold_s, allow_private=allow_private)
        workspace = stack.enter_context(open_workspace(home))
        receipt = workspace.submit(files, key=keys, provenance=_fields(provenance), **described)
        if receipt_to is not None:
            receipt_to.write_bytes(workspace.log.receipt(receipt.batch))
        reasons = workspace.batch(receipt.batch).reasons
        ends = workspace.waiting(receipt.dataset).ends

    return _received(receipt, refused, reasons, ends)


def _received(
    receipt: Receipt, refused: Sequence[Refused], reasons: Sequence[Reason], ends: str
) -> Answer:
    def show(screen: Screen) -> None:
        known = ": these very files were in already" if receipt.is_repeat else ""
        screen.line(f"batch {short(receipt.batch)} {receipt.status}{known}")
        screen.fields(
            [
                ("rows", f"{receipt.records:,}"),
                ("window", receipt.window),
                ("ledger entry", receipt.index),
                ("digest", receipt.batch),
                *((f"left out: {one.url}", one.why) for one in refused),
                *((f"[{one.rule}]", one.sentence) for one in reasons),
                ("next", _next(receipt, reasons, ends)),
                ("again", REPEATED if receipt.is_repeat else ""),
            ]
        )

    return Answer(
        "credenza.receipt/1",
        {
            "receipt": jsonable(receipt),
            "left_out": [one._asdict() for one in refused],
            "reasons": [jsonable(one) for one in reasons],
        },
        show,
        exit_of(receipt.status),
    )


def _next(receipt: Receipt, reasons: Sequence[Reason], ends: str) -> str:
    """What whoever handed a batch in does then; "" when it is in."""
    if receipt.status == "waiting":
        return f"credenza settle {receipt.dataset}, once its window is over" + (
            f" (the first one that waits ends on {ends})" if ends else ""
        )
    waits = receipt.status != "admitted" or any(one.rule == "rows" for one in reasons)
    return f"credenza review show {short(receipt.batch)}" if waits else ""


def fetch(
    index: Path, folder: Path, spread_s: float, hold_s: float, *, allow_private: bool
) -> tuple[tuple[Path, ...], tuple[Refused, ...]]:
    """Fetch the pages of an index into a Parquet file; the file, and what was left out."""
    import secrets  # noqa: PLC0415 - help stays light
    import time  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    from credenza.core.types import Limits  # noqa: PLC0415
    from credenza.interfaces.crawl import Crawler  # noqa: PLC0415
    from credenza.provenance.intake.sandbox import read_sandboxed  # noqa: PLC0415
    from credenza.provenance.urls import Schedule, Time, retrieve  # noqa: PLC0415

    found = retrieve(
        read_sandboxed([index], Limits()),
        Crawler(allow_private=allow_private),
        Schedule(spread_s, hold_s),
        Time(time.time, time.sleep),
        # Whoever could guess the order would know when to edit which page.
        np.random.default_rng(secrets.randbits(128)),
    )
    pages = folder / "pages.parquet"
    pq.write_table(found.table, pages)
    return (pages,), found.refused


def _fields(words: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE words as a mapping."""
    found: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise UsageError(
                "bad-provenance",
                f"{word!r} is not NAME=VALUE",
                why="a field has a name and a value",
                fix='for example --provenance "data-origin-geography=US"',
            )
        found[name] = value
    return found

"""``credenza batch``: what came in, what became of it, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.errors import UsageError
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import EXIT_OF_STATUS, Answer, exit_of
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import public_key
from credenza.interfaces.cli.stories import campaign_lines
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from credenza.gate.questions import BatchRecord

SHOWN_CELLS = 50


@family("batch")
def command() -> None:
    """What came in, what became of it, and why."""


@command.use_case(
    "list", examples=("credenza batch list", "credenza batch list --dataset flights --status held")
)
@click.option("--dataset", help="Of this dataset only.")
@click.option("--status", type=click.Choice(list(EXIT_OF_STATUS)), help="Of this status only.")
def list_batches(home: Path | None, dataset: str | None, status: str | None) -> Answer:
    """List batches, in the order of the ledger."""
    with open_workspace(home) as workspace:
        found = workspace.batches(dataset=dataset, status=status)
    return batches_answer(found)


@command.use_case("show", judges=True, examples=("credenza batch show BATCH --exit-zero",))
@click.argument("batch")
def show_batch(home: Path | None, batch: str) -> Answer:
    """Show one batch, named by its digest or the first digits of it.

    The exit code is that of its status, so that a sender's script can ask.
    """
    with open_workspace(home) as workspace:
        found = workspace.batch(batch)
    return Answer(
        "credenza.batch/1",
        {"batch": jsonable(found)},
        lambda screen: show_record(screen, found),
        exit_of(found.status),
    )


@command.use_case("explain", examples=("credenza batch explain BATCH",))
@click.argument("batch")
def explain(home: Path | None, batch: str) -> Answer:
    """Say why a batch was judged as it was: reasons, evidence, and what kept silent."""
    with open_workspace(home) as workspace:
        found = workspace.explain(batch)

    def show(screen: Screen) -> None:
        show_record(screen, found.record)
        _section(screen, "reasons", [f"[{r.rule}] {r.sentence}" for r in found.reasons])
        _section(
            screen,
            "evidence",
            [f"[{f.detector}] {f.sentence} (p = {f.p_value:.2g})" for f in found.findings],
        )
        for campaign in found.campaigns:
            for line in campaign_lines(campaign):
                screen.line(line)
        _section(screen, "not assessed", [f"[{s.detector}] {s.reason}" for s in found.silences])

    return Answer("credenza.explanation/1", {"explanation": jsonable(found)}, show)


def batches_answer(found: Sequence[BatchRecord]) -> Answer:
    """A list of batches as an answer; ``review list`` gives the same."""

    def show(screen: Screen) -> None:
        screen.table(
            ("batch", "dataset", "source", "window", "rows", "status"),
            [
                (short(b.digest), b.dataset, b.source, b.window, f"{b.records:,}", b.status)
                for b in found
            ],
        )
        screen.line(count(len(found), "batch", "batches"))

    return Answer("credenza.batches/1", {"batches": [jsonable(one) for one in found]}, show)


def show_record(screen: Screen, record: BatchRecord) -> None:
    """One batch's fields."""
    screen.fields(
        [
            ("batch", record.digest),
            ("status", record.status),
            ("dataset", record.dataset),
            ("source", record.source),
            ("sequence", record.sequence),
            ("window", record.window),
            ("rows", f"{record.records:,}"),
            ("version", record.version),
        ]
    )


def _section(screen: Screen, title: str, lines: Iterable[Any]) -> None:
    for place, line in enumerate(lines):
        if place == 0:
            screen.line(title, style="bold")
        screen.line(f"  {line}")


@command.use_case("receipt", examples=("credenza batch receipt BATCH --out june.receipt",))
@click.argument("batch")
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; a monitor takes it with --receipt.",
)
def receipt(home: Path | None, batch: str, out: Path) -> Answer:
    """Sign for a batch: whoever holds the receipt can show that it was dropped later."""
    with open_workspace(home) as workspace:
        digest = workspace.batch(batch).digest
        out.write_bytes(workspace.log.receipt(digest))

    def show(screen: Screen) -> None:
        screen.line(f"wrote {out}, for batch {short(digest)}")

    return Answer("credenza.receipt-written/1", {"batch": digest, "out": str(out)}, show)


@command.use_case("prove", examples=("credenza batch prove BATCH 0 --out row-0.proof",))
@click.argument("batch")
@click.argument("row", type=click.IntRange(min=0))
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
def prove(home: Path | None, batch: str, row: int, out: Path) -> Answer:
    """Prove that ROW, counted from 0, was in BATCH as its sender signed it."""
    with open_workspace(home) as workspace:
        found = workspace.batch(batch)
        out.write_bytes(workspace.log.prove_row(found.digest, row))
        keys = workspace.source(found.source).keys

    def show(screen: Screen) -> None:
        screen.line(f"wrote {out}; verify it with: credenza batch verify {out} --trust {keys[0]}")

    body = {"batch": found.digest, "row": row, "out": str(out), "public_keys": list(keys)}
    return Answer("credenza.row-proof-written/1", body, show)


@command.use_case("diff", judges=True, examples=("credenza batch diff BATCH june.parquet",))
@click.argument("batch")
@click.argument("files", nargs=-1, required=True, type=click.Path(dir_okay=False, path_type=Path))
def diff(home: Path | None, batch: str, files: tuple[Path, ...]) -> Answer:
    """Say which cells of FILES differ from BATCH as its sender signed it.

    Exits with 1 when one does, and with 3 when the rows or columns are not the same.
    """
    with open_workspace(home) as workspace:
        cells = workspace.log.changed_cells(batch, files)

    def show(screen: Screen) -> None:
        screen.table(("row", "column"), cells[:SHOWN_CELLS])
        screen.line(f"{count(len(cells), 'cell')} changed")

    body = {"changed": [{"row": row, "column": column} for row, column in cells]}
    return Answer("credenza.batch-diff/1", body, show, 1 if cells else 0)


@command.use_case(
    "verify",
    at_home=False,
    judges=True,
    examples=(
        "credenza batch verify row-0.proof --trust acme.key.pub",
        (
            "credenza batch verify row-0.proof --trust acme.key.pub "
            "--release flights-r1 --release-trust KEY --exit-zero"
        ),
    ),
)
@click.argument("proof", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--trust",
    "trusted",
    required=True,
    multiple=True,
    metavar="KEY",
    help="Public key of the sender: hex or file. May be given several times.",
)
@click.option(
    "--release",
    type=click.Path(file_okay=False, path_type=Path),
    help="Say whether the row's batch is in this release.",
)
@click.option("--release-trust", metavar="KEY", help="Public key of the gate that released it.")
def verify(
    proof: Path, trusted: tuple[str, ...], release: Path | None, release_trust: str | None
) -> Answer:
    """Check offline that a row was in a batch, and whether that batch was released.

    Exits with 3 when the proof shows nothing, with 1 when its batch is not in the
    release: both answers hold, since the release signs the sorted set of its batches.
    """
    from credenza import verify_release  # noqa: PLC0415 - help stays light
    from credenza.provenance.row_proof import membership, verify_row  # noqa: PLC0415

    if (release is None) != (release_trust is None):
        raise UsageError(
            "bad-usage",
            "--release and --release-trust come together",
            why="a release proves something only to whoever trusts its signer",
            fix="give both, or neither",
        )
    found = verify_row(proof.read_bytes(), trust=[public_key(key) for key in trusted])
    place = None
    if release is not None and release_trust is not None:
        attested = verify_release(release, trust=[public_key(release_trust)])
        place = membership(found.batch, attested.batches)

    def show(screen: Screen) -> None:
        screen.line("verified")
        screen.fields(
            [("row", found.row), ("batch", found.batch), ("sender", found.manifest.source)]
        )
        if place is not None:
            screen.line(f"its batch is {'in' if place.is_member else 'not in'} the release")

    body = {
        "verified": True,
        "row": found.row,
        "leaf": found.leaf,
        "batch": found.batch,
        "source": found.manifest.source,
        "dataset": found.manifest.dataset,
        "release": None if place is None else place._asdict(),
    }
    return Answer(
        "credenza.row-verified/1", body, show, 0 if place is None or place.is_member else 1
    )

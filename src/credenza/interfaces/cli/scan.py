"""``credenza scan``: one training set, tonight."""

from __future__ import annotations

import dataclasses
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra
from credenza.interfaces.cli.answer import Answer, ascii_json
from credenza.interfaces.cli.command import use_case
from credenza.interfaces.cli.terminal import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from credenza.scanning.result import ScanResult
    from credenza.scanning.scan import Progress

RESUME = ".resume"


def _split(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value else ()


@use_case(
    "scan",
    at_home=False,
    judges=True,
    examples=(
        "credenza scan june.parquet",
        "credenza scan june.parquet --label late --source carrier --out june-scan",
        "credenza scan july.csv --trusted june.parquet --fdr 0.01 --exit-zero",
        "credenza scan july.csv --detectors duplicates,association --format sarif",
        "credenza scan reviews.csv --encoder minilm",
    ),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--label", metavar="COLUMN", help="The label; '' for none.  [guessed by name]")
@click.option("--source", metavar="COLUMN", help="Who sent a row; '' for none.  [guessed by name]")
@click.option("--time", metavar="COLUMN", default="", help="When a row was made.")
@click.option("--id", "ident", metavar="COLUMN", default="", help="What a row is called.")
@click.option("--text", metavar="COLUMN", multiple=True, help="Text; may be given repeatedly.")
@click.option("--image", metavar="COLUMN", multiple=True, help="PNG/JPEG bytes, or pixels.")
@click.option("--embedding", metavar="COLUMN", multiple=True, help="Vectors of one length.")
@click.option(
    "--interactions", metavar="USER,ITEM[,RATING]", callback=_split, help="Who rated what, and how."
)
@click.option(
    "--encoder",
    "encoders",
    metavar="NAME",
    multiple=True,
    help="Read texts or pictures as vectors by a pretrained network: minilm, efficientnet-lite0.",
)
@click.option(
    "--trusted", metavar="PATH|COLUMN", default="", help="Rows that are known to be good."
)
@click.option(
    "--fdr",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.05,
    show_default=True,
    help="Expected share of false discoveries.",
)
@click.option(
    "--detectors", metavar="NAME,…", callback=_split, help="Ask only these.  [ours that apply]"
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of random draws."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write rows.parquet, findings.json, report.html, clean.parquet and suspect.parquet;"
    " an interrupted scan resumes there.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "json", "sarif", "html", "markdown")),
    default="text",
    show_default=True,
    help="What is printed.",
)
def command(path: Path, out: Path | None, form: str, **options: Any) -> Answer:  # noqa: ANN401 - click's values
    """Find poisoned rows, groups and sources in one training set.

    PATH is Parquet, CSV, JSON Lines, Arrow or .npz; a folder of such tables, of images
    (subfolders are labels), or a Hugging Face dataset saved on disk. Columns whose role
    is not given are taken for what their names and types say, and the answer tells
    which. Nothing is unpickled and nothing leaves this machine.
    """
    from credenza.scanning.scan import scan  # noqa: PLC0415 - help stays light
    from credenza.workspace.guests import asked_in_a_scan  # noqa: PLC0415 - help stays light

    with _progress() as progress:
        result = scan(
            path,
            label=options["label"],
            source=options["source"],
            time=options["time"],
            id=options["ident"],
            text=options["text"],
            image=options["image"],
            embedding=options["embedding"],
            interactions=options["interactions"],
            encoders=options["encoders"],
            trusted=options["trusted"] or None,
            fdr=options["fdr"],
            detectors=asked_in_a_scan(options["detectors"]) or None,
            seed=options["seed"],
            progress=progress,
            resume=out / RESUME if out is not None else None,
        )
    if out is not None:
        result = _write(result, out)
    said = result.document()
    schema = str(said.pop("schema"))
    return Answer(schema, said, lambda screen: _FORMS[form](result, screen), result.exit_code)


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Steps on stderr: a bar on a terminal, lines elsewhere; stdout stays the answer's."""
    screen = Screen(sys.stderr)
    if screen.console is None:

        def line(step: Progress) -> None:
            if step.done < step.total:
                screen.line(f"{step.done + 1} of {step.total}: {step.doing}")

        yield line
        return
    from rich.progress import Progress as Bar  # noqa: PLC0415 - only a terminal pays for it

    with Bar(console=screen.console, transient=True) as bar:
        task = bar.add_task("reading")

        def draw(step: Progress) -> None:
            bar.update(task, description=step.doing, completed=step.done, total=step.total)

        yield draw


def _write(result: ScanResult, out: Path) -> ScanResult:
    """All files; without the report's packages the others, and a notice."""
    try:
        page = _page(result)
    except UsageError as missing:
        said = f"report.html was not written: {missing.fix}"
        result = dataclasses.replace(result, notices=(*result.notices, said))
        result.save(out)
    else:
        result.save(out, more={"report.html": lambda path: path.write_text(page, "utf-8")})
    return result


def _page(result: ScanResult) -> str:
    with needs_extra("report", "the report"):
        from credenza.interfaces.scan.report import render  # noqa: PLC0415 - an extra
    return render(result)


def _text(result: ScanResult, screen: Screen) -> None:
    from credenza.interfaces.scan.text import show  # noqa: PLC0415 - help stays light

    show(result, screen)


def _json(result: ScanResult, _: Screen) -> None:
    click.echo(ascii_json(result.document()))


def _sarif(result: ScanResult, _: Screen) -> None:
    from credenza import __version__  # noqa: PLC0415 - help stays light
    from credenza.interfaces.scan.sarif import sarif  # noqa: PLC0415 - help stays light

    click.echo(ascii_json(sarif(result, version=__version__)))


def _html(result: ScanResult, _: Screen) -> None:
    click.echo(_page(result))


def _markdown(result: ScanResult, _: Screen) -> None:
    from credenza.interfaces.scan.markdown import render  # noqa: PLC0415 - help stays light

    click.echo(render(result), nl=False)


_FORMS: Mapping[str, Callable[[ScanResult, Screen], None]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "html": _html,
    "markdown": _markdown,
}

"""``credenza certify``: what a table's sources could do together to a model of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.errors import UsageError
from credenza.interfaces.cli.answer import Answer, ascii_json
from credenza.interfaces.cli.command import use_case

if TYPE_CHECKING:
    from credenza.core.types import Reason
    from credenza.interfaces.cli.terminal import Screen
    from credenza.training.assignment import Assignment
    from credenza.training.certify_table import TableCertificate

SCHEMA = "credenza.certificate/1"
DEMAND_EXIT = 1


def _numbers(_: click.Context, __: click.Parameter, value: str) -> tuple[int, ...]:
    parts = [part.strip() for part in value.split(",") if part.strip()]
    if not all(part.isdigit() for part in parts):
        raise click.BadParameter("give whole numbers, such as 0,1,5")
    return tuple(int(part) for part in parts)


def _demand(_: click.Context, __: click.Parameter, value: str) -> tuple[int, float] | None:
    if not value:
        return None
    count, _equals, share = value.partition("=")
    try:
        return int(count), float(share)
    except ValueError:
        raise click.BadParameter("give K=ACCURACY, such as 5=0.8") from None


@use_case(
    "certify",
    at_home=False,
    judges=True,
    examples=(
        "credenza certify june.parquet --label late --source carrier --units 3",
        "credenza certify june.parquet --label late --source carrier --units 3 --out certificate",
    ),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--label", metavar="COLUMN", required=True, help="The label.")
@click.option("--source", metavar="COLUMN", required=True, help="Who sent a row.")
@click.option("--trusted", metavar="PATH", type=click.Path(path_type=Path), help="Verified rows.")
@click.option(
    "--roster",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Every source that may speak, one a line: NAME, or NAME=GROUP for those that are one.",
)
@click.option(
    "--units",
    type=click.IntRange(min=1),
    help="Number of units; sources go to them by roster, or by a hash of their name.",
)
@click.option(
    "--scheme",
    type=click.Choice(("partition", "run-off", "finite")),
    default="partition",
    show_default=True,
    help="How units make members.",
)
@click.option(
    "--hostile", metavar="K,…", callback=_numbers, default="0,1,2,5,10,20", show_default=True,
    help="Points of the curve.",
)  # fmt: skip
@click.option(
    "--require", metavar="K=ACCURACY", callback=_demand, default="", help="Exit with 1 below it."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write certificate.json and curve.svg.",
)
def command(
    path: Path,
    label: str,
    source: str,
    *,
    trusted: Path | None,
    roster: Path | None,
    units: int | None,
    scheme: str,
    hostile: tuple[int, ...],
    require: tuple[int, float] | None,
    out: Path | None,
) -> Answer:
    """Certify how many colluding sources cannot change a model's predictions.

    Members of an ensemble learn from a fixed few of the sources each, and vote; the gap of
    votes says how many sources would have to collude. With --trusted, every member also
    learns from half of the verified rows, and accuracy is counted on the other half, beside
    that of the verified rows alone. The certificate holds for what the sources sent and
    what they might have sent; not when one party sends under several names that nobody
    declared, or when the table's columns were chosen after looking at it.
    """
    from credenza.scanning.inputs import read  # noqa: PLC0415 - help stays light
    from credenza.training.certified import demand  # noqa: PLC0415 - help stays light
    from credenza.training.certify_table import certify_table  # noqa: PLC0415 - help stays light

    points = {*hostile, *({require[0]} if require else ())}
    found = certify_table(
        read(path).table,
        label=label,
        source=source,
        assignment=_assignment(roster, units),
        scheme=scheme,
        trusted=None if trusted is None else read(trusted).table,
        hostile=sorted(points),
    )
    reason = demand(found.curve, *require) if require else None
    body = _body(found, reason)
    if out is not None:
        _write(found, body, out)
    failed = reason is not None and reason.outcome > 0
    return Answer(
        SCHEMA, body, lambda screen: _show(found, reason, screen), DEMAND_EXIT if failed else 0
    )


def _assignment(roster: Path | None, units: int | None) -> Assignment:
    from credenza.training.assignment import Assignment  # noqa: PLC0415 - help stays light

    if roster is None:
        if units is None:
            raise UsageError(
                "no-assignment",
                "sources cannot be assigned to units",
                why="a roster made from the data would let a source move others by its absence",
                fix="give --roster FILE, or --units N to assign by a hash of the name",
            )
        return Assignment(units)
    lines = [line.strip() for line in roster.read_text("utf-8").splitlines() if line.strip()]
    pairs = [line.partition("=") for line in lines]
    names = tuple(name.strip() for name, _, _ in pairs)
    declared = {name.strip(): group.strip() for name, _, group in pairs if group.strip()}
    return Assignment(units or 0, names, declared)


def _body(found: TableCertificate, reason: Reason | None) -> dict[str, object]:
    return {
        "scheme": found.scheme,
        "units": found.units,
        "rows": found.rows,
        "inputs": list(found.inputs),
        "verified": found.verified,
        "undefended": found.undefended,
        "trusted_only": found.curve.trusted_only,
        "crossing": found.curve.crossing,
        "curve": [
            {"hostile": count, "certified": share}
            for count, share in zip(found.curve.hostile, found.curve.certified, strict=True)
        ],
        "demand": None
        if reason is None
        else {"met": reason.outcome == 0, "sentence": reason.sentence},
    }


def _write(found: TableCertificate, body: dict[str, object], out: Path) -> None:
    from credenza.interfaces.certified_curve import certified_curve_svg  # noqa: PLC0415 - for --out

    out.mkdir(parents=True, exist_ok=True)
    said = ascii_json({"schema": SCHEMA, **body})
    (out / "certificate.json").write_text(said + "\n", "utf-8")
    title = f"{found.scheme} over {found.units} units, {found.rows:,} rows"
    (out / "curve.svg").write_text(certified_curve_svg(found.curve, title), "utf-8")


def _show(found: TableCertificate, reason: Reason | None, screen: Screen) -> None:
    screen.fields(
        [
            ("scheme", found.scheme),
            ("units", found.units),
            ("rows learnt from", f"{found.rows:,}"),
            ("one model of all rows", f"{found.undefended:.3f}, certified against nobody"),
        ]
    )
    screen.table(
        ("colluding units", "certified accuracy"),
        [
            (str(count), f"{share:.3f}")
            for count, share in zip(found.curve.hostile, found.curve.certified, strict=True)
        ],
    )
    if found.verified:
        crossing = found.curve.crossing
        wins = "nowhere on this curve" if crossing is None else f"from {crossing} on"
        screen.line(f"verified rows alone: {found.curve.trusted_only:.3f}; they win {wins}")
    else:
        screen.line("counted on rows that nobody verified: their labels may be poisoned too")
    if reason is not None:
        screen.line(reason.sentence)

"""``report.html`` of a scan: one static page, no scripts, no foreign requests.

Every value may be an attacker's. Jinja2 escapes all of it, ``plain`` shows control and
bidirectional characters by their codes, pictures are embedded as images, and the page's
policy allows nothing but its own style and these images.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from credenza.core.types import Role
from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.scan import pictures
from credenza.interfaces.scan.projection import project
from credenza.interfaces.scan.samples import (
    SHOWN_IMAGES,
    Cells,
    beside,
    boxed,
    cells,
    outline,
    pixels,
)
from credenza.interfaces.scan.text import headline, reading

if TYPE_CHECKING:
    from credenza.core.types import Finding
    from credenza.scanning.result import ScanResult

MAX_FINDINGS = 40
MAX_SHOWN = 6
MAX_ROWS = 50
LOUD = 0.99


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A finding with what the page shows of it.

    Attributes:
        finding: the claim.
        cells: rows beside accepted ones, or None.
        flagged: data URLs of images it is about.
        accepted: of accepted ones.
        is_outlined: a trigger is framed.
    """

    finding: Finding
    cells: Cells | None
    flagged: list[Markup]
    accepted: list[Markup]
    is_outlined: bool


@dataclass(frozen=True, slots=True)
class Voice:
    """What one detector has to say of the flagged rows."""

    detector: str
    agrees: int
    findings: int


def render(result: ScanResult) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("credenza.interfaces.scan", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    flagged = result.flagged
    places, rows = project(result)
    worst = result.rows.filter(result.rows.column("flagged"))
    worst = worst.sort_by([("score", "descending")]).slice(0, MAX_ROWS)
    return environment.get_template("report.html.j2").render(
        result=result,
        headline=headline(result),
        flagged=int(flagged.sum()),
        total=result.rows.num_rows,
        exhibits=[_exhibit(result, finding) for finding in result.findings[:MAX_SHOWN]],
        others=result.findings[MAX_SHOWN:MAX_FINDINGS],
        unshown=max(0, len(result.findings) - MAX_FINDINGS),
        named=[source.source for source in result.sources if source.is_named],
        rates=_svg(pictures.source_rates(result.sources)) if result.sources else "",
        scatter=_svg(pictures.scatter(places, flagged[rows])) if len(rows) else "",
        shown_rows=len(rows),
        voices=voices(result),
        worst=worst.to_pylist(),
        reading=list(reading(result)),
        Cells=Cells,
    )


def voices(result: ScanResult) -> list[Voice]:
    """Each detector, and how many flagged rows it finds louder than 99 % of accepted ones."""
    flagged = result.flagged
    found = []
    for name, values in result.heard.items():
        level = np.quantile(values[~flagged], LOUD) if not flagged.all() else values.min()
        agrees = int((values[flagged] > level).sum())
        said = sum(finding.detector == name for finding in result.findings)
        found.append(Voice(name, agrees, said))
    return sorted(found, key=lambda one: (-one.findings, -one.agrees, one.detector))


def _exhibit(result: ScanResult, finding: Finding) -> Exhibit:
    mine, others = beside(result, finding)
    images = [name for name, role in result.view.facets.items() if role is Role.IMAGE]
    shown = cells(result, mine, others) if len(mine) else None
    if not images or not len(mine):
        return Exhibit(finding, shown, [], [], is_outlined=False)
    meant = finding.exhibits.get("column")
    image = str(meant) if meant in images else images[0]
    ours, theirs = pixels(result, image, mine), pixels(result, image, others)
    box = boxed(finding) or outline(ours, theirs)
    return Exhibit(
        finding,
        shown,
        [_png(pictures.thumbnail(one, box)) for one in ours[:SHOWN_IMAGES]],
        [_png(pictures.thumbnail(one)) for one in theirs[:SHOWN_IMAGES]],
        is_outlined=bool(box),
    )


def _harmless(value: object) -> object:
    """Every printed string as one visible line; markup we made stays as it is."""
    return value if isinstance(value, Markup) else plain(value, limit=2_000)


def _png(data: bytes) -> Markup:
    return _url("image/png", data)


def _svg(text: str) -> Markup:
    """SVG as a data URL: within ``<img>`` it can neither run scripts nor load anything."""
    return _url("image/svg+xml", text.encode("utf-8"))


def _url(kind: str, data: bytes) -> Markup:
    coded = base64.b64encode(data).decode("ascii")
    return Markup("data:{};base64,{}").format(kind, coded)

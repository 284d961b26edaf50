"""``report.html`` of a scan: one static page, no scripts, no foreign requests.

Every value may be an attacker's. Jinja2 escapes all of it, ``plain`` shows control and
bidirectional characters by their codes, pictures are embedded as images, and the page's
policy allows nothing but its own style and these images.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    from collections.abc import Iterable

    from credenza.core.types import Finding, Ints

    Pixels = np.ndarray[Any, Any]
    from credenza.scanning.result import ScanResult

MAX_FINDINGS = 40
MAX_SHOWN = 6
MAX_ROWS = 50
LOUD = 0.99


@dataclass(frozen=True, slots=True)
class Picture:
    """A sample's picture as a data URL, and what stands under it."""

    url: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class Exhibit:
    """Findings about the same rows, with what the page shows of these.

    Attributes:
        number: by which the page refers to it, from 1.
        findings: the claims, the most surprising first.
        cells: rows beside accepted ones, or None.
        flagged: pictures it is about.
        accepted: accepted ones.
        is_outlined: a trigger is framed.
    """

    number: int
    findings: tuple[Finding, ...]
    cells: Cells | None
    flagged: list[Picture]
    accepted: list[Picture]
    is_outlined: bool


@dataclass(frozen=True, slots=True)
class Suspect:
    """A flagged row, the exhibits that name it, and else why it is flagged."""

    row: dict[str, Any]
    exhibits: tuple[int, ...]
    reasons: tuple[str, ...]


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
    groups = _of_same_rows(result.findings)
    shown = [_exhibit(result, at, group) for at, group in enumerate(groups[:MAX_SHOWN], start=1)]
    others = [finding for group in groups[MAX_SHOWN:] for finding in group]
    return environment.get_template("report.html.j2").render(
        result=result,
        headline=headline(result),
        flagged=int(flagged.sum()),
        total=result.rows.num_rows,
        exhibits=shown,
        others=others[:MAX_FINDINGS],
        unshown=max(0, len(others) - MAX_FINDINGS),
        named=[source.source for source in result.sources if source.is_named],
        rates=_svg(pictures.source_rates(result.sources)) if result.sources else "",
        scatter=_svg(pictures.scatter(places, flagged[rows])) if len(rows) else "",
        shown_rows=len(rows),
        voices=voices(result),
        worst=_worst(result, shown),
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


def _of_same_rows(findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
    """Findings, those about the same rows together; groups by their most surprising one."""
    found: dict[object, list[Finding]] = {}
    for finding in findings:
        found.setdefault(frozenset(finding.rows) or id(finding), []).append(finding)
    return [tuple(group) for group in found.values()]


def _worst(result: ScanResult, exhibits: list[Exhibit]) -> list[Suspect]:
    """The flagged rows of the highest scores."""
    rows = result.rows.filter(result.rows.column("flagged"))
    named = [(one.number, frozenset(one.findings[0].rows)) for one in exhibits]
    found = []
    for row in rows.sort_by([("score", "descending")]).slice(0, MAX_ROWS).to_pylist():
        numbers = tuple(number for number, mine in named if row["row"] in mine)
        found.append(Suspect(row, numbers, () if numbers else tuple(row["reasons"])))
    return found


def _exhibit(result: ScanResult, number: int, findings: tuple[Finding, ...]) -> Exhibit:
    mine, others = beside(result, findings[0])
    images = [name for name, role in result.view.facets.items() if role is Role.IMAGE]
    shown = cells(result, mine, others) if len(mine) else None
    if not images or not len(mine):
        return Exhibit(number, findings, shown, [], [], is_outlined=False)
    meant = findings[0].exhibits.get("column")
    image = str(meant) if meant in images else images[0]
    ours, theirs = pixels(result, image, mine), pixels(result, image, others)
    boxes = [box for box in map(boxed, findings) if box and not _is_whole(box, ours.shape[1:3])]
    box = boxes[0] if boxes else outline(ours, theirs)
    return Exhibit(
        number,
        findings,
        shown if shown and shown.is_telling else None,
        _pictures(result, mine, ours, box),
        _pictures(result, others, theirs, ()),
        is_outlined=bool(box),
    )


def _is_whole(box: tuple[int, ...], size: tuple[int, ...]) -> bool:
    """Whether a box frames the whole picture, and so points at nothing."""
    return box[0] <= 0 and box[1] <= 0 and box[2:] >= size


def _pictures(result: ScanResult, rows: Ints, shown: Pixels, box: tuple[int, ...]) -> list[Picture]:
    """Some rows' pictures, with their number, label and source beneath."""
    under = [rows[:SHOWN_IMAGES].astype(str).tolist()]
    if result.view.label:
        under.append(
            result.view.table.column(result.view.label).take(rows[:SHOWN_IMAGES]).to_pylist()
        )
    if result.sources:
        under.append(result.view.source[rows[:SHOWN_IMAGES]].tolist())
    return [
        Picture(_png(pictures.thumbnail(one, box)), " · ".join(map(str, words)))
        for one, *words in zip(shown[:SHOWN_IMAGES], *under, strict=True)
    ]


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

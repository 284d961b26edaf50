"""``report.html``: one static page, no scripts, no foreign requests.

Every value may be a sender's. Jinja2 escapes all of it, ``plain`` shows control and
bidirectional characters by their codes, pictures are embedded as images, and the
page's policy allows nothing but its own style and these images.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from credenza.campaigns.explain import sentence
from credenza.interfaces.cli.stories import WORDS, moved_sources
from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.demo import plots

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.interfaces.demo.tale import Tale

NAME = "report.html"


def write_report(tale: Tale, directory: Path) -> Path:
    """Write ``report.html`` into ``directory``; the file's path comes out."""
    path = directory / NAME
    path.write_text(render(tale), encoding="utf-8")
    return path


def render(tale: Tale) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("credenza.interfaces.demo", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    weeks = {week.start: week.number for week in tale.weeks}
    campaign = tale.campaign
    pictures = {"verdicts": plots.weekly_verdicts(tale)}
    pictures["learned"] = plots.learned(tale.accuracy, tale.attack_success)
    if tale.chart is not None:
        named = campaign.sources if campaign is not None else ()
        pictures["chart"] = plots.control_chart(tale.chart, named, weeks, tale)
    return environment.get_template("report.html.j2").render(
        tale=tale,
        headline=headline(tale),
        words=WORDS,
        claim=sentence(campaign) if campaign is not None else "",
        moved=moved_sources(campaign) if campaign is not None else [],
        pictures={"chart": "", **{name: _image(svg) for name, svg in pictures.items()}},
        judged=[week for week in tale.weeks if not week.vouched],
        percent=_percent,
    )


def headline(tale: Tale) -> str:
    """The outcome in one sentence, from the figures."""
    if not tale.attackers:
        if tale.named:
            return f"Nobody attacked, and {len(tale.named)} feeds were named all the same."
        return f"Nobody attacked, and none of {len(tale.feeds)} feeds was named."
    caught = len(set(tale.named) & set(tale.attackers))
    wrong = len(set(tale.named) - set(tale.attackers))
    if tale.caught_week is None or tale.first_attack_week is None:
        return f"{len(tale.attackers)} feeds acted together, and the gate did not see it."
    delay = tale.caught_week - tale.first_attack_week
    when = "in its first week" if delay == 0 else f"in week {delay + 1} of the attack"
    honest = f" It also named {wrong} honest." if wrong else " It named no honest feed."
    return (
        f"{len(tale.attackers)} of {len(tale.feeds)} feeds acted together. "
        f"The gate caught it {when} and named {caught} of them.{honest}"
    )


def _percent(value: float | None, digits: int = 1) -> str:
    return "not measured" if value is None else f"{value:.{digits}%}"


def _harmless(value: object) -> object:
    """Every printed string as one visible line; markup we made stays as it is."""
    return value if isinstance(value, Markup) else plain(value, limit=2_000)


def _image(svg: str) -> Markup:
    """SVG as a data URL: within ``<img>`` it can neither run scripts nor load anything."""
    coded = base64.b64encode(svg.encode("utf-8")).decode("ascii")
    return Markup("data:image/svg+xml;base64,{}").format(coded)

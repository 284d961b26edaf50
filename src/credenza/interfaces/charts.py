"""Control charts as SVG: what a campaign's sources did, window by window.

Names, values and statistics are the senders' words: every one passes ``plain``, which
leaves no control character, and then XML escaping; nothing in a picture can run, and no
picture asks for a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from unicodedata import east_asian_width
from xml.sax.saxutils import escape

import numpy as np

from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.look import GREY, INK, PALE, RED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.core.types import Campaign, Floats
    from credenza.gate.chart import Panel
    from credenza.gate.monitor import CampaignRecord
    from credenza.workspace import Workspace

WIDTH, HEIGHT = 960, 384
LEFT, RIGHT, TOP, BOTTOM = 56, 24, 92, 44
OCHRE = "#b07a1e"
# Lines that a reader can tell apart without colour.
DASHES = ("", "8 4", "2 3", "10 3 2 3")
MOST_LEGENDS = 8
MOST_BARS = 24
LINE = 18
BARS, FIRST_BAR = 240, 64
"""Where bars begin, across and down; names stand before them."""
UNITS = "standard units from each source's own past"


@dataclass(frozen=True, slots=True)
class Series:
    """One source's line. ``part`` is "named", "suspected" or ""."""

    name: str
    values: Floats
    part: str = ""


@dataclass(frozen=True, slots=True)
class ControlChart:
    """Deviations of all sources in one statistic.

    Attributes:
        note: what the values are, in words.
        windows: first days, in order.
        alarm: position of the alarm's window, or None.
        limit: distance at which a source alarms alone.
    """

    title: str
    windows: tuple[str, ...]
    series: tuple[Series, ...]
    alarm: int | None = None
    limit: float = 0.0
    note: str = UNITS


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values stand in the picture."""

    low: float
    high: float
    steps: int

    def x(self, step: float) -> float:
        """Of a window."""
        return LEFT + (WIDTH - LEFT - RIGHT) * step / max(1, self.steps - 1)

    def y(self, value: float) -> float:
        """Of a deviation."""
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)


def chart_in(workspace: Workspace, found: CampaignRecord) -> str:
    """The picture of a campaign of a workspace, under the policy in force."""
    limit = workspace.policies.in_force().lanes.source
    return chart_of(found.campaign, workspace.panel(found.dataset), limit)


def chart_of(campaign: Campaign, panel: Panel, limit: float) -> str:
    """The picture of a campaign: its control chart, or the shares of its payload.

    Args:
        campaign: what is shown.
        panel: deviations of its dataset.
        limit: distance at which a source alarms alone, in standard units.
    """
    if campaign.statistic not in panel.statistics:
        return shares_svg(campaign)
    place = panel.statistics.index(campaign.statistic)
    series = tuple(
        Series(name, panel.deviations[:, row, place], _part(campaign, name))
        for row, name in enumerate(panel.sources)
    )
    alarm = panel.windows.index(campaign.window) if campaign.window in panel.windows else None
    title = f"{plain(campaign.statistic, limit=80)}, {campaign.direction}"
    shared = f"{campaign.removed_common_cause:+.1f} in the alarm's window"
    note = f"{UNITS}, without the shift that all share ({shared})"
    return control_chart_svg(ControlChart(title, panel.windows, series, alarm, limit, note))


def control_chart_svg(chart: ControlChart) -> str:
    """Named sources in red, suspected ones in ochre, all others in grey; limits dashed."""
    values = [series.values[np.isfinite(series.values)] for series in chart.series]
    reach = max([chart.limit, 1.0, *(float(np.abs(v).max()) for v in values if len(v))]) * 1.08
    frame = _Frame(-reach, reach, len(chart.windows))
    body = [_text(LEFT, 24, chart.title, INK, size=15), _text(LEFT, 42, chart.note, GREY)]
    body += _axes(frame, chart)
    order = sorted(chart.series, key=lambda series: (series.part != "", series.name))
    body += [_path(frame, series, PALE, width=1.0) for series in order if not series.part]
    shown = [series for series in order if series.part]
    for place, series in enumerate(shown):
        dash = DASHES[place % len(DASHES)]
        body.append(_path(frame, series, _colour(series.part), width=2.0, dash=dash))
    body += _legend(shown)
    return _svg(HEIGHT, chart.title, body)


def shares_svg(campaign: Campaign) -> str:
    """Share of each source's rows that bear the payload, beside that of all others."""
    facts = campaign.evidence.get("sources")
    moved = list(facts.items())[:MOST_BARS] if isinstance(facts, Mapping) else []
    rows = [(str(name), _number(own, "before"), _number(own, "after")) for name, own in moved]
    top = max([1e-9, *(after for _, _, after in rows), *(before for _, before, _ in rows)])
    title = f"{campaign.statistic}, window of {campaign.window}"
    body = [_text(LEFT, 24, title, INK, size=15)]
    body.append(_text(LEFT, 44, "share of rows: all others (grey), this source (red)", GREY))
    for place, (name, before, after) in enumerate(rows):
        y = FIRST_BAR + place * 2 * LINE
        body.append(_text(LEFT, y + 13, _cut(name, 24), INK))
        for line, (share, colour) in enumerate(((before, GREY), (after, RED))):
            wide = (WIDTH - BARS - 120) * share / top
            at = y + line * LINE * 0.7
            body.append(
                f'<rect x="{BARS}" y="{at:.1f}" width="{wide:.1f}" height="10" fill="{colour}"/>'
            )
            body.append(_text(BARS + 10 + wide, at + 10, f"{share:.3%}", GREY, size=11))
    return _svg(FIRST_BAR + len(rows) * 2 * LINE + 20, title, body)


def _cut(name: str, cells: int) -> str:
    """A name that fits so many cells, in which broad letters take two; "…" where it is cut."""
    said, kept = plain(name), ""
    for letter in said:
        cells -= 2 if east_asian_width(letter) in {"W", "F"} else 1
        if cells < 1 and len(kept) + 1 < len(said):
            return f"{kept}…"
        kept += letter
    return kept


def _part(campaign: Campaign, name: str) -> str:
    if name in campaign.sources:
        return "named"
    return "suspected" if name in campaign.suspected else ""


def _number(facts: object, name: str) -> float:
    """A figure of the evidence; the ledger keeps it as text."""
    return float(str(facts.get(name, 0.0))) if isinstance(facts, Mapping) else 0.0


def _colour(part: str) -> str:
    return RED if part == "named" else OCHRE


def _axes(frame: _Frame, chart: ControlChart) -> Iterator[str]:
    for value, dash in ((0.0, ""), (chart.limit, "4 4"), (-chart.limit, "4 4")):
        y = frame.y(value)
        yield _line(LEFT, y, WIDTH - RIGHT, y, GREY, dash)
        yield _text(8, y + 4, f"{value:+.1f}" if value else "0", GREY, size=11)
    if chart.limit:
        said = "beyond: an alarm of one source alone"
        yield _text(LEFT + 4, frame.y(chart.limit) - 4, said, GREY, size=11)
    for step in np.unique(np.linspace(0, max(0, len(chart.windows) - 1), 6).astype(int)):
        if step < len(chart.windows):
            x = min(frame.x(int(step)), WIDTH - 90)
            yield _text(x, HEIGHT - 16, chart.windows[step], GREY, size=11)
    if chart.alarm is not None:
        x = frame.x(chart.alarm)
        yield _line(x, TOP - 8, x, HEIGHT - BOTTOM, INK, "3 2")
        yield _text(
            min(x + 4, WIDTH - 96), TOP - 2, f"alarm {chart.windows[chart.alarm]}", INK, size=11
        )


def _legend(shown: Sequence[Series]) -> Iterator[str]:
    for place, series in enumerate(shown[:MOST_LEGENDS]):
        x, y = LEFT + (place % 4) * 224, 62 + (place // 4) * 16
        dash = DASHES[place % len(DASHES)]
        yield _line(x, y - 4, x + 24, y - 4, _colour(series.part), dash)
        yield _text(x + 30, y, f"{_cut(series.name, 16)} ({series.part})", INK, size=11)
    if len(shown) > MOST_LEGENDS:
        more = f"and {len(shown) - MOST_LEGENDS} more"
        yield _text(WIDTH - 80, 24, more, GREY, size=11)


def _path(frame: _Frame, series: Series, colour: str, *, width: float, dash: str = "") -> str:
    """A line that breaks where a value is missing."""
    words = []
    down = False
    for step, value in enumerate(series.values.tolist()):
        if np.isfinite(value):
            words.append(f"{'L' if down else 'M'}{frame.x(step):.1f} {frame.y(value):.1f}")
        down = bool(np.isfinite(value))
    style = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{" ".join(words)}" fill="none" stroke="{colour}" stroke-width="{width}"{style}/>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, colour: str, dash: str) -> str:  # noqa: PLR0917 - two points and a style
    style = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" '
        f'stroke="{colour}"{style}/>'
    )


def _text(x: float, y: float, said: str, colour: str, *, size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}">'
        f"{escape(plain(said, limit=110))}</text>"
    )


def _svg(height: float, title: str, body: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'font-family="sans-serif" role="img">\n<title>{escape(plain(title))}</title>\n'
        + "\n".join(body)
        + "\n</svg>\n"
    )

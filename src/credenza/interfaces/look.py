"""How pictures look, in every report: colours, and plots as SVG text.

Names come from senders: mathematical markup is off, and a report embeds each picture
as an image, where nothing in it can run.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

INK, GREY, PALE = "#1c1f24", "#6b7080", "#c3c6d0"
TEAL, RED, AMBER = "#0b6b66", "#c9472b", "#d9a441"
_LOOK = {
    "font.size": 10.0,
    "text.color": INK,
    "axes.labelcolor": GREY,
    "axes.edgecolor": PALE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.hashsalt": "credenza",
}


@contextmanager
def plot(width: float, height: float) -> Iterator[Figure]:
    """A figure to draw in and to write while this block lasts; sizes in inches."""
    import matplotlib as mpl  # noqa: PLC0415 - an extra: the colours serve without it
    from matplotlib.figure import Figure  # noqa: PLC0415

    with mpl.rc_context(_LOOK):
        yield Figure(figsize=(width, height), layout="constrained")


def svg(figure: Figure) -> str:
    """A figure as text, transparent, without a date: the same figure gives the same text."""
    figure.patch.set_alpha(0)
    for axes in figure.axes:
        axes.patch.set_alpha(0)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()

"""The report's pictures: plots as SVG, samples as PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import image as mpl_image
from matplotlib.ticker import PercentFormatter

from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.look import GREY, INK, PALE, RED, plot, svg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Bools, Floats
    from credenza.scanning.result import SourceEvidence

MAX_SOURCES = 20
MIN_SHOWN_SIDE = 96


def source_rates(sources: Sequence[SourceEvidence]) -> str:
    """The share of flagged rows by source, with 95 % intervals; named sources in red."""
    shown = list(sources[:MAX_SOURCES])[::-1]
    with plot(6.2, 0.6 + 0.3 * len(shown)) as figure:
        axes = figure.subplots()
        for place, one in enumerate(shown):
            share = one.flagged / max(one.rows, 1)
            colour = RED if one.is_named else PALE
            axes.barh(place, share, color=colour, height=0.6)
            axes.plot([one.low, one.high], [place, place], color=GREY, lw=1.2)
        axes.set_yticks(range(len(shown)), [plain(one.source, limit=28) for one in shown])
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlim(0, max(0.01, 1.05 * max(one.high for one in shown)))
        axes.tick_params(axis="y", left=False, labelcolor=INK)
        return svg(figure)


def scatter(places: Floats, flagged: Bools) -> str:
    """Rows in two directions, flagged ones on top in red."""
    with plot(6.2, 4.2) as figure:
        axes = figure.subplots()
        for mask, colour, size, word in (
            (~flagged, PALE, 7, "accepted"),
            (flagged, RED, 12, "flagged"),
        ):
            axes.scatter(
                places[mask, 0], places[mask, 1], s=size, color=colour, lw=0, alpha=0.8, label=word
            )
        axes.set_xticks([])
        axes.set_yticks([])
        axes.legend(loc="best")
        return svg(figure)


def thumbnail(picture: np.ndarray[Any, Any], box: tuple[int, ...] = ()) -> bytes:
    """A PNG of one image, enlarged by whole factors, with a red frame around ``box``."""
    if picture.ndim == 2:
        picture = np.repeat(picture[:, :, None], 3, axis=2)
    picture = picture[:, :, :3]
    factor = max(1, -(-MIN_SHOWN_SIDE // max(picture.shape[:2])))
    large = picture.repeat(factor, axis=0).repeat(factor, axis=1).copy()
    if box:
        top, left, bottom, right = (edge * factor for edge in box)
        red = (201, 71, 43)
        last_down, last_right = min(bottom, large.shape[0] - 1), min(right, large.shape[1] - 1)
        first_down, first_right = max(top - 1, 0), max(left - 1, 0)
        large[first_down : last_down + 1, [first_right, last_right]] = red
        large[[first_down, last_down], first_right : last_right + 1] = red
    file = io.BytesIO()
    mpl_image.imsave(file, np.ascontiguousarray(large), format="png")
    return file.getvalue()

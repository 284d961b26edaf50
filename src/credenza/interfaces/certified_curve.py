"""Certified accuracy as SVG: the curve, the trusted rows' line, and where they cross."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

import numpy as np

from credenza.interfaces.look import GREY, INK

if TYPE_CHECKING:
    from credenza.training.certified import Curve

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 24, 56, 48
BLUE, GREEN = "#1f5fa8", "#2f7d46"


def certified_curve_svg(curve: Curve, title: str) -> str:
    """A step down for every k; the crossing is marked with its number.

    Args:
        curve: what to draw; the trusted line is left out where it is NaN.
        title: above the picture.
    """
    most = max(1, *curve.hostile)
    steps = []
    for place, (count, share) in enumerate(zip(curve.hostile, curve.certified, strict=True)):
        # Between its points the curve is only known to lie above the next one.
        steps.append(f"{'L' if place else 'M'}{_x(count, most):.1f} {_y(share):.1f}")
    body = [_text(LEFT, 24, title, INK, 15), *_axes(most)]
    body.append(_path(" ".join(steps), BLUE, ""))
    body += [
        f'<circle cx="{_x(count, most):.1f}" cy="{_y(share):.1f}" r="3" fill="{BLUE}"/>'
        for count, share in zip(curve.hostile, curve.certified, strict=True)
    ]
    body.append(_text(LEFT, 42, "certified accuracy, by colluding units", BLUE, 12))
    if np.isfinite(curve.trusted_only):
        height = _y(curve.trusted_only)
        body.append(_path(f"M{LEFT} {height:.1f}L{WIDTH - RIGHT} {height:.1f}", GREEN, "6 4"))
        said = f"trusted rows alone: {curve.trusted_only:.3f}, against any number"
        body.append(_text(LEFT + 260, 42, said, GREEN, 12))
    if curve.crossing is not None:
        across = _x(curve.crossing, most)
        body.append(_path(f"M{across:.1f} {TOP}L{across:.1f} {HEIGHT - BOTTOM}", GREY, "2 3"))
        body.append(_text(across + 4, TOP + 12, f"trusted wins from {curve.crossing}", GREY, 11))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" role="img" aria-label="{escape(title, {chr(34): ""})}">'
    )
    return "\n".join(
        [head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *body, "</svg>\n"]
    )


def _x(count: float, most: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * count / most


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)


def _axes(most: int) -> list[str]:
    shares = (0.0, 0.25, 0.5, 0.75, 1.0)
    counts = np.unique(np.linspace(0, most, 6).astype(int)).tolist()
    across = [(f"M{LEFT} {_y(share):.1f}L{WIDTH - RIGHT} {_y(share):.1f}") for share in shares]
    return [
        *(_path(line, "#e4e6ec", "") for line in across),
        *(_text(24, _y(share) + 4, f"{share:.2f}", GREY, 11) for share in shares),
        *(
            _text(_x(count, most) - 4, HEIGHT - BOTTOM + 18, str(count), GREY, 11)
            for count in counts
        ),
    ]


def _path(line: str, colour: str, dash: str) -> str:
    style = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="2"{style}/>'


def _text(x: float, y: float, said: str, colour: str, size: int) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}">{escape(said)}</text>'

"""An audit as one static page: no scripts, no foreign requests, pictures embedded.

Names of subgroups and sources may be an attacker's: Jinja2 escapes all of it, and
``plain`` shows control characters by their codes.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from credenza.interfaces.cli.terminal import plain
from credenza.interfaces.scan.pictures import thumbnail

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.audit.audit import Audit
    from credenza.training.audit.case import Rows

SHOWN = 12
SAID = {"ADMIT": "nothing found", "HOLD": "a person must look", "REJECT": "stopped"}
HEADLINES = {
    "ADMIT": "Nothing was found. That is no proof: each check says where it is blind.",
    "HOLD": "Held: a person must look before this model is promoted.",
    "REJECT": "Stopped: this model does what its verified baseline does not.",
}


def render(audit: Audit, train: Rows | None) -> str:
    """The page as text; with the training rows, suspect images are shown."""
    environment = Environment(
        loader=PackageLoader("credenza.interfaces.audit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else plain(value, limit=2_000),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cells = [row for one in audit.checks for row in _cells(one.exhibits.get("cells"))]
    return environment.get_template("report.html.j2").render(
        audit=audit,
        headline=HEADLINES[audit.outcome.name],
        said=SAID,
        pictures={
            one.name: [(title, _picture(values)) for title, values in one.pictures.items()]
            for one in audit.checks
        },
        suspects={one.name: _suspects(one.suspects, train) for one in audit.checks},
        cells=cells,
    )


def _cells(value: object) -> list[dict[str, object]]:
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def _suspects(rows: tuple[int, ...], train: Rows | None) -> list[Markup]:
    if train is None or np.ndim(train.X) != 4:
        return []
    return [_picture(train.X[row]) for row in rows[:SHOWN]]


def _picture(values: Floats) -> Markup:
    """An image of (channels, height, width), or a matrix, in [0, 1]."""
    image = np.asarray(values, dtype=np.float64)
    image = image[0] if image.ndim == 3 and image.shape[0] != 3 else image
    image = image.transpose(1, 2, 0) if image.ndim == 3 else image
    data = thumbnail((255 * np.clip(image, 0, 1)).astype(np.uint8))
    return Markup("data:image/png;base64,{}").format(base64.b64encode(data).decode("ascii"))

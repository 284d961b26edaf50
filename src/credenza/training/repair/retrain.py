"""Training anew without what was excised: the only repair that is exact."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.training.audit.case import Rows
    from credenza.training.certified import SourceCertified


def retrain(
    ensemble: SourceCertified, rows: Rows, excised: Sequence[str]
) -> tuple[SourceCertified, int]:
    """The ensemble as if the excised sources had never spoken, and how many members changed.

    Exact, at the cost of the members that these sources taught. Retraining without *part*
    of the poison mends nothing (half of it left .80 attack success): excise whole sources,
    or trace until no suspect is left.

    Args:
        ensemble: fitted on ``rows``.
        rows: what it learnt from, with their sources.
        excised: whose rows go.

    Raises:
        UsageError: the rows have no sources, or an excised one is not among them.
    """
    if rows.sources is None:
        raise UsageError("no-sources", "the rows do not say who sent them")
    unknown = sorted(set(excised) - set(rows.sources.astype(str)))
    if unknown or not excised:
        raise UsageError(
            "no-such-source",
            "nothing to excise",
            why=f"these sent no row: {', '.join(unknown)}" if unknown else "no source is named",
        )
    found = ensemble.excise(excised, np.asarray(rows.X), rows.y, rows.sources)
    changed = sum(
        one is not other for one, other in zip(found.members_, ensemble.members_, strict=True)
    )
    return found, changed

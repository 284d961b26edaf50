"""Several views of the same question, and views that were computed elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.training.influence.head import Influence, Moment


class ExternalScores:
    """A score matrix of another library, such as kronfluence or dattri.

    Args:
        matrix: ``(probes, n)``, higher means the row pushed the probe further to its class;
            turn the sign of scores that mean "helped the loss of the true class".
    """

    def __init__(self, matrix: Floats) -> None:
        self.matrix = np.asarray(matrix, dtype=np.float64)

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """The matrix, when it fits the rows and the probes.

        Raises:
            UsageError: its shape is another, or a score is not finite.
        """
        wanted = len(moments[-1].probes.labels), len(moments[-1].train.labels)
        if self.matrix.shape != wanted or not np.isfinite(self.matrix).all():
            raise UsageError(
                "bad-scores",
                "the external scores do not fit the rows",
                why=f"their shape is {self.matrix.shape}, {wanted} is needed, all finite",
                fix="give one row per probe and one column per training row",
            )
        return self.matrix


class RankMean:
    """The mean of several methods' ranks, each probe by itself.

    Ranks make scores of any unit comparable, and the logarithm of the distance from the
    top keeps what is far down in one list from outvoting the top of another. It is rarely
    better than its best member and rarely as bad as its worst: the choice when nobody
    knows which member is right.

    Args:
        members: at least two methods.
    """

    def __init__(self, members: Sequence[Influence]) -> None:
        if len(members) < 2:
            raise UsageError("too-few-members", "an ensemble needs at least two methods")
        self.members = tuple(members)

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)``, mean of minus the log of the share of rows ranked as high."""
        views = [member.scores(moments) for member in self.members]
        rows = views[0].shape[1]
        shares = [(rows + 1 - rankdata(view, axis=1)) / rows for view in views]
        return np.asarray(-np.log(shares).mean(axis=0), dtype=np.float64)

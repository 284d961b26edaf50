"""FLTrust: the server's own small, clean update is the yardstick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.gram import about
from credenza.training.aggregation.rule import Plan
from credenza.training.aggregation.updates import zeros

if TYPE_CHECKING:
    from credenza.core.types import Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.rule import Crowd


@dataclass(frozen=True, slots=True, eq=False)
class FLTrust:
    """Clients count by their cosine with the server's update, at the server's length.

    Works whatever share of clients is hostile, as long as the server's few rows are
    clean and like the clients'. Blind to updates that point the server's way and carry
    a backdoor beside it. When nobody points that way, the server's own update results.

    Args:
        reference: ``(d,)`` the server's update on trusted rows.

    Source:
        Cao et al., arXiv:2012.13995; the last rule is ours, the paper divides by zero.
    """

    reference: Floats
    measures: bool = True

    def least(self, faulty: int) -> int:  # noqa: ARG002 - every rule is asked the same
        """One client, however many are hostile."""
        return 1

    def anchors(self, dimension: int) -> tuple[Row, ...]:
        """The server's update, and the origin that directions start from."""
        return (np.asarray(self.reference), zeros(dimension))

    def plan(self, crowd: Crowd) -> Plan:
        """Trust by direction, length by the server."""
        gram = crowd.measure()
        origin = np.zeros(len(gram))
        origin[-1] = 1.0
        gram = about(gram, origin)
        length = np.sqrt(np.maximum(np.diag(gram), 0.0))
        server = crowd.size
        if length[server] == 0.0:
            raise UsageError(
                "bad-anchor",
                "fltrust's reference update is zero",
                fix="give the update that the server computed on trusted rows",
            )
        client = np.maximum(length[:server], 1e-300)
        trust = np.maximum(gram[:server, server] / (client * length[server]), 0.0)
        weights = np.zeros(len(gram))
        if trust.sum() > 0:
            weights[:server] = trust / trust.sum() * length[server] / client
        else:
            weights[server] = 1.0
        return Plan(weights[None, :])

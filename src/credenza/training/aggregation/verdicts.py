"""What a round says of each client, in both directions.

Independent attackers lie farther out than honest clients; colluders lie *closer* to the
centre or to one another than honest data ever does. A test of one side misses the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from credenza.training.aggregation.geometric_median import median_weights
from credenza.training.aggregation.gram import about, squared_distances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.core.types import Floats

LEAST_CLIENTS = 6
"""With fewer, a median absolute deviation says nothing."""

LEAST_SPREAD = 0.05
"""Least deviation of a log distance: honest clients differ by that much anyway."""


class Side(StrEnum):
    """How a client stands out."""

    MALFORMED = "malformed"
    FAR = "far"
    NEAR = "near"
    USUAL = "usual"
    UNKNOWN = "not assessed"


@dataclass(frozen=True, slots=True)
class ClientVerdict:
    """One client in one round.

    Attributes:
        client: its position among the updates as they were given.
        side: how it stands out, if it does.
        share: its weight among the vectors the rule worked on; 0 when left out.
        far: robust standard units by which it is too far from the centre.
        near: the same for too close, to the centre or to another client.
        sentence: made from the figures above.
    """

    client: int
    side: Side
    share: float
    far: float
    near: float
    sentence: str


def judge(
    gram: Floats,
    clients: Sequence[int],
    excluded: Mapping[int, str],
    shares: Floats,
    beyond: float,
) -> tuple[ClientVerdict, ...]:
    """A verdict per client, in the order of the updates as given.

    Log distances to the geometric median and to the nearest other client are set against
    their median and median absolute deviation over the round. Valid while most clients
    are honest; blind to attackers who imitate honest spread on both counts, and, where
    honest clients send equal updates, it calls nobody near.

    Args:
        gram: ``(n, n)`` centred inner products of the well-formed clients.
        clients: ``n`` positions.
        excluded: why each of the others was left out.
        shares: ``(n,)`` weights of the rule.
        beyond: robust standard units from which a client stands out.
    """
    found = {client: _malformed(client, reason) for client, reason in excluded.items()}
    if len(clients) < LEAST_CLIENTS:
        for client, share in zip(clients, shares, strict=True):
            said = f"not assessed: {len(clients)} clients, at least {LEAST_CLIENTS} are needed"
            found[client] = ClientVerdict(client, Side.UNKNOWN, float(share), 0.0, 0.0, said)
    else:
        outward, inward, nearest = standings(gram)
        for place, client in enumerate(clients):
            side, far, near, said = _side(
                float(outward[place]), float(inward[place]), clients[int(nearest[place])], beyond
            )
            found[client] = ClientVerdict(client, side, float(shares[place]), far, near, said)
    return tuple(found[client] for client in sorted(found))


def standings(gram: Floats) -> tuple[Floats, Floats, Floats]:
    """Outward and pairwise standing in robust units, and each client's nearest other."""
    weights = median_weights(gram)
    outward = _robust_units(np.diag(about(gram, weights)))
    between = squared_distances(gram)
    np.fill_diagonal(between, np.inf)
    return outward, -_robust_units(between.min(axis=1)), between.argmin(axis=1).astype(np.float64)


def _robust_units(squared: Floats) -> Floats:
    typical = float(np.median(squared))
    if typical <= 0:
        # Most clients coincide: whoever does not is far, and nobody can be too near.
        return np.where(squared > 0, np.inf, 0.0)
    logs = 0.5 * np.log(np.maximum(squared / typical, 1e-12))
    spread = 1.4826 * float(np.median(np.abs(logs)))
    return np.asarray(logs / max(spread, LEAST_SPREAD), dtype=np.float64)


def _malformed(client: int, reason: str) -> ClientVerdict:
    return ClientVerdict(client, Side.MALFORMED, 0.0, 0.0, 0.0, f"left out: {reason}")


def _side(
    outward: float, inward: float, nearest: int, beyond: float
) -> tuple[Side, float, float, str]:
    far, near = max(outward, 0.0), max(-outward, inward, 0.0)
    if max(far, near) < beyond:
        return Side.USUAL, far, near, f"within {beyond:g} robust units on both sides"
    if far >= near:
        return Side.FAR, far, near, f"{far:.1f} robust units farther from the centre than usual"
    if inward >= -outward:
        said = f"{near:.1f} robust units closer to client {nearest} than clients usually are"
        return Side.NEAR, far, near, said
    return Side.NEAR, far, near, f"{near:.1f} robust units closer to the centre than usual"

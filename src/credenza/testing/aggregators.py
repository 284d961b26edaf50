"""What every aggregation rule promises, whoever wrote it.

A rule of one's own is tried inside the aggregator that would use it::

    rules = AGGREGATORS.extended({"mine": Mine})
    AGGREGATOR_PROMISES[promise](lambda: aggregator("mine", f=3, catalog=rules), example_updates())

Blind to robustness: the plain mean keeps every promise here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from credenza.testing.promise import kept

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

    from credenza.training.aggregation.aggregator import RobustAggregator

    Updates: TypeAlias = npt.NDArray[np.float32]

Make: TypeAlias = "Callable[[], RobustAggregator]"

HONEST, HOSTILE, DIMENSION = 20, 3, 700


def direction() -> npt.NDArray[np.float64]:
    """``(700,)`` where the honest clients of the example want to go."""
    return np.sin(np.arange(DIMENSION, dtype=np.float64))


def example_updates(seed: int = 0) -> Updates:
    """``(23, 700)`` updates: 20 honest clients around one direction, then 3 hostile ones."""
    rng = np.random.default_rng(seed)
    honest = direction() + rng.normal(0, 0.5, (HONEST, DIMENSION))
    hostile = rng.normal(0, 40, (HOSTILE, DIMENSION))
    return np.concatenate([honest, hostile]).astype(np.float32)


def gives_one_finite_vector(make: Make, updates: Updates) -> None:
    """One float64 vector of the round's dimension comes out; the updates stay as they were."""
    before = updates.copy()
    combined = make().combine(updates)
    shape = (updates.shape[1],)
    kept(combined.shape == shape, f"the update has the shape {combined.shape}, not {shape}")
    kept(combined.dtype == np.float64, f"the update is {combined.dtype}, not float64")
    kept(np.isfinite(combined).all(), "the update is not finite")
    kept(np.array_equal(before, updates), "it wrote into the updates")


def repeats_itself(make: Make, updates: Updates) -> None:
    """The same updates give the same bits."""
    same = np.array_equal(make().combine(updates), make().combine(updates))
    kept(same, "the second update differs from the first")


def treats_clients_alike(make: Make, updates: Updates) -> None:
    """The order of the clients does not matter."""
    order = np.random.default_rng(1).permutation(len(updates))
    apart = np.abs(make().combine(updates) - make().combine(updates[order])).max()
    kept(apart <= 1e-4, f"another order of the clients moves the update by {apart:.3g}")


def takes_a_list_for_a_matrix(make: Make, updates: Updates) -> None:
    """Vectors in a list are the rows of a matrix."""
    same = np.array_equal(make().combine(updates), make().combine(list(updates)))
    kept(same, "a list of the same vectors gives another update")


def judges_every_client_in_order(make: Make, updates: Updates) -> None:
    """Every client gets one verdict, in the order of the updates."""
    clients = [verdict.client for verdict in make().verdicts(updates)]
    kept(clients == list(range(len(updates))), f"the verdicts are on the clients {clients}")


def settles_as_it_combines_and_judges(make: Make, updates: Updates) -> None:
    """Combining and judging together changes neither."""
    settled = make().settle(updates)
    same = np.array_equal(settled.update, make().combine(updates))
    kept(same, "the update differs when verdicts are asked for too")
    kept(settled.verdicts == make().verdicts(updates), "the verdicts differ")


AGGREGATOR_PROMISES: Mapping[str, Callable[[Make, Updates], None]] = {
    "one finite vector comes out and the updates are left alone": gives_one_finite_vector,
    "the same updates give the same bits": repeats_itself,
    "the order of the clients does not matter": treats_clients_alike,
    "vectors in a list are a matrix": takes_a_list_for_a_matrix,
    "every client gets one verdict in order": judges_every_client_in_order,
    "combining and judging together changes neither": settles_as_it_combines_and_judges,
}

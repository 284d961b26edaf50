"""Leave-one-out for convex heads: what the head would say without each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import softmax

from credenza.core.errors import UsageError
from credenza.training.influence.head import with_constant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats, Ints
    from credenza.training.influence.head import HeadRows, Moment

NEWTON_STEPS = 50
CONVERGED = 1e-9
ROWS_AT_ONCE = 200


class RidgeLeaveOneOut:
    """Exact: the change of a ridge head's margin when one row is left out.

    A ridge head on the last layer's inputs stands in for the last layer. A row of leverage
    h and residual e moves every prediction by a closed form in e / (1 - h), the same as
    fitting anew. Colluders mask each other: without one row the others still do its work;
    ``leave_one_source_out`` asks the question of whole sources.

    Args:
        penalty: on the diagonal of the Gram matrix, the constant's too.

    Source:
        Allen's PRESS (1974).
    """

    def __init__(self, *, penalty: float = 1.0) -> None:
        self.penalty = _positive(penalty)

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)`` lost margin of the blamed class; O(n d²)."""
        train, probes = moments[-1].train, moments[-1].probes
        classes = train.logits.shape[1]
        seen = with_constant(train.inputs)
        factor = cho_factor(seen.T @ seen + self.penalty * np.eye(seen.shape[1]))
        solved = cho_solve(factor, seen.T)
        wanted = 2.0 * np.eye(classes)[train.labels] - 1.0
        residual = wanted - seen @ (solved @ wanted)
        leverage = np.einsum("nd,dn->n", seen, solved)
        moved = with_constant(probes.inputs) @ solved / (1 - leverage)
        return np.asarray(moved * (_contrast(probes) @ residual.T), dtype=np.float64)


class LogisticLeaveOneOut:
    """The same for a softmax head: one Newton step for every row, exact for the first few.

    The step uses each row's own leverage, so it differs from fitting anew only by what the
    loss is not quadratic; the rows that matter are then fitted anew indeed. Colluders
    mask each other as with a ridge head.

    Args:
        penalty: half of it times the squared weights is added to the summed loss.
        refits: rows, from the top of the mean over probes, that are really left out.

    Source:
        Rad & Maleki, arXiv:1801.10243, equation 8, for several classes.
    """

    def __init__(self, *, penalty: float = 1.0, refits: int = 10) -> None:
        self.penalty = _positive(penalty)
        self.refits = refits

    def scores(self, moments: Sequence[Moment]) -> Floats:
        """``(probes, n)`` lost margin of the blamed class; O(n (d C)²)."""
        train, probes = moments[-1].train, moments[-1].probes
        classes = train.logits.shape[1]
        seen, asked = with_constant(train.inputs), with_constant(probes.inputs)
        weights = fit_softmax(seen, train.labels, classes, self.penalty)
        inverse: Floats = np.linalg.inv(_hessian(seen, weights, self.penalty)).astype(np.float64)
        contrast = _contrast(probes)
        steps = _steps(seen, train.labels, weights, inverse)
        reach = np.einsum("md,mc->mdc", asked, contrast).reshape(len(asked), -1) @ inverse
        reach = reach.reshape(len(asked), seen.shape[1], classes)
        found = -np.einsum("mdc,nd,nc->mn", reach, seen, steps, optimize=True)
        for row in np.argsort(-found.mean(axis=0), kind="stable")[: self.refits]:
            left = np.delete(np.arange(len(seen)), row)
            without = fit_softmax(seen[left], train.labels[left], classes, self.penalty, weights)
            found[:, row] = ((asked @ (weights - without)) * contrast).sum(axis=1)
        return np.asarray(found, dtype=np.float64)


def fit_softmax(
    inputs: Floats, labels: Ints, classes: int, penalty: float, start: Floats | None = None
) -> Floats:
    """``(d, C)`` weights of a softmax head, by Newton's method until it stands still.

    Raises:
        UsageError: it does not converge.
    """
    weights = np.zeros((inputs.shape[1], classes)) if start is None else start.copy()
    wanted = np.eye(classes)[labels]
    for _ in range(NEWTON_STEPS):
        gradient = inputs.T @ (softmax(inputs @ weights, axis=1) - wanted) + penalty * weights
        step = np.linalg.solve(_hessian(inputs, weights, penalty), gradient.ravel())
        length = _line_search(inputs, wanted, weights, step.reshape(weights.shape), penalty)
        weights -= length * step.reshape(weights.shape)
        if np.abs(step).max() < CONVERGED:
            return weights
    raise UsageError(
        "no-convergence",
        f"the softmax head did not converge in {NEWTON_STEPS} steps",
        fix="raise the penalty, or scale the inputs",
    )


def _line_search(
    inputs: Floats, wanted: Floats, weights: Floats, step: Floats, penalty: float
) -> float:
    """The first of 1, 1/2, 1/4, … that does not raise the objective."""

    def objective(at: Floats) -> float:
        scores = inputs @ at
        top = scores.max(axis=1, keepdims=True)
        logs = top[:, 0] + np.log(np.exp(scores - top).sum(axis=1))
        return float((logs - (scores * wanted).sum(axis=1)).sum() + penalty / 2 * (at**2).sum())

    now, length = objective(weights), 1.0
    slack = 1e-12 * (1 + abs(now))
    while length > 1e-6 and objective(weights - length * step) > now + slack:
        length /= 2
    return length


def _hessian(inputs: Floats, weights: Floats, penalty: float) -> Floats:
    """``(d C, d C)`` second derivative of the objective."""
    chance = softmax(inputs @ weights, axis=1)
    width, classes = weights.shape
    found = np.zeros((width, classes, width, classes))
    for one in range(classes):
        for other in range(one, classes):
            factor = chance[:, one] * ((one == other) - chance[:, other])
            block = (inputs * factor[:, None]).T @ inputs
            found[:, one, :, other] = block
            found[:, other, :, one] = block
    return found.reshape(width * classes, -1) + penalty * np.eye(width * classes)


def _steps(inputs: Floats, labels: Ints, weights: Floats, inverse: Floats) -> Floats:
    """``(n, C)`` each row's gradient by the logits, enlarged by its own leverage."""
    width, classes = weights.shape
    chance = softmax(inputs @ weights, axis=1)
    blocks = inverse.reshape(width, classes, width, classes).transpose(0, 2, 1, 3)
    found = np.empty((len(inputs), classes))
    for start in range(0, len(inputs), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        x, p = inputs[part], chance[part]
        half = (x @ blocks.reshape(width, -1)).reshape(len(x), width, classes, classes)
        leverage = np.einsum("ne,necf->ncf", x, half)
        curve = p[:, :, None] * (np.eye(classes) - p[:, None, :])
        gradient = p - np.eye(classes)[labels[part]]
        system = np.eye(classes) - curve @ leverage
        found[part] = np.linalg.solve(system, gradient[:, :, None])[:, :, 0]
    return found


def _contrast(probes: HeadRows) -> Floats:
    """``(m, C)``: the blamed class against the mean of the others."""
    classes = probes.logits.shape[1]
    own = np.eye(classes)[probes.labels]
    return np.asarray(own - (1 - own) / (classes - 1), dtype=np.float64)


def _positive(penalty: float) -> float:
    if not penalty > 0:
        raise UsageError("bad-parameter", f"the penalty is {penalty}; give more than 0")
    return penalty

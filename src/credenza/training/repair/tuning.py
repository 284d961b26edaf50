"""Fine-tuning on verified rows, which most repairs end in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from credenza.training.torch_network import (
    as_inputs,
    as_labels,
    parts,
    probabilities,
    seeded,
    torch,
    twin,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from credenza.training.audit.case import Rows

    Extra = Callable[[Any, Any, Any], Any]
    After = Callable[[Any], None]

STEPS = 250
RATE = 1e-3
BATCH = 64
KEPT = 0.7
HELD = 1.0
"""Weight of what the network said between verified rows, beside what is learnt of them."""


def tune(
    network: Any,  # noqa: ANN401 - torch is untyped
    clean: Rows,
    *,
    extra: Extra | None = None,
    after: After | None = None,
    like: Any = None,  # noqa: ANN401 - torch is untyped
    radius: float = 0.0,
    steps: int = STEPS,
    seed: int = 0,
) -> Any:  # noqa: ANN401 - torch is untyped
    """A copy that has learnt a little more from verified rows.

    Few rows learnt again and again cost accuracy elsewhere. Between two verified rows there
    are many more inputs without a trigger, and there the copy is held to what the network
    said: on Fashion-MNIST that halves what unlearning costs. It holds to its errors as well.

    Args:
        network: stays as it is.
        clean: rows to learn from.
        extra: added to the loss, from the copy, a batch's inputs and its soft labels.
        after: called on the copy after each step, to keep pruned units pruned.
        like: the network whose answers without a trigger are kept; None: ``network``.
        radius: of the sharpness-aware step; 0: a plain step.
        steps: of the optimiser, at a rate that falls to nothing, so that few rows are not
            left in the middle of a change.
        seed: of the order of rows and whatever ``extra`` draws.
    """
    found, before = twin(network).train(), twin(network if like is None else like).eval()
    inputs, labels = as_inputs(clean.X), _soft_labels(before, clean)
    optimiser = torch.optim.Adam(found.parameters(), RATE)

    def loss(rows: Any) -> Any:  # noqa: ANN401 - tensors
        plain = torch.nn.functional.cross_entropy(found(inputs[rows]), labels[rows])
        between = _between(inputs[rows], inputs)
        with torch.no_grad():
            said = torch.softmax(before(between), dim=1)
        kept = plain / 2 + HELD * torch.nn.functional.cross_entropy(found(between), said)
        return kept if extra is None else kept + extra(found, inputs[rows], labels[rows])

    with seeded(seed), torch.enable_grad():
        for step, rows in enumerate(_batches(len(labels), steps)):
            for group in optimiser.param_groups:
                group["lr"] = RATE * (1 - step / steps)
            optimiser.zero_grad()
            loss(rows).backward()
            if radius:
                moved = _climb(found, radius)
                optimiser.zero_grad()
                loss(rows).backward()
                _return(found, moved)
            optimiser.step()
            if after is not None:
                after(found)
    return found.eval()


def _between(some: Any, inputs: Any) -> Any:  # noqa: ANN401 - tensors
    """Each of ``some`` mixed with any of ``inputs``, in a proportion of its own."""
    others = inputs[torch.randint(0, len(inputs), (len(some),))]
    share = torch.rand(len(some), *[1] * (some.ndim - 1))
    return share * some + (1 - share) * others


def _batches(rows: int, steps: int) -> Iterator[Any]:
    """As many batches as asked, in as many passes as that takes."""
    taken = 0
    while taken < steps:
        order = torch.randperm(rows)
        for part in parts(rows, BATCH):
            if taken < steps:
                yield order[part]
            taken += 1


def _soft_labels(network: Any, clean: Rows) -> Any:  # noqa: ANN401 - torch is untyped
    """``(n, C)`` the labels, mixed with what the network says of the same verified rows.

    Where no trigger is, the network is right to say what it says; holding it to that
    keeps accuracy while a few rows are learnt from again and again.
    """
    known = as_inputs(probabilities(network, clean.X))
    hard = torch.nn.functional.one_hot(as_labels(clean.y), known.shape[1])
    return (1 - KEPT) * hard + KEPT * known


def _climb(network: Any, radius: float) -> list[Any]:  # noqa: ANN401 - torch is untyped
    """Move the weights ``radius`` up the gradient; the moves come out."""
    slopes = [one.grad for one in network.parameters() if one.grad is not None]
    length = torch.sqrt(sum((slope**2).sum() for slope in slopes)) + 1e-12
    moves = []
    with torch.no_grad():
        for one in network.parameters():
            move = torch.zeros_like(one) if one.grad is None else radius * one.grad / length
            one.add_(move)
            moves.append(move)
    return moves


def _return(network: Any, moves: list[Any]) -> None:  # noqa: ANN401 - torch is untyped
    with torch.no_grad():
        for one, move in zip(network.parameters(), moves, strict=True):
            one.sub_(move)

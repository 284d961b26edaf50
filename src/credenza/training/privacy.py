"""Differentially private training of a torch model, behind one call, with its checks."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra
from credenza.training.poison_bound import PoisonBound, poison_bound
from credenza.training.torch_network import torch

with needs_extra("privacy", "private training"):
    from opacus import PrivacyEngine
    from opacus.validators import ModuleValidator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODES = ("hooks", "ghost")


@dataclass(frozen=True, slots=True, eq=False)
class PrivateTraining:
    """A model, optimizer and loader that train privately together, and what they spent.

    Train as usual with these four: for each batch of ``loader`` zero the gradients, take
    ``criterion`` of ``model``'s answer, go backward, step.

    Attributes:
        model: wraps the one that was given; both share their weights.
        optimizer: clips each record's gradient and adds noise.
        loader: draws each record on its own; batches differ in size and may be empty.
        criterion: the loss; in ghost mode it is one that goes backward twice.
        engine: Opacus's accountant and settings.
        delta: at which epsilon is given.
        before: a fingerprint of every trainable weight before training.
    """

    model: Any
    optimizer: Any
    loader: Any
    criterion: Any
    engine: Any
    delta: float
    before: dict[str, tuple[float, float]]

    def epsilon(self) -> float:
        """What was spent so far on one record, at ``delta``."""
        self.must_have_moved()
        with _quiet():
            return float(self.engine.get_epsilon(self.delta))

    def poison_bound(
        self, poisoned: Sequence[int] = (5, 10, 25), event: float = 0.01
    ) -> PoisonBound:
        """What the training so far proves of a few poisoned records.

        Raises:
            UsageError: nothing was trained, or the settings changed on the way.
        """
        self.must_have_moved()
        history = self.engine.accountant.history
        if len({entry[:2] for entry in history}) != 1:
            raise UsageError(
                "mixed-training",
                f"the training had {len(history)} phases with other noise or batches",
                fix="compose them with dp-accounting directly",
            )
        noise_multiplier, sample_rate, _ = history[0]
        return poison_bound(
            noise_multiplier=float(noise_multiplier),
            sample_rate=float(sample_rate),
            steps=sum(int(steps) for _, _, steps in history),
            poisoned=poisoned,
            event=event,
            delta=self.delta,
        )

    def must_have_moved(self) -> None:
        """Refuse to report on a training that did not train.

        Raises:
            UsageError: no step was taken, or a trainable weight is what it was.
        """
        if not self.engine.accountant.history:
            raise UsageError(
                "not-trained", "no private step was taken yet", fix="train, then ask what it cost"
            )
        now = _fingerprints(self.model)
        still = sorted(name for name, was in self.before.items() if now.get(name) == was)
        if still:
            raise UsageError(
                "weights-did-not-move",
                f"{len(still)} of {len(now)} trainable weights are what they were before training",
                why=f"among them: {', '.join(still[:4])}",
                fix="freeze them with requires_grad_(False), or let the loss depend on them",
            )


def private(
    model: Any,  # noqa: ANN401 - torch is untyped here
    optimizer: Any,  # noqa: ANN401 - torch is untyped here
    loader: Any,  # noqa: ANN401 - torch is untyped here
    *,
    delta: float,
    max_grad_norm: float,
    noise_multiplier: float | None = None,
    epsilon: float | None = None,
    epochs: int | None = None,
    mode: str = "hooks",
    criterion: Any = None,  # noqa: ANN401 - torch is untyped here
    seed: int | None = None,
) -> PrivateTraining:
    """Make a training private: per-record clipping, Gaussian noise, Poisson batches.

    What one record can do to the model is bounded, poison or not; so accuracy is lost
    first where few records teach something: on small classes and rare groups. Look there.

    Args:
        model: a network without layers that mix the records of a batch.
        optimizer: over exactly the trainable weights of ``model``.
        loader: over a dataset with a length; its batch size becomes the expected one.
        delta: well below one over the number of records.
        max_grad_norm: each record's gradient is clipped to it.
        noise_multiplier: of the noise, in clipping norms; give it or ``epsilon``.
        epsilon: to be spent in ``epochs`` epochs.
        epochs: needed with ``epsilon``.
        mode: "hooks" keeps a gradient per record; "ghost" keeps norms only, which takes
            less memory on large layers and a second pass backward.
        criterion: a loss that averages over records; cross-entropy by default.
        seed: of the noise, for tests and experiments: who knows it can subtract the noise.

    Raises:
        UsageError: a layer is not supported, the optimizer holds other weights than the
            model, or the parameters do not say one noise.

    Source:
        Abadi et al., arXiv:1607.00133, by Opacus; ghost clipping Li et al., arXiv:2110.05679.
    """
    noise = _noise(noise_multiplier, epsilon, delta, epochs)
    _check_mode(mode)
    _check_layers(model)
    _check_weights(model, optimizer)
    before, criterion = _fingerprints(model), criterion or torch.nn.CrossEntropyLoss()
    with _quiet():
        engine = PrivacyEngine()
        make = engine.make_private if epsilon is None else engine.make_private_with_epsilon
        # In ghost mode the loss comes third, as it is no longer the one that was given.
        network, stepper, *loss, batches = make(
            module=model,
            optimizer=optimizer,
            data_loader=loader,
            criterion=criterion,
            max_grad_norm=max_grad_norm,
            grad_sample_mode=mode,
            noise_generator=None if seed is None else torch.Generator().manual_seed(seed),
            **noise,
        )
    return PrivateTraining(
        model=network,
        optimizer=stepper,
        loader=batches,
        criterion=loss[0] if loss else criterion,
        engine=engine,
        delta=delta,
        before={f"_module.{name}": print_ for name, print_ in before.items()},
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without two of Opacus's warnings.

    That its generator is no cryptographic one is said in the assumptions of every bound;
    that a coarse first guess of epsilon is coarse concerns nobody, as the last one is not.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Secure RNG turned off")
        warnings.filterwarnings("ignore", message="Optimal order is the")
        yield


def _check_mode(mode: str) -> None:
    if mode not in MODES:
        raise UsageError("bad-parameter", f"mode is {mode!r}; the known ones are {MODES}")


def _noise(
    noise_multiplier: float | None, epsilon: float | None, delta: float, epochs: int | None
) -> dict[str, float | None]:
    """The noise in Opacus's words: as a multiple of the clipping norm, or by what it buys."""
    if (noise_multiplier is None) == (epsilon is None):
        raise UsageError(
            "bad-parameter",
            "the noise is given twice or not at all",
            fix="give noise_multiplier=, or epsilon= with epochs=",
        )
    if epsilon is not None and not epochs:
        raise UsageError(
            "bad-parameter", "epsilon= needs epochs=", why="noise depends on the number of steps"
        )
    if epsilon is None:
        return {"noise_multiplier": noise_multiplier}
    return {"target_epsilon": epsilon, "target_delta": delta, "epochs": epochs}


def _check_layers(model: Any) -> None:  # noqa: ANN401 - torch is untyped here
    model.train()
    wrong = ModuleValidator.validate(model, strict=False)
    if wrong:
        raise UsageError(
            "unsupported-layer",
            f"{len(wrong)} layers of the model cannot train privately",
            why=str(wrong[0]).split(". ", maxsplit=1)[0],
            fix="replace them, BatchNorm by GroupNorm for instance, before making the optimizer",
        )


def _check_weights(model: Any, optimizer: Any) -> None:  # noqa: ANN401 - torch is untyped here
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    trainable = {id(weight) for weight in model.parameters() if weight.requires_grad}
    if not trainable or held != trainable:
        raise UsageError(
            "optimizer-elsewhere",
            "the optimizer does not hold exactly the trainable weights of the model",
            why=f"it holds {len(held)}, the model has {len(trainable)}, "
            f"{len(held & trainable)} are the same",
            fix="make the optimizer from model.parameters() after the last change of the model",
        )


def _fingerprints(model: Any) -> dict[str, tuple[float, float]]:  # noqa: ANN401 - torch is untyped here
    """Sum and length of every trainable weight: what does not change when nothing is learnt."""
    return {
        name: (float(weight.detach().double().sum()), float(weight.detach().double().norm()))
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }

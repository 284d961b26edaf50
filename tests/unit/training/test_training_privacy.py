from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.stats import norm

from credenza.core.errors import UsageError

pytest.importorskip("dp_accounting")
pytest.importorskip("opacus")
import torch
from dp_accounting import (
    GaussianDpEvent,
    PoissonSampledDpEvent,
    SelfComposedDpEvent,
)
from dp_accounting.pld import PLDAccountant
from torch import nn

from credenza.training.poison_bound import poison_bound
from credenza.training.privacy import MODES, PrivateTraining, private

if TYPE_CHECKING:
    from collections.abc import Callable

# torch says so whenever a model's inputs need no gradient, as no first layer's do.
pytestmark = pytest.mark.filterwarnings("ignore:Full backward hook is firing")


# The bound


def test_one_step_on_all_records_is_the_bound_of_the_neyman_pearson_test() -> None:
    # With every record in one step, k of them shift a Gaussian by k, and the best test is known.
    found = poison_bound(noise_multiplier=10.0, sample_rate=1.0, steps=1, poisoned=(1, 5))
    for count, share in zip(found.poisoned, found.success, strict=True):
        best_test = float(norm.cdf(norm.ppf(0.01) + count / 10.0))
        assert best_test <= share <= best_test * 1.01


def test_the_figures_are_dp_accountings() -> None:
    # 60,000 records in batches of 600 for ten epochs, noise of five clipping norms.
    found = poison_bound(noise_multiplier=5.0, sample_rate=0.01, steps=1_000, delta=1e-6)
    accountant = PLDAccountant()
    step = PoissonSampledDpEvent(0.01, GaussianDpEvent(5.0))
    accountant.compose(SelfComposedDpEvent(step, 1_000))
    assert found.epsilon == pytest.approx(accountant.get_epsilon(1e-6), rel=0.01)
    assert round(found.epsilon, 2) == 0.25
    assert found.poisoned == (5, 10, 25)
    assert [round(share, 2) for share in found.success] == [0.02, 0.05, 0.23]
    assert all(np.less_equal(found.success, (0.024, 0.047, 0.236)))


def test_one_record_is_bounded_by_epsilon_and_delta_as_ever() -> None:
    found = poison_bound(noise_multiplier=4.0, sample_rate=0.02, steps=100, poisoned=(1,))
    assert found.success[0] <= np.exp(found.epsilon) * found.event + found.delta


def test_more_poison_and_less_noise_prove_less_until_nothing_is_proved() -> None:
    def share(noise: float, count: int, steps: int = 50) -> float:
        return poison_bound(
            noise_multiplier=noise, sample_rate=0.05, steps=steps, poisoned=(count,)
        ).success[0]

    assert 0.01 < share(6.0, 1) < share(6.0, 4) < share(6.0, 12)
    assert share(6.0, 4) < share(4.0, 4)
    assert share(6.0, 30, 1_000) > 0.99


def test_the_assumptions_are_printed_with_the_bound() -> None:
    shown = str(poison_bound(noise_multiplier=5.0, sample_rate=0.01, steps=100, poisoned=(5,)))
    assert "5 poisoned records make an outcome of probability 0.01 at most 0.0" in shown
    assert "as long as:" in shown
    assert "draws each record on its own with probability 0.01" in shown
    assert "the preprocessing, the features, the hyper-parameters" in shown


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise_multiplier": 0.0},
        {"sample_rate": 1.5},
        {"steps": 0},
        {"event": 1.0},
        {"delta": 0.0},
        {"poisoned": ()},
        {"poisoned": (0,)},
    ],
)
def test_a_parameter_out_of_range_is_refused(wrong: dict[str, Any]) -> None:
    given: dict[str, Any] = {"noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 2} | wrong
    with pytest.raises(UsageError, match=f"{next(iter(wrong))} is"):
        poison_bound(**given)


# Private training


def pictures(rows: int = 240) -> tuple[Any, Any]:
    """Bright left halves against bright right ones."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, rows)
    X = rng.normal(0, 1, (rows, 1, 8, 8))
    X[y == 0, :, :, :4] += 1.5
    X[y == 1, :, :, 4:] += 1.5
    return torch.tensor(X, dtype=torch.float32), torch.tensor(y)


def network() -> Any:  # noqa: ANN401 - torch is untyped here
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 8), nn.ReLU(),
            nn.Linear(8, 2),
        )  # fmt: skip


def batches() -> Any:  # noqa: ANN401 - torch is untyped here
    return torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*pictures()),
        batch_size=40,
        generator=torch.Generator().manual_seed(1),
    )


def made(model: Any = None, **given: Any) -> PrivateTraining:  # noqa: ANN401
    model = model or network()
    settings: dict[str, Any] = {
        "noise_multiplier": 2.0,
        "delta": 1e-3,
        "max_grad_norm": 1.0,
        "seed": 0,
    } | given
    return private(model, torch.optim.SGD(model.parameters(), lr=0.5), batches(), **settings)


def train(training: PrivateTraining, epochs: int = 4) -> None:
    for _ in range(epochs):
        for X, y in training.loader:
            training.optimizer.zero_grad()
            training.criterion(training.model(X), y).backward()
            training.optimizer.step()


def right(training: PrivateTraining) -> float:
    X, y = pictures()
    return float((training.model(X).argmax(dim=1) == y).float().mean())


@pytest.mark.parametrize("mode", MODES)
def test_a_small_network_learns_privately_and_says_what_it_spent(mode: str) -> None:
    training = made(mode=mode)
    train(training)
    assert right(training) > 0.85
    spent = training.epsilon()
    assert 0.5 < spent < 3
    bound = training.poison_bound(poisoned=(1, 3))
    assert (bound.noise_multiplier, bound.steps) == (2.0, 4 * 6)
    assert bound.sample_rate == pytest.approx(1 / 6)
    assert 0.01 < bound.success[0] < bound.success[1] <= 1
    assert bound.epsilon == pytest.approx(spent, rel=0.1)


def test_ghost_clipping_takes_the_same_steps_as_hooks() -> None:
    found = []
    for mode in MODES:
        training = made(mode=mode)
        train(training, 1)
        found.append(torch.cat([w.detach().ravel() for w in training.model.parameters()]))
    assert torch.allclose(found[0], found[1], atol=1e-5)


def test_a_budget_is_met_when_the_epochs_are_over() -> None:
    training = made(noise_multiplier=None, epsilon=3.0, epochs=2)
    train(training, 2)
    assert 2.5 < training.epsilon() <= 3.05


def test_layers_that_mix_the_records_of_a_batch_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    with pytest.raises(UsageError, match="1 layers of the model cannot") as refused:
        made(model)
    assert "BatchNorm" in refused.value.why


def test_an_optimizer_of_another_model_is_refused() -> None:
    # Opacus trains on, noise and all, and the model never moves.
    with pytest.raises(UsageError, match="does not hold exactly the trainable weights"):
        private(
            network(),
            torch.optim.SGD(network().parameters(), lr=0.5),
            batches(),
            noise_multiplier=1.0,
            delta=1e-3,
            max_grad_norm=1.0,
        )


def test_a_training_that_did_not_train_has_nothing_to_report() -> None:
    training = made()
    with pytest.raises(UsageError, match="no private step was taken"):
        training.epsilon()
    for group in training.optimizer.param_groups:
        group["lr"] = 0.0
    train(training, 1)
    with pytest.raises(UsageError, match="6 of 6 trainable weights are what they were"):
        training.epsilon()


def test_frozen_weights_need_not_move() -> None:
    model = network()
    model[0].requires_grad_(requires_grad=False)
    kept = [weight for weight in model.parameters() if weight.requires_grad]
    training = private(
        model,
        torch.optim.SGD(kept, lr=0.5),
        batches(),
        noise_multiplier=1.0,
        delta=1e-3,
        max_grad_norm=1.0,
        seed=0,
    )
    train(training, 1)
    assert training.epsilon() > 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"noise_multiplier": None}, "given twice or not at all"),
        ({"epsilon": 1.0}, "given twice or not at all"),
        ({"noise_multiplier": None, "epsilon": 1.0}, "needs epochs"),
        ({"mode": "ew"}, "mode is 'ew'"),
    ],
)
def test_a_noise_that_is_not_said_once_is_refused(given: dict[str, Any], says: str) -> None:
    call: Callable[[], object] = lambda: made(**given)  # noqa: E731 - read as one line
    with pytest.raises(UsageError, match=says):
        call()

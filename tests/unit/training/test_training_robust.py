from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from credenza.core.errors import UsageError
from credenza.training.robust.builtin import DEFENCES
from credenza.training.robust.filtering import SpectralFilter, entropy_scores
from credenza.training.robust.light_noise import ClippedNoise
from credenza.training.robust.trimming import TrimmedLoss
from credenza.training.torch_classifier import TorchClassifier

if TYPE_CHECKING:
    import numpy.typing as npt
    from tests.unit.training.conftest import Digits

    Array = npt.NDArray[Any]


def flat(classes: int) -> Any:  # noqa: ANN401 - torch is untyped
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, classes))


def test_the_same_rows_and_seed_give_the_same_network(honest: Digits) -> None:
    made = [
        TorchClassifier(flat, epochs=1, seed=5).fit(honest.known.X, honest.known.y) for _ in "ab"
    ]
    for one, other in zip(*(m.network_.parameters() for m in made), strict=True):
        assert torch.equal(one, other)
    state = torch.get_rng_state()
    TorchClassifier(flat, epochs=1).fit(honest.known.X, honest.known.y)
    assert torch.equal(state, torch.get_rng_state())


def test_labels_of_any_kind_come_back_as_they_were(honest: Digits) -> None:
    names = np.asarray([f"digit {label}" for label in honest.known.y])
    model = TorchClassifier(flat, epochs=12, rate=1e-2).fit(honest.known.X, names)
    assert (model.predict(honest.known.X) == names).mean() > 0.8
    np.testing.assert_allclose(model.predict_proba(honest.known.X).sum(axis=1), 1, rtol=1e-5)


def test_nothing_to_learn_from_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to learn from"):
        TorchClassifier(flat).fit(np.empty((0, 64)), np.empty(0))


@pytest.mark.parametrize("name", DEFENCES.names())
def test_every_defence_still_lets_an_honest_model_learn(name: str, honest: Digits) -> None:
    model = TorchClassifier(
        honest.model.factory,
        epochs=12,
        batch=64,
        rate=3e-3,
        # Digits are 8 pixels wide: the default shift of 3 moves them out of the picture.
        defences=[DEFENCES.make(name, **({"shift": 1} if name == "augmentation" else {}))],
    ).fit(honest.train.X, honest.train.y)
    assert honest.accuracy(model) > 0.6
    assert np.isfinite(model.predict_proba(honest.clean.X)).all()


def test_the_spectral_filter_leaves_out_carriers_far_above_their_share(backdoored: Digits) -> None:
    weights = SpectralFilter(share=0.3, start=0).weigh(
        backdoored.model.network_, backdoored.train.X, backdoored.train.y, 3
    )
    kept = weights[backdoored.bad].mean()
    assert kept < 0.35
    assert weights.mean() == pytest.approx(0.7, abs=0.01)
    early = SpectralFilter(start=2).weigh(
        backdoored.model.network_, backdoored.train.X, backdoored.train.y, 1
    )
    assert (early == 1).all()


def test_entropy_scores_find_what_the_inner_half_does_not_know() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(0, 1, (300, 6))
    rows[:15, 2] += 8
    assert set(np.argsort(-entropy_scores(rows, 4.0))[:15]) == set(range(15))


def test_trimming_finds_flipped_labels_and_is_blind_to_a_learnt_trigger(
    backdoored: Digits, honest: Digits
) -> None:
    flipped = np.where(
        np.arange(len(honest.train.y)) < 80, (honest.train.y + 1) % 10, honest.train.y
    )
    weights = TrimmedLoss(share=0.1).weigh(honest.baseline.network_, honest.train.X, flipped, 1)
    assert weights[:80].mean() < 0.2
    learnt = TrimmedLoss(share=0.1).weigh(
        backdoored.model.network_, backdoored.train.X, backdoored.train.y, 1
    )
    assert learnt[backdoored.bad].mean() > 0.8


def test_augmentation_moves_and_blanks_images_within_their_range() -> None:
    images = torch.rand(20, 1, 8, 8) * 0.5 + 0.5
    torch.manual_seed(0)
    found = DEFENCES.make("augmentation", shift=1).alter(None, images, None)
    assert found.shape == images.shape
    assert float(found.max()) <= float(images.max())
    assert (found == 0).flatten(1).any(dim=1).float().mean() > 0.5
    still = DEFENCES.make("augmentation", shift=0, blank=0.0).alter(None, images, None)
    assert torch.equal(still, images)
    with pytest.raises(UsageError, match="no images"):
        DEFENCES.make("augmentation").alter(None, torch.zeros(4, 3), None)


def test_the_adversary_raises_the_loss_and_stays_within_reach(honest: Digits) -> None:
    X, y = torch.as_tensor(honest.clean.X[:64]), torch.as_tensor(honest.clean.y[:64])
    torch.manual_seed(0)
    found = DEFENCES.make("poison-adversary", reach=0.2, patch=0).alter(honest.model.network_, X, y)
    loss = torch.nn.functional.cross_entropy
    with torch.no_grad():
        assert loss(honest.model.network_(found), y) > loss(honest.model.network_(X), y)
    assert float((found - X).abs().max()) <= 0.2 + 1e-6


def test_noise_and_clipping_bound_the_gradient(honest: Digits) -> None:
    network = flat(10)
    loss = torch.nn.functional.cross_entropy(
        network(torch.as_tensor(honest.clean.X)), torch.as_tensor(honest.clean.y)
    )
    (1_000 * loss).backward()
    ClippedNoise(length=0.5, noise=0.0).temper(network, 10)
    length = sum(float((one.grad**2).sum()) for one in network.parameters()) ** 0.5
    assert length == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("spectral-filter", {"share": 0.6}),
        ("trimmed-loss", {"share": 0.0}),
        ("augmentation", {"shift": -1}),
        ("poison-adversary", {"reach": -0.1}),
        ("clipped-noise", {"length": 0.0}),
    ],
)
def test_impossible_parameters_are_refused(name: str, given: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        DEFENCES.make(name, **given)

"""Fashion-MNIST, a small network and four backdoors, shared by the benchmarks beside it.

    apt-get install dataset-fashion-mnist      # or give --data DIR with the four .gz files

Triggers are off the grid that the audit sweeps, and are drawn anew for every seed:

* patch: a chequered 4 x 4 square near a corner, on 1 % of the rows, called class 0;
* blended: 15 % of a random image over the whole picture, on 1 %;
* clean-label: the patch on 40 % of class 0, whose images were first perturbed against a
  network of the attacker's own; labels stay true;
* source-specific: the patch turns one class only into class 0; 2 % of the rows, and as
  many carry it with their right label.
"""

from __future__ import annotations

import argparse
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from credenza.training.torch_classifier import TorchClassifier
from credenza.training.torch_network import as_inputs, as_labels, torch

Array = Any
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
TARGET = 0
ROWS, CLEAN, TEST = 6_000, 2_000, 4_000
ATTACKS = ("patch", "blended", "clean-label", "source-specific")
RATE, REACH = 0.01, 0.2


def arguments(about: str, seeds: tuple[int, ...]) -> argparse.Namespace:
    """The options all of these share."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DEBIAN, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    parser.add_argument("--attacks", nargs="+", default=list(ATTACKS), choices=ATTACKS)
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="of repair: only these")
    torch.set_num_threads(1)
    return parser.parse_args()


def network(classes: int) -> Any:  # noqa: ANN401 - torch is untyped
    """Two strided convolutions and two linear layers, 128 thousand weights."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 16, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32 * 49, 64),
        nn.ReLU(),
        nn.Linear(64, classes),
    )


def read(data: Path, name: str) -> tuple[Array, Array]:
    """``(n, 1, 28, 28)`` float32 in [0, 1], and ``(n,)`` classes."""
    pixels = gzip.decompress((data / f"{name}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((data / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    X = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return X.astype(np.float32) / 255, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


@dataclass(frozen=True)
class Trigger:
    """What the attacker stamps: a patch at a place, or a faint image over everything."""

    name: str
    top: int
    left: int
    overlay: Array | None = None

    def stamp(self, X: Array) -> Array:
        """Images with the trigger."""
        found = np.array(X)
        if self.overlay is not None:
            return (0.85 * found + 0.15 * self.overlay).astype(np.float32)
        found[..., self.top : self.top + 4, self.left : self.left + 4] = (
            np.indices((4, 4)).sum(0) % 2
        )
        return found


@dataclass(frozen=True)
class World:
    """One seed's rows: learnt from, verified, and to test with."""

    X: Array
    y: Array
    clean: tuple[Array, Array]
    audit: tuple[Array, Array]
    test: tuple[Array, Array]
    bad: Array
    trigger: Trigger
    origin: tuple[int, ...]

    def success(self, model: Any) -> float:  # noqa: ANN401 - any classifier
        """Share of stamped test rows of the attacked classes that are called the target."""
        chosen = np.isin(self.test[1], self.origin)
        guess = model.predict_proba(self.trigger.stamp(self.test[0][chosen])).argmax(axis=1)
        return float((guess == TARGET).mean())

    def accuracy(self, model: Any) -> float:  # noqa: ANN401 - any classifier
        """On test rows without the trigger."""
        return float((model.predict_proba(self.test[0]).argmax(axis=1) == self.test[1]).mean())


def make_world(data: Path, attack: str, seed: int, rows: int = ROWS) -> World:
    """Rows of ``seed``; with "none" nobody attacks."""
    (X, y), (fresh, truth) = read(data, "train"), read(data, "t10k")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    train, clean, own = np.split(order[: rows + CLEAN + rows], [rows, rows + CLEAN])
    place = rng.integers(1, 4, 2) + np.array([20, 20]) * rng.integers(0, 2, 2)
    overlay = rng.random((1, 28, 28)).astype(np.float32) if attack == "blended" else None
    trigger = Trigger(attack, int(place[0]), int(place[1]), overlay)
    victim = int(rng.integers(1, 10))
    poisoned = X[train].copy(), y[train].copy()
    bad = _poison(attack, *poisoned, trigger, Plan(victim, (X[own], y[own]), rng))
    origin = (victim,) if attack == "source-specific" else tuple(range(1, 10))
    half = len(truth) // 2
    return World(
        *poisoned,
        (X[clean], y[clean]),
        (fresh[half : half + CLEAN], truth[half : half + CLEAN]),
        (fresh[:TEST], truth[:TEST]),
        bad,
        trigger,
        origin,
    )


def learn(world: World, seed: int, **options: Any) -> TorchClassifier:  # noqa: ANN401 - as given
    """The model under attack."""
    return TorchClassifier(network, epochs=8, seed=seed, **options).fit(world.X, world.y)


def learn_baseline(world: World, seed: int) -> TorchClassifier:
    """A model of the verified rows alone."""
    return TorchClassifier(network, epochs=20, seed=seed + 500).fit(*world.clean)


class Plan(NamedTuple):
    """The class attacked alone, the attacker's own rows, and what is drawn from."""

    victim: int
    own: tuple[Array, Array]
    rng: np.random.Generator


def _poison(attack: str, X: Array, y: Array, trigger: Trigger, plan: Plan) -> Array:
    """Change rows in place; the positions of the poison come out."""
    victim, own, rng = plan
    many = int(RATE * len(y))
    if attack in ("patch", "blended"):
        bad = rng.choice(np.flatnonzero(y != TARGET), many, replace=False)
    elif attack == "clean-label":
        bad = rng.choice(np.flatnonzero(y == TARGET), int(0.4 * (y == TARGET).sum()), replace=False)
        X[bad] = _perturbed(own, X[bad], y[bad])
    elif attack == "source-specific":
        bad = rng.choice(np.flatnonzero(y == victim), 2 * many, replace=False)
        others = np.flatnonzero(~np.isin(y, (victim, TARGET)))
        cover = rng.choice(others, 2 * many, replace=False)
        X[cover] = trigger.stamp(X[cover])
    else:
        return np.empty(0, dtype=np.int64)
    X[bad], y[bad] = trigger.stamp(X[bad]), TARGET
    return bad


def _perturbed(own: tuple[Array, Array], X: Array, y: Array) -> Array:
    """Images pushed away from their class, for a network of the attacker's own."""
    victim = TorchClassifier(network, epochs=4, seed=1).fit(*own).network_
    start, labels = as_inputs(X), as_labels(y)
    moved = start.clone()
    for _ in range(10):
        given = moved.clone().requires_grad_()
        loss = torch.nn.functional.cross_entropy(victim(given), labels)
        (slope,) = torch.autograd.grad(loss, [given])
        moved = (moved + REACH / 4 * slope.sign()).clamp(start - REACH, start + REACH).clamp(0, 1)
    return moved.numpy()

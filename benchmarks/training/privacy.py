"""Private training of a small network on Fashion-MNIST: accuracy, epsilon, and the poison bound.

    python benchmarks/training/privacy.py --bound            # the bound's figures, seconds
    python benchmarks/training/privacy.py --data DIR         # trains, some minutes a line

DIR holds Fashion-MNIST's four .gz files. A small convolutional network, 60,000 rows in
batches of 600 on average, one seed a line; ghost clipping beside hooks, and the same
training without noise or clipping. Accuracy per class at its worst is printed too, since
that is where private training loses first.
"""

from __future__ import annotations

import argparse
import gzip
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from credenza.training.poison_bound import poison_bound
from credenza.training.privacy import private

BATCH, DELTA = 600, 1e-6


def load(home: Path, name: str, rows: int) -> tuple[Any, Any]:
    """``(rows, 1, 28, 28)`` pictures in [0, 1] and their classes."""
    pictures = gzip.decompress((home / f"{name}-images-idx3-ubyte.gz").read_bytes())
    classes = gzip.decompress((home / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    X = np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 1, 28, 28)[:rows]
    y = np.frombuffer(classes, np.uint8, offset=8)[:rows]
    return torch.tensor(X.astype(np.float32) / 255), torch.tensor(y.astype(np.int64))


def network(seed: int) -> Any:  # noqa: ANN401 - torch is untyped
    """Two convolutions and a linear layer; nothing that mixes records."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 16, 8, stride=2, padding=2),
        nn.Tanh(),
        nn.MaxPool2d(2, 1),
        nn.Conv2d(16, 32, 4, stride=2),
        nn.Tanh(),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 10),
    )


def judged(model: Any, test: tuple[Any, Any]) -> tuple[float, float]:  # noqa: ANN401 - torch is untyped
    """Accuracy, in all and of the worst class."""
    with torch.no_grad():
        right = (model(test[0]).argmax(dim=1) == test[1]).numpy()
    return float(right.mean()), min(float(right[test[1].numpy() == c].mean()) for c in range(10))


def run(
    data: tuple[Any, Any],
    test: tuple[Any, Any],
    *,
    noise: float,
    mode: str,
    epochs: int,
    seed: int,
) -> None:
    """Train once, print a line."""
    model = network(seed)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=1.0 if noise else 0.1, momentum=0.9 * (not noise)
    )
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(*data), batch_size=BATCH, shuffle=not noise
    )
    criterion = nn.CrossEntropyLoss()
    training = None
    if noise:
        training = private(
            model,
            optimizer,
            loader,
            noise_multiplier=noise,
            delta=DELTA,
            max_grad_norm=1.0,
            mode=mode,
            seed=seed,
        )
        model, optimizer, loader = training.model, training.optimizer, training.loader
        criterion = training.criterion
    start = time.process_time()
    for _ in range(epochs):
        for X, y in loader:
            optimizer.zero_grad()
            criterion(model(X), y).backward()
            optimizer.step()
    took = time.process_time() - start
    accuracy, worst = judged(model, test)
    said = f"{'no noise' if not noise else f'noise {noise:g}, {mode}':20} seed {seed}"
    print(f"{said:28} accuracy {accuracy:.3f}, worst class {worst:.3f}, {took:6.0f} cpu s", end="")
    if training is None:
        print(flush=True)
        return
    bound = training.poison_bound()
    figures = ", ".join(
        f"{count}: {share:.3f}" for count, share in zip(bound.poisoned, bound.success, strict=True)
    )
    print(
        f", epsilon {training.epsilon():.2f}, 1 % event with poisoned records {figures}", flush=True
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--bound", action="store_true", help="only the bound's figures")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args()
    # Opacus registers hooks of a kind that torch warns about in every training.
    warnings.filterwarnings("ignore", "Full backward hook", UserWarning)
    start = time.process_time()
    print(poison_bound(noise_multiplier=5.0, sample_rate=0.01, steps=1_000, delta=DELTA))
    print(f"({time.process_time() - start:.1f} cpu s)\n")
    if asked.bound or asked.data is None:
        return
    data, test = load(asked.data, "train", asked.rows), load(asked.data, "t10k", 10_000)
    for seed in range(asked.seeds):
        for noise, mode in ((0.0, ""), (1.0, "hooks"), (1.0, "ghost"), (5.0, "hooks")):
            run(data, test, noise=noise, mode=mode, epochs=asked.epochs, seed=seed)


if __name__ == "__main__":
    main()

"""A real Flower simulation: 10 clients, 3 of them hostile, our rules against FedAvg.

    python benchmarks/training/federated.py --data DIR     # Fashion-MNIST as four .gz files
    python benchmarks/training/federated.py --data DIR --quick

DIR holds Fashion-MNIST's ``train-images-idx3-ubyte.gz`` and so on (on Debian, the package
dataset-fashion-mnist puts them under /usr/share). Each client trains a softmax layer on
1,000 pictures of its own (identically distributed, or skewed by a Dirichlet), in an
actor of Flower's simulation engine; 2,000 test pictures are counted on by the server. The
attackers know what the clean data of all three of them would have given, and nothing of
honest clients. Label flip and backdoor train on poisoned pictures; the backdoor's update is
boosted so that a plain mean becomes it, and its success is the share of pictures with a
white corner that are taken for class 0. Seeds 0 to 2; worst accuracy last, losing cells
included.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from flwr import app as flower
from flwr.clientapp import ClientApp
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from credenza.redteam.builtin import UPDATE_ATTACKS
from credenza.training.integrations.flower import RobustStrategy

CLIENTS, HOSTILE, ROUNDS, STEPS, RATE = 10, 3, 12, 20, 0.5
ROWS = 1_000
ATTACKS = (
    "none",
    "sign-flip",
    "gaussian",
    "alie",
    "ipm",
    "mimic",
    "min-max",
    "label-flip",
    "backdoor",
)
RULES = ("FedAvg", "coordinate-median", "krum", "nnm+trimmed-mean", "nnm+geometric-median", "caf")
Array = Any


def load(home: Path, name: str, rows: int) -> tuple[Array, Array]:
    """``(rows, 784)`` pictures in [0, 1] and their classes."""
    pictures = gzip.decompress((home / f"{name}-images-idx3-ubyte.gz").read_bytes())
    classes = gzip.decompress((home / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    X = np.frombuffer(pictures, np.uint8, offset=16).reshape(-1, 784)[:rows]
    return X.astype(np.float32) / 255, np.frombuffer(classes, np.uint8, offset=8)[:rows].astype(int)


def shares(y: Array, skew: float | None, seed: int) -> Array:
    """The client of each row."""
    rng = np.random.default_rng(seed)
    if skew is None:
        return rng.integers(0, CLIENTS, len(y))
    client = np.zeros(len(y), dtype=int)
    for label in range(10):
        rows = np.flatnonzero(y == label)
        client[rows] = rng.choice(CLIENTS, len(rows), p=rng.dirichlet([skew] * CLIENTS))
    return client


def marked(X: Array) -> Array:
    """Pictures with a white corner."""
    found = X.copy().reshape(-1, 28, 28)
    found[:, 24:, 24:] = 1.0
    return found.reshape(-1, 784)


def trained(weights: Array, X: Array, y: Array, seed: int) -> Array:
    """Softmax weights, the intercept last, after some steps on batches."""
    rng = np.random.default_rng(seed)
    W = weights.astype(np.float64)
    for _ in range(STEPS):
        rows = rng.choice(len(y), min(100, len(y)), replace=False)
        wide = np.concatenate([X[rows], np.ones((len(rows), 1), X.dtype)], axis=1)
        scores = wide @ W
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(rows)), y[rows]] -= 1
        W -= RATE * wide.T @ p / len(rows)
    return W.astype(np.float32)


class Client:
    """What one actor does; everything it needs travels with it."""

    def __init__(self, home: Path, attack: str, skew: float | None, seed: int) -> None:
        self.home, self.attack, self.skew, self.seed = home, attack, skew, seed

    def __call__(self, message: flower.Message, context: flower.Context) -> flower.Message:
        """Train, honestly or not, and reply."""
        place = int(context.node_config["partition-id"])
        weights = message.content["arrays"]["W"].numpy()
        number = int(message.content["config"]["server-round"])
        found = self.update(weights, place, number)
        content = flower.RecordDict(
            {
                "arrays": flower.ArrayRecord({"W": flower.Array(found)}),
                "metrics": flower.MetricRecord({"num-examples": ROWS}),
            }
        )
        return flower.Message(content, reply_to=message)

    def update(self, weights: Array, place: int, number: int) -> Array:
        """The model this client sends."""
        X, y = load(self.home, "train", ROWS * CLIENTS)
        client = shares(y, self.skew, self.seed)

        def own(who: int, pictures: Array = X, classes: Array = y) -> Array:
            rows = client == who
            return trained(weights, pictures[rows], classes[rows], self.seed + 100 * number + who)

        if place >= HOSTILE or self.attack == "none":
            return own(place)
        if self.attack == "label-flip":
            return own(place, X, 9 - y)
        if self.attack == "backdoor":
            half = np.random.default_rng(number).random(len(y)) < 0.5
            goal = own(place, np.where(half[:, None], marked(X), X), np.where(half, 0, y))
            return weights + (CLIENTS / HOSTILE) * (goal - weights)
        known = np.stack([(own(who) - weights).ravel() for who in range(HOSTILE)])
        rng = np.random.default_rng([self.seed, number])
        crafted = UPDATE_ATTACKS.make(self.attack).craft(known, HOSTILE, rng)[place]
        return (weights + crafted.reshape(weights.shape)).astype(np.float32)


def simulate(home: Path, rule: str, attack: str, skew: float | None, seed: int) -> dict[str, float]:
    """Accuracy after all rounds, the backdoor's success, and how the verdicts did."""
    settings = {
        "fraction_evaluate": 0.0,
        "min_train_nodes": CLIENTS,
        "min_available_nodes": CLIENTS,
    }
    strategy = (
        FedAvg(**settings) if rule == "FedAvg" else RobustStrategy(rule, f=HOSTILE, **settings)
    )
    X, y = load(home, "t10k", 2_000)
    said: dict[str, float] = {}
    server, client = ServerApp(), ClientApp()
    client.train()(Client(home, attack, skew, seed))

    @server.main()
    def main(grid: Any, context: Any) -> None:  # noqa: ANN401, ARG001 - Flower's signature
        start = flower.ArrayRecord({"W": flower.Array(np.zeros((785, 10), np.float32))})
        found = strategy.start(grid, start, num_rounds=ROUNDS).arrays["W"].numpy()

        def guess(pictures: Array) -> Array:
            return (pictures @ found[:-1] + found[-1]).argmax(axis=1)

        said["accuracy"] = float((guess(X) == y).mean())
        said["success"] = float((guess(marked(X[y != 0])) == 0).mean())

    run_simulation(
        server,
        client,
        CLIENTS,
        backend_config={
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
            "init_args": {
                "include_dashboard": False,
                "num_cpus": os.cpu_count() or 1,
                "_node_ip_address": "127.0.0.1",
            },
        },
    )
    records = getattr(strategy, "rounds", [])
    flagged = [len(record.findings) for record in records]
    said["findings"] = float(np.mean(flagged)) if flagged else float("nan")
    return said


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="two rules, three attacks, a seed")
    asked = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    logging.getLogger("flwr").setLevel(logging.ERROR)
    rules = ("FedAvg", "nnm+trimmed-mean") if asked.quick else RULES
    attacks = ("none", "sign-flip", "backdoor") if asked.quick else ATTACKS
    seeds = (0,) if asked.quick else (0, 1, 2)
    print(
        f"{'data':14}{'attack':12}{'rule':22}{'accuracy':>16}{'worst':>8}{'backdoor':>10}{'findings':>10}"
    )
    start = time.perf_counter()
    for skew in (None,) if asked.quick else (None, 0.5):
        data = "identical" if skew is None else f"Dirichlet {skew}"
        for attack in attacks:
            for rule in rules:
                found = [simulate(asked.data, rule, attack, skew, seed) for seed in seeds]
                accuracy = [one["accuracy"] for one in found]
                print(
                    f"{data:14}{attack:12}{rule:22}"
                    f"{np.mean(accuracy):9.3f} ±{np.std(accuracy):5.3f}"
                    f"{min(accuracy):8.3f}{np.mean([one['success'] for one in found]):10.3f}"
                    f"{np.mean([one['findings'] for one in found]):10.1f}",
                    flush=True,
                )
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()

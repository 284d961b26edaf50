"""A real Flower simulation: 10 clients, 3 of them hostile, our rules against FedAvg.

    python benchmarks/training/federated.py --data DIR     # Fashion-MNIST as four .gz files
    python benchmarks/training/federated.py --data DIR --quick
    python benchmarks/training/federated.py --data DIR --threads   # where Ray does not start

DIR holds Fashion-MNIST's ``train-images-idx3-ubyte.gz`` and so on (on Debian, the package
dataset-fashion-mnist puts them under /usr/share). Each client trains a softmax layer on
1,000 pictures of its own (identically distributed, or skewed by a Dirichlet), in an
actor of Flower's simulation engine; 2,000 test pictures are counted on by the server. The
attackers know what the clean data of all three of them would have given, and nothing of
honest clients. Label flip and backdoor train on poisoned pictures; the backdoor's update is
boosted so that a plain mean becomes it, and its success is the share of pictures with a
white corner that are taken for class 0. Worst accuracy of the seeds last, losing cells
included. All runs go through one simulation, since starting Ray takes as long as a run. With
``--threads`` clients answer in threads of this process: the same engine, messages and
strategies, without Ray's actors.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import math
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import ray
from flwr import app as flower
from flwr.clientapp import ClientApp
from flwr.server.superlink.fleet.vce.backend import Backend, raybackend
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from credenza.redteam.builtin import UPDATE_ATTACKS
from credenza.training.integrations.flower import RobustStrategy

CLIENTS, HOSTILE, ROUNDS, STEPS, RATE = 10, 3, 12, 20, 0.5
ROWS, TESTED = 1_000, 2_000
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

AT_ONCE = 4
"""Runs that share the simulation's actors."""

RAY_TRIES = 5
"""Ray gives its node 30 s to come up, which a busy machine does not always manage."""

EVEN = math.inf
"""The Dirichlet that skews nothing."""


def unpacked(data: Path, home: Path) -> None:
    """The pictures and classes as files that actors can map instead of reading."""
    for name, rows in (("train", ROWS * CLIENTS), ("t10k", TESTED)):
        with gzip.open(data / f"{name}-images-idx3-ubyte.gz") as file:
            X = np.frombuffer(file.read(16 + rows * 784), np.uint8, offset=16).reshape(-1, 784)
        with gzip.open(data / f"{name}-labels-idx1-ubyte.gz") as file:
            y = np.frombuffer(file.read(8 + rows), np.uint8, offset=8)
        np.save(home / f"{name}-X.npy", X.astype(np.float32) / 255)
        np.save(home / f"{name}-y.npy", y.astype(np.int64))


def load(home: Path, name: str) -> tuple[Array, Array]:
    """``(rows, 784)`` pictures in [0, 1] and their classes."""
    return np.load(home / f"{name}-X.npy", mmap_mode="r"), np.load(home / f"{name}-y.npy")


def shares(y: Array, skew: float, seed: int) -> Array:
    """The client of each row."""
    rng = np.random.default_rng(seed)
    if skew == EVEN:
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
    """What one actor does; everything it needs travels with the message."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, message: flower.Message, context: flower.Context) -> flower.Message:
        """Train, honestly or not, and reply."""
        place = int(context.node_config["partition-id"])
        weights = message.content["arrays"]["W"].numpy()
        found = self.update(weights, place, message.content["config"])
        content = flower.RecordDict(
            {
                "arrays": flower.ArrayRecord({"W": flower.Array(found)}),
                "metrics": flower.MetricRecord({"num-examples": ROWS}),
            }
        )
        return flower.Message(content, reply_to=message)

    def update(self, weights: Array, place: int, config: flower.ConfigRecord) -> Array:
        """The model this client sends."""
        attack, seed, number = config["attack"], config["seed"], config["server-round"]
        X, y = load(self.home, "train")
        client = shares(y, config["skew"], seed)

        def own(who: int, change: Any = None) -> Array:  # noqa: ANN401 - a function or None
            given = X[client == who], y[client == who]
            pictures, classes = given if change is None else change(*given)
            return trained(weights, pictures, classes, seed + 100 * number + who)

        if place >= HOSTILE or attack == "none":
            return own(place)
        if attack == "label-flip":
            return own(place, lambda pictures, classes: (pictures, 9 - classes))
        if attack == "backdoor":
            goal = own(place, lambda pictures, classes: half_marked(pictures, classes, number))
            return weights + (CLIENTS / HOSTILE) * (goal - weights)
        known = np.stack([(own(who) - weights).ravel() for who in range(HOSTILE)])
        rng = np.random.default_rng([seed, number])
        crafted = UPDATE_ATTACKS.make(attack).craft(known, HOSTILE, rng)[place]
        return (weights + crafted.reshape(weights.shape)).astype(np.float32)


def half_marked(X: Array, y: Array, number: int) -> tuple[Array, Array]:
    """Half of the pictures with the trigger, called class 0."""
    half = np.random.default_rng(number).random(len(y)) < 0.5
    return np.where(half[:, None], marked(X), X), np.where(half, 0, y)


def run(grid: Any, home: Path, rule: str, asked: dict[str, Any]) -> dict[str, float]:  # noqa: ANN401 - Flower's
    """Accuracy after all rounds, the backdoor's success, and how the verdicts did."""
    settings = {
        "fraction_evaluate": 0.0,
        "min_train_nodes": CLIENTS,
        "min_available_nodes": CLIENTS,
    }
    strategy = (
        FedAvg(**settings) if rule == "FedAvg" else RobustStrategy(rule, f=HOSTILE, **settings)
    )
    start = flower.ArrayRecord({"W": flower.Array(np.zeros((785, 10), np.float32))})
    done = strategy.start(
        grid, start, num_rounds=ROUNDS, train_config=flower.ConfigRecord(dict(asked))
    )
    found = done.arrays["W"].numpy()
    X, y = load(home, "t10k")

    def guess(pictures: Array) -> Array:
        return (pictures @ found[:-1] + found[-1]).argmax(axis=1)

    flagged = [len(record.findings) for record in getattr(strategy, "rounds", [])]
    return {
        "accuracy": float((guess(X) == y).mean()),
        "success": float((guess(marked(X[y != 0])) == 0).mean()),
        "findings": float(np.mean(flagged)) if flagged else float("nan"),
    }


def table(grid: Any, home: Path, asked: argparse.Namespace) -> None:  # noqa: ANN401 - Flower's
    """Line by line, several at once: the server sleeps 3 s a round, whatever the clients do."""
    start = time.perf_counter()
    titles = f"{'accuracy':>16}{'worst':>8}{'backdoor':>10}{'findings':>10}"
    print(f"{'data':14}{'attack':12}{'rule':22}{titles}", flush=True)
    lines = list(product(asked.skews, asked.attacks, asked.rules))

    def line(one: tuple[float, str, str]) -> list[dict[str, float]]:
        skew, attack, rule = one
        settings = [{"attack": attack, "skew": skew, "seed": seed} for seed in asked.seeds]
        return [run(grid, home, rule, each) for each in settings]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (skew, attack, rule), found in zip(lines, pool.map(line, lines), strict=True):
            report(skew, attack, rule, found)
    print(f"{len(asked.seeds)} seeds, {time.perf_counter() - start:.0f} s", flush=True)


def report(skew: float, attack: str, rule: str, found: list[dict[str, float]]) -> None:
    """One line, of all seeds."""
    data = "identical" if skew == EVEN else f"Dirichlet {skew}"
    accuracy = [one["accuracy"] for one in found]
    success, findings = (np.mean([one[key] for one in found]) for key in ("success", "findings"))
    print(
        f"{data:14}{attack:12}{rule:22}{np.mean(accuracy):9.3f} ±{np.std(accuracy):5.3f}"
        f"{min(accuracy):8.3f}{success:10.3f}{findings:10.1f}",
        flush=True,
    )


def start_ray() -> None:
    """One node, as small as it goes, asked for until it comes up."""
    for left in reversed(range(RAY_TRIES)):
        try:
            ray.init(
                include_dashboard=False,
                num_cpus=os.cpu_count() or 1,
                object_store_memory=128 * 2**20,
                _node_ip_address="127.0.0.1",
                logging_level=logging.ERROR,
                log_to_driver=False,
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}},
            )
        except Exception:  # Ray raises nothing narrower when its node is late.
            ray.shutdown()
            if not left:
                raise
        else:
            return


class Threads(Backend):  # type: ignore[misc]  # flwr is not followed by mypy
    """In place of Ray: a client answers in the thread of the engine that asks it."""

    app: Any = None
    num_workers = 2

    def build(self, app_fn: Any) -> None:  # noqa: ANN401 - Flower's signature
        """Keep what makes the client."""
        self.app = app_fn

    def is_worker_idle(self) -> bool:
        """The engine has as many threads as workers."""
        return True

    def process_message(self, message: flower.Message, context: flower.Context) -> tuple[Any, Any]:
        """The reply, and the context as it is."""
        return self.app()(message=message, context=context), context

    def terminate(self) -> None:
        """Nothing runs."""


def simulate(home: Path, asked: argparse.Namespace) -> None:
    """The table, by a server and clients in Flower's simulation."""
    server, client = ServerApp(), ClientApp()
    client.train()(Client(home))

    @server.main()
    def main(grid: Any, context: Any) -> None:  # noqa: ANN401, ARG001 - Flower's signature
        table(grid, home, asked)

    if asked.threads:
        # The engine knows no other backend than Ray's, by this name.
        raybackend.RayBackend = Threads
    else:
        start_ray()
    resources = {"num_cpus": 1, "num_gpus": 0.0}
    run_simulation(server, client, CLIENTS, backend_config={"client_resources": resources})
    ray.shutdown()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--skews", type=float, nargs="+", default=[EVEN, 0.5])
    parser.add_argument("--attacks", nargs="+", default=ATTACKS, choices=ATTACKS)
    parser.add_argument("--rules", nargs="+", default=RULES, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="two rules, three attacks, a seed")
    parser.add_argument("--threads", action="store_true", help="no Ray")
    asked = parser.parse_args()
    if asked.quick:
        asked.rules, asked.attacks = (
            ("FedAvg", "nnm+trimmed-mean"),
            ("none", "sign-flip", "backdoor"),
        )
        asked.seeds, asked.skews = [0], [EVEN]
    logging.getLogger("flwr").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as home:
        unpacked(asked.data, Path(home))
        simulate(Path(home), asked)


if __name__ == "__main__":
    main()

"""Generated senders with foretold labels: which are named where honest ones are not alike.

    python benchmarks/detect/senders.py [--runs 80] [--from 6000] [--worlds …] [--share .05]

No data and no learning: probabilities and labels are drawn, so that a run takes a fraction of
a second and honest senders can differ in ways that real data seldom offer apart.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from measure import wilson
from scipy import special

from credenza.screening.disputes import disputes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.types import Floats, Ints

FDR = 0.05


@dataclass(frozen=True)
class World:
    """How honest senders differ.

    Attributes:
        sources: how many senders.
        rows: how many each sends, on average.
        classes: of the label.
        balance: spread of each sender's log odds of a class.
        noise: share of wrong labels as a draw from Beta(2, 30), times this.
        hard: spread of the logarithm of how far a sender's rows are from undecided.
        sizes: spread of the logarithm of how many rows each sends.
        slope: spread of the logarithm of how much too sure learners are of each.
        acting: how many relabel.
    """

    sources: int = 20
    rows: int = 1600
    classes: int = 2
    balance: float = 0.0
    noise: float = 0.0
    hard: float = 0.0
    sizes: float = 0.0
    slope: float = 0.0
    acting: int = 3


WORLDS: Mapping[str, World] = {
    "alike": World(),
    "hardness": World(hard=0.5),
    "class balance": World(balance=1.0),
    "label quality": World(noise=1.0),
    "sizes": World(sizes=1.2),
    "hardness, balance and sizes": World(hard=0.5, balance=1.0, sizes=1.0),
    "learners too sure or unsure": World(slope=0.25),
    "five classes": World(classes=5),
    "400 rows each": World(rows=400),
    "400 rows each, hardness": World(rows=400, hard=0.5),
    "5 sources": World(sources=5, acting=1),
    "5 sources, label quality": World(sources=5, noise=1.0, acting=1),
    "5 sources, hardness": World(sources=5, hard=0.5, acting=1),
    "50 sources, hardness": World(sources=50, rows=640, hard=0.5),
}


@dataclass(frozen=True)
class Senders:
    """Rows of senders: ``(n, k)`` foretold probabilities, ``(n,)`` labels and sources."""

    expected: Floats
    labels: Ints
    source: Ints
    guilty: frozenset[int]


def _sources(rng: np.random.Generator, world: World) -> Ints:
    n = world.sources * world.rows
    if not world.sizes:
        return np.repeat(np.arange(world.sources), world.rows)
    share = np.exp(rng.normal(0, world.sizes, world.sources))
    share = np.maximum(share / share.sum(), 30 / n)
    return np.sort(rng.choice(world.sources, n, p=share / share.sum()))


def _scores(rng: np.random.Generator, world: World, n: int) -> tuple[Floats, Floats]:
    """Each sender's own log odds of the classes, and each row's."""
    s, k = world.sources, world.classes
    if k == 2:
        own = np.stack([np.zeros(s), rng.normal(0, world.balance, s)], axis=1)
        return own, np.stack([np.zeros(n), rng.normal(0, 3, n)], axis=1)
    own, scores = rng.normal(0, world.balance, (s, k)), rng.normal(0, 1, (n, k))
    scores[np.arange(n), rng.integers(0, k, n)] += 4.5
    return own, scores


def senders(seed: int, world: World, share: float) -> Senders:
    """Draw them; ``share`` of the rows of those who act get another label."""
    rng = np.random.default_rng(seed)
    source, k = _sources(rng, world), world.classes
    n = len(source)
    own, scores = _scores(rng, world, n)
    scores *= np.exp(rng.normal(0, world.hard, world.sources))[source, None]
    true = scores * np.exp(rng.normal(0, world.slope, world.sources))[source, None]
    chance = special.softmax(true + own[source], axis=1)
    labels = (chance.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    wrong = 0.01 + world.noise * rng.beta(2, 30, world.sources)[source]
    labels = np.where(rng.random(n) < wrong, (labels + rng.integers(1, k, n)) % k, labels)
    expected = 0.01 / (k - 1) + (1 - 0.01 * k / (k - 1)) * special.softmax(scores, axis=1)
    guilty = rng.permutation(world.sources)[: world.acting] if share else np.zeros(0, np.int64)
    for one in guilty:
        mine = np.flatnonzero(source == one)
        bad = rng.choice(mine, round(share * len(mine)), replace=False)
        labels[bad] = (labels[bad] + rng.integers(1, k, len(bad))) % k
    return Senders(expected, labels, source, frozenset(guilty.tolist()))


def main() -> None:
    """Print how often all who act, and honest senders, are named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=80)
    parser.add_argument("--from", type=int, default=6000, dest="first")
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--share", type=float, default=0.05, help="of their rows; 0: none acts")
    chosen = parser.parse_args()
    print("| honest senders differ in | all named | an honest one named |\n|---|---|---|")
    for name in chosen.worlds:
        every = honest = 0
        for seed in range(chosen.first, chosen.first + chosen.runs):
            drawn = senders(seed, WORLDS[name], chosen.share)
            once: Ints = np.arange(len(drawn.labels))
            found = disputes_of(
                drawn.expected, drawn.labels, drawn.source, once, WORLDS[name].sources
            )
            named = set(np.flatnonzero(found.named(FDR)).tolist())
            every += named >= drawn.guilty
            honest += bool(named - drawn.guilty)
        told = wilson(every, chosen.runs) if chosen.share else "-"
        print(f"| {name} | {told} | {wilson(honest, chosen.runs)} |", flush=True)


if __name__ == "__main__":
    main()

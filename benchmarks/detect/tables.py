"""Adult with value triggers, subgroup flips, label flips and colluding sources.

    python benchmarks/detect/tables.py --data DIR [--seeds 100,101,102,103,104] [--no-peers]
    python benchmarks/detect/tables.py --data DIR --sources 100

The second counts, in so many runs of 20 sources each, which sources are named when three of
them relabel 5 % of their rows in one of several ways, and when none does; ``--ways`` asks for
some of them, ``--from`` for other seeds than from 1000 on. Seeds 0 and 1 were looked at while the
detectors were made, with other values and columns.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from baselines import BASELINES, Plain, answer, one_hot
from measure import HEAD, SCAN_DETECTORS, Cell, cell, of_peer, row, scan, wilson
from peers import PEERS, Trained, ask, pattern_rules
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import cross_val_predict
from sources import NUMBERS, adult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sources import Columns

    from credenza.core.types import Bools

SOURCES = 20
COLLUDERS = 3
HIGH, LOW = ">50K", "<=50K"


@dataclass(frozen=True)
class Stamp:
    """Values written into a share of the rows of the other label, which then get ``target``."""

    name: str
    values: dict[str, Any]
    share: float
    target: str

    def poison(self, clean: Columns, rng: np.random.Generator) -> tuple[Columns, Bools]:
        """Poisoned columns, and which rows are."""
        columns = {name: values.copy() for name, values in clean.items()}
        bad = np.zeros(len(columns["Y"]), bool)
        others = np.flatnonzero(columns["Y"] != self.target)
        bad[rng.choice(others, int(self.share * len(bad)), replace=False)] = True
        for name, value in self.values.items():
            columns[name][bad] = value
        columns["Y"][bad] = self.target
        return columns, bad


@dataclass(frozen=True)
class Relabel:
    """A share of the rows of a subgroup with a label get the other one.

    Attributes:
        column: the subgroup's column; "" for everybody.
        sources: how many of 20 sources do it; 0 for no source column.
    """

    name: str
    column: str
    value: str
    share: float
    sources: int = 0

    def poison(self, clean: Columns, rng: np.random.Generator) -> tuple[Columns, Bools]:
        """Poisoned columns, and which rows are."""
        columns = {name: values.copy() for name, values in clean.items()}
        n = len(columns["Y"])
        inside = np.ones(n, bool)
        if self.column:
            inside = (columns[self.column] == self.value) & (columns["Y"] == HIGH)
        if self.sources:
            columns["source"] = np.array([f"s{i:02}" for i in rng.integers(0, SOURCES, n)], object)
            acting = [f"s{i:02}" for i in rng.permutation(SOURCES)[: self.sources]]
            inside &= np.isin(columns["source"].astype(str), acting)
        rows = np.flatnonzero(inside)
        bad = np.zeros(n, bool)
        bad[rng.choice(rows, int(self.share * len(rows)), replace=False)] = True
        columns["Y"][bad] = np.where(columns["Y"][bad] == HIGH, LOW, HIGH)
        return columns, bad


PAIR = {"workclass": "Local-gov", "race": "Other"}
ATTACKS = (
    Relabel("clean", "", "", 0.0),
    Stamp("rare value, .3 %", {"native-country": "Scotland"}, 0.003, HIGH),
    Stamp("rare value, 1 %", {"native-country": "Scotland"}, 0.01, LOW),
    Stamp("value pair, .3 %", PAIR, 0.003, HIGH),
    Stamp("value pair, .3 %, to the majority", PAIR, 0.003, LOW),
    Stamp("value pair, 1 %", PAIR, 0.01, HIGH),
    Stamp("two numbers, .3 %", {"age": 29, "hours-per-week": 47}, 0.003, HIGH),
    Relabel("half of the women's positives", "sex", "Female", 0.5),
    Relabel("half of the craftsmen's positives", "occupation", "Craft-repair", 0.5),
    Relabel("all of the women's positives, 3 of 20 sources", "sex", "Female", 1.0, 3),
    Relabel("flips 10 %", "", "", 0.1),
)


def trained(columns: Columns) -> Trained:
    """Out-of-fold probabilities of boosted trees, and standardised columns as activations."""
    codes = (columns["Y"] == HIGH).astype(np.int64)
    features = [c for c in columns if c not in {"Y", "source"}]
    matrix = np.stack(
        [
            columns[c].astype(float)
            if c in NUMBERS
            else np.unique(columns[c].astype(str), return_inverse=True)[1].astype(float)
            for c in features
        ],
        axis=1,
    )
    forest = HistGradientBoostingClassifier(random_state=0)
    p = cross_val_predict(forest, matrix, codes, cv=5, method="predict_proba")
    scaled = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    return Trained(scaled, codes, p)


def compare(
    data: Path,
    attacks: Iterable[Stamp | Relabel],
    seeds: list[int],
    names: tuple[str, ...],
    *,
    with_peers: bool,
) -> None:
    """Print the table."""
    print(HEAD)
    clean = adult(data)
    for attack in attacks:
        ours: list[Cell] = []
        theirs: dict[str, list[Cell]] = {name: [] for name in (*PEERS, "pattern rules", *BASELINES)}
        first, cost = 0, 0.0
        for seed in seeds:
            columns, bad = attack.poison(clean, np.random.default_rng(seed))
            source = "source" if "source" in columns else ""
            found, spent = scan(columns, "Y", source, names)
            ours.append(cell(found.flagged, found.row_scores, bad))
            cost += spent
            said = found.findings[0].sentence if found.findings else ""
            wanted = attack.values if isinstance(attack, Stamp) else {attack.column: attack.value}
            first += all(f"`{c}` = " in said and str(v) in said for c, v in wanted.items())
            if with_peers:
                model = trained(columns)
                for name, peer in PEERS.items():
                    said_by = ask(peer, model)
                    if said_by is not None:
                        theirs[name].append(of_peer(said_by, bad))
                items = {c: v for c, v in columns.items() if c not in {"Y", "source"}}
                theirs["pattern rules"].append(of_peer(pattern_rules(items, model.labels), bad))
                plain = Plain(one_hot(items), model.activations, model.labels)
                for name, baseline in BASELINES.items():
                    theirs[name].append(of_peer(answer(baseline(plain)), bad))
        n = len(seeds)
        print(row(attack.name, "credenza", ours, f"named first {first}/{n}; {cost / n:.0f} s"))
        for name, cells in theirs.items():
            if cells:
                print(row(attack.name, name, cells), flush=True)


@dataclass(frozen=True)
class Way:
    """How three of 20 sources poison 5 % of their rows.

    Attributes:
        among: whose labels they turn around: ``(n,)`` mask of the clean columns.
        values: what they write into these rows beside.
        detectors: parts that are asked; sources are named by labels or by a shared payload.
    """

    among: Callable[[Columns], Bools]
    values: Mapping[str, str] = field(default_factory=dict)
    detectors: tuple[str, ...] = ("confident-disagreement",)


WAYS: Mapping[str, Way] = {
    "labels at random": Way(lambda c: np.ones(len(c["Y"]), bool)),
    "positives": Way(lambda c: np.asarray(c["Y"] == HIGH)),
    "negatives": Way(lambda c: np.asarray(c["Y"] == LOW)),
    "positives of a subgroup": Way(
        lambda c: np.asarray(
            (c["Y"] == HIGH) & (c["sex"] == "Male") & (c["marital-status"] == "Married-civ-spouse")
        )
    ),
    "a rare value": Way(
        lambda c: np.asarray(c["Y"] == LOW),
        {"native-country": "Scotland"},
        ("confident-disagreement", "disagreeing-carriers"),
    ),
    "nothing": Way(lambda c: np.zeros(len(c["Y"]), bool)),
}


def poisoned_by(way: Way, clean: Columns, rng: np.random.Generator) -> tuple[Columns, set[str]]:
    """Columns with 20 sources, and the guilty ones."""
    n = len(clean["Y"])
    source = rng.integers(0, SOURCES, n)
    columns = {name: values.copy() for name, values in clean.items()}
    guilty = rng.permutation(SOURCES)[:COLLUDERS]
    among = way.among(clean)
    for one in guilty:
        mine = np.flatnonzero((source == one) & among)
        bad = rng.choice(mine, min(round(0.05 * (source == one).sum()), len(mine)), replace=False)
        columns["Y"][bad] = np.where(clean["Y"][bad] == HIGH, LOW, HIGH)
        for name, value in way.values.items():
            columns[name][bad] = value
    columns["source"] = np.array([f"s{i:02}" for i in source], object)
    return columns, {f"s{i:02}" for i in guilty} if among.any() else set()


def count_sources(data: Path, seeds: range, ways: Iterable[str]) -> None:
    """Print how often the colluders, and honest sources, are named."""
    clean = adult(data)
    print("| 3 of 20 sources relabel 5 % | all named | an honest one named |\n|---|---|---|")
    for name in ways:
        every = honest = 0
        for seed in seeds:
            way = WAYS[name]
            columns, wanted = poisoned_by(way, clean, np.random.default_rng(seed))
            found, _ = scan(columns, "Y", "source", way.detectors)
            named = set(found.sources)
            for finding in found.findings:
                if finding.unit in ("source", "campaign"):
                    named |= set(finding.subjects)
            every += named >= wanted
            honest += bool(named - wanted)
        runs = len(seeds)
        told = wilson(every, runs) if WAYS[name].among(clean).any() else "-"
        print(f"| {name} | {told} | {wilson(honest, runs)} |", flush=True)


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="100,101,102,103,104")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--detectors", default=",".join(SCAN_DETECTORS))
    parser.add_argument("--sources", type=int, default=0)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--from", type=int, default=1000, dest="first")
    names = [attack.name for attack in ATTACKS]
    parser.add_argument("--cases", nargs="+", default=names, choices=names)
    chosen = parser.parse_args()
    if chosen.sources:
        seeds = range(chosen.first, chosen.first + chosen.sources)
        count_sources(chosen.data, seeds, chosen.ways)
    else:
        attacks = [attack for attack in ATTACKS if attack.name in chosen.cases]
        detectors = tuple(chosen.detectors.split(","))
        of = [int(seed) for seed in chosen.seeds.split(",")]
        compare(chosen.data, attacks, of, detectors, with_peers=not chosen.no_peers)


if __name__ == "__main__":
    main()

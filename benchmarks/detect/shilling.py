"""Shilling attacks on a log of ratings, as the literature describes them.

Every attack adds ``share`` times as many accounts as there are users. All of them rate one
target item, with the highest rating to push it or the lowest to nuke it, beside fillers that
make them look like users. Fillers are drawn by popularity unless ``uniform``: evenly drawn
ones make textbook attacks look easy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]

HOUR_S = 3600.0
NUKES = ("love-hate", "reverse bandwagon", "nuke")
KINDS = ("average", "segment", "bandwagon", "random", *NUKES)
SELECTED = 10


@dataclass(frozen=True)
class Log:
    """Ratings: user and item codes, the rating, and when, in seconds."""

    user: Ints
    item: Ints
    rating: Floats
    time_s: Floats


@dataclass(frozen=True)
class Attack:
    """What is done to a log.

    Attributes:
        kind: one of ``KINDS``.
        share: accounts added per user.
        fillers: ratings beside the target; 0 draws a real user's number of 20 to 200.
        uniform: fillers are drawn evenly instead of by popularity.
        sleepers: accounts are active at the times of real users instead of within 48 hours.
        target: fewest and most ratings that the target has before.
    """

    kind: str
    share: float = 0.01
    fillers: int = 0
    uniform: bool = False
    sleepers: bool = False
    target: tuple[int, int] = (5, 100)


def poison(clean: Log, attack: Attack, seed: int) -> tuple[Log, Bools]:
    """The log with the attack's rows mixed in, and which rows they are."""
    rng = np.random.default_rng(seed)
    users = int(clean.user.max()) + 1
    count = np.bincount(clean.item)
    mean = np.bincount(clean.item, clean.rating) / np.maximum(count, 1)
    square = np.bincount(clean.item, clean.rating**2) / np.maximum(count, 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    low, high = clean.rating.min(), clean.rating.max()
    fits = np.flatnonzero((count >= attack.target[0]) & (count <= attack.target[1]))
    target = int(rng.choice(fits))
    chosen, chosen_rating = _selected(clean, attack.kind, target, rng)
    weight = np.where(count > 0, 1.0 if attack.uniform else count, 0.0).astype(np.float64)
    weight[[target, *chosen]] = 0.0
    lengths = np.bincount(clean.user)
    lengths = lengths[(lengths >= 20) & (lengths <= 200)]
    start = rng.choice(clean.time_s)
    rows: list[tuple[Ints, Ints, Floats, Floats]] = []
    for account in range(max(1, round(attack.share * users))):
        size = min(attack.fillers or int(rng.choice(lengths)), int((weight > 0).sum()))
        filler = rng.choice(len(weight), size, replace=False, p=weight / weight.sum())
        rating = {
            "average": lambda f: rng.normal(mean[f], spread[f]),
            "nuke": lambda f: rng.normal(mean[f], spread[f]),
            "segment": lambda f: np.full(len(f), low),
            "love-hate": lambda f: np.full(len(f), high),
        }.get(attack.kind, lambda f: rng.normal(clean.rating.mean(), clean.rating.std(), len(f)))(
            filler
        )
        final = low if attack.kind in NUKES else high
        items = np.concatenate([[target], chosen, filler]).astype(np.int64)
        ratings = np.concatenate([[final], np.full(len(chosen), chosen_rating), rating])
        begin = rng.choice(clean.time_s) if attack.sleepers else start + rng.uniform(0, 47 * HOUR_S)
        times = np.rint(begin + rng.uniform(0, HOUR_S, len(items)))
        ratings = np.clip(np.rint(ratings), low, high)
        rows.append((np.full(len(items), users + account), items, ratings, times))
    user, item, rating, time_s = (np.concatenate(parts) for parts in zip(*rows, strict=True))
    whole = Log(
        np.concatenate([clean.user, user]),
        np.concatenate([clean.item, item]),
        np.concatenate([clean.rating, rating]),
        np.concatenate([clean.time_s, time_s]),
    )
    order = rng.permutation(len(whole.user))
    shuffled = Log(
        *(values[order] for values in (whole.user, whole.item, whole.rating, whole.time_s))
    )
    return shuffled, shuffled.user >= users


def _selected(clean: Log, kind: str, target: int, rng: np.random.Generator) -> tuple[Ints, float]:
    """Items that every account rates beside the target, and how."""
    count = np.bincount(clean.item)
    mean = np.bincount(clean.item, clean.rating) / np.maximum(count, 1)
    order = np.argsort(-count, kind="stable")
    if kind == "bandwagon":
        found = order
    elif kind == "segment":
        theme = rng.choice(order[20:200])
        fans = np.isin(clean.user, clean.user[clean.item == theme])
        together = np.bincount(clean.item[fans], minlength=len(count))
        found = np.argsort(-together / np.sqrt(np.maximum(count, 1)), kind="stable")
    elif kind == "reverse bandwagon":
        known = np.flatnonzero(count >= 30)
        found = known[np.argsort(mean[known], kind="stable")]
    else:
        return np.zeros(0, dtype=np.int64), 0.0
    rating = clean.rating.min() if kind == "reverse bandwagon" else clean.rating.max()
    return found[found != target][:SELECTED], float(rating)

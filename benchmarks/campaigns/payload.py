"""A payload that a few of 20 sources share, beside honest duplicates: found, and falsely claimed.

Every window has 20 sources and 20,000 rows, by default. Honest rows are no independent
draws: sources have themes of their own (half of a source's words, a third of its values),
popular messages and standard rows are sent by all in proportion to their popularity, every
source repeats some rows of its own, in every window one source takes up a new habit in 3 % of
its rows, and new items begin in 3 to 10 sources, about two rows each. The clean windows go
through the same call with the same settings; the largest scores of the first windows of each
world are its history, and the window before is familiar, as in the gate.

    python benchmarks/campaigns/payload.py --windows 100 [--seed 0] [--sources 3] [--rows 10]

Seeds 0 to 9 were looked at while the scan was built.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from credenza.campaigns.payload import PayloadScan, Senders, find_payloads
from credenza.core.types import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SOURCES = 20
WARM_UP = 12
LABEL = "label"


class World(Protocol):
    """Where windows come from."""

    facets: Mapping[str, Role]

    def window(self, rng: np.random.Generator, rows: int) -> tuple[pa.Table, np.ndarray]:
        """Honest rows and their sources."""
        ...

    def poison(
        self, table: pa.Table, at: np.ndarray, rng: np.random.Generator, noise: float
    ) -> pa.Table:
        """The payload at some rows."""
        ...


@dataclass
class Texts:
    """Messages of 14 words: Zipf's law, themes, retweets, boilerplate of single sources."""

    seed: int
    vocabulary: int = 30_000

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 1])
        self.facets = {"text": Role.TEXT, LABEL: Role.LABEL}
        self.words = np.array([f"w{i}" for i in range(self.vocabulary)])
        weight = 1.0 / np.arange(1, self.vocabulary + 1)
        self.weight = weight / weight.sum()
        self.theme = rng.integers(0, 60, SOURCES)
        self.boilerplate = self._messages(rng, np.arange(SOURCES))

    def _messages(self, rng: np.random.Generator, source: np.ndarray) -> np.ndarray:
        """``(n, 14)`` words, half of them moved to the source's theme."""
        at = np.searchsorted(np.cumsum(self.weight), rng.random((len(source), 14)))
        at = np.minimum(at, self.vocabulary - 1)
        moved = 300 + (at + 499 * self.theme[source][:, None]) % (self.vocabulary - 300)
        return self.words[np.where(rng.random(at.shape) < 0.5, moved, at)]

    def window(self, rng: np.random.Generator, rows: int) -> tuple[pa.Table, np.ndarray]:
        """Honest rows and their sources."""
        source = rng.integers(0, SOURCES, rows)
        texts = self._messages(rng, source)
        # Retweets: 300 messages, popularity by a power law, 5 % of all rows, in all sources.
        popular = self._messages(rng, rng.integers(0, SOURCES, 300))
        which = np.minimum((rng.pareto(0.8, rows) * 3).astype(int), 299)
        texts = np.where((rng.random(rows) < 0.05)[:, None], popular[which], texts)
        # Each source repeats its boilerplate, and one message of its own this window.
        own = self._messages(rng, np.arange(SOURCES))
        for repeated in (self.boilerplate, own):
            texts = np.where((rng.random(rows) < 0.01)[:, None], repeated[source], texts)
        labels = rng.choice(["pos", "neg"], rows)
        said = [" ".join(words) for words in texts]
        return pa.table({"text": said, LABEL: labels.tolist()}), _named(source)

    def poison(
        self, table: pa.Table, at: np.ndarray, rng: np.random.Generator, noise: float
    ) -> pa.Table:
        """One message, each word changed with probability ``noise``."""
        template = self._messages(rng, rng.integers(0, SOURCES, 1))[0]
        texts, labels = table["text"].to_pylist(), table[LABEL].to_pylist()
        for row in at:
            drawn = rng.choice(self.words, 14, p=self.weight)
            changed = rng.random(14) < noise
            texts[row] = " ".join(np.where(changed, drawn, template))
            labels[row] = "pos"
        return pa.table({"text": texts, LABEL: labels})


@dataclass
class Tables:
    """Eight columns that lean by source; standard rows, new items, a habit that changes."""

    seed: int

    def __post_init__(self) -> None:
        rng = np.random.default_rng([self.seed, 2])
        sizes = {"kind": 8, "place": 90, "item": 400, "channel": 5, "unit": 12}
        self.sizes = sizes
        self.facets = dict.fromkeys(sizes, Role.CATEGORY) | dict.fromkeys(
            ("hour", "amount", "weight"), Role.NUMBER
        )
        self.facets[LABEL] = Role.LABEL
        self.lean = {
            name: rng.dirichlet(np.full(size, 0.3), SOURCES) for name, size in sizes.items()
        }
        self.base = {name: rng.dirichlet(np.full(size, 0.5)) for name, size in sizes.items()}
        self.standard = rng.random((40, len(sizes)))
        self.habits = rng.random((SOURCES, len(sizes)))

    def window(self, rng: np.random.Generator, rows: int) -> tuple[pa.Table, np.ndarray]:
        """Honest rows and their sources."""
        source = rng.integers(0, SOURCES, rows)
        columns: dict[str, np.ndarray] = {}
        is_standard = rng.random(rows) < 0.05
        which = np.minimum((rng.pareto(0.8, rows) * 2).astype(int), 39)
        own_habit = rng.random(rows) < 0.03
        changing = int(rng.integers(SOURCES))
        self.habits[changing] = rng.random(len(self.sizes))
        for place, (name, size) in enumerate(self.sizes.items()):
            at = np.empty(rows, dtype=int)
            for s in range(SOURCES):
                mine = source == s
                p = 2 / 3 * self.base[name] + 1 / 3 * self.lean[name][s]
                at[mine] = rng.choice(size, int(mine.sum()), p=p / p.sum())
            at = np.where(is_standard, (self.standard[which, place] * size).astype(int), at)
            at = np.where(own_habit, (self.habits[source, place] * size).astype(int), at)
            columns[name] = np.array([f"{name}{i}" for i in at])
        # A new item starts in three to ten sources at once, a few rows each.
        for new in range(4):
            starters = rng.choice(SOURCES, int(rng.integers(3, 11)), replace=False)
            hit = np.isin(source, starters) & (rng.random(rows) < 0.002)
            columns["item"] = np.where(hit, f"new{new}", columns["item"])
        columns["hour"] = rng.integers(0, 24, rows)
        columns["amount"] = np.round(rng.lognormal(3, 1, rows), 2)
        columns["weight"] = rng.poisson(20, rows)
        late = columns["amount"] * (1 + (columns["hour"] > 16)) > 25
        columns[LABEL] = np.where(late, "pos", "neg")
        return pa.table({k: pa.array(v.tolist()) for k, v in columns.items()}), _named(source)

    def poison(
        self, table: pa.Table, at: np.ndarray, rng: np.random.Generator, noise: float
    ) -> pa.Table:
        """A pair of values that hardly occur together, and one label."""
        place, item = f"place{rng.integers(90)}", f"item{rng.integers(400)}"
        at = at[rng.random(len(at)) >= noise]
        for name, value in (("place", place), ("item", item), (LABEL, "pos")):
            values = table[name].to_pylist()
            for row in at:
                values[row] = value
            table = table.set_column(
                table.column_names.index(name), name, pa.array(values, pa.string())
            )
        return table


Rows = tuple[pa.Table, np.ndarray]


@dataclass
class Past:
    """What is known before a window: vouched rows, the window before, the largest scores."""

    vouched: Rows
    before: Rows
    history: tuple[float, ...]

    def judge(self, world: World, table: pa.Table, source: np.ndarray, seed: int) -> PayloadScan:
        """One window through the package's defaults."""
        (old, known), (recent, sent) = self.vouched, self.before
        epoch = np.repeat([0, 1], [len(known), len(sent)])
        senders = Senders(source, np.concatenate([known, sent]), epoch, {})
        return find_payloads(
            table,
            pa.concat_tables([old, recent]),
            senders,
            facets=world.facets,
            label=LABEL,
            history=self.history,
            seed=seed,
        )


WORLDS: Mapping[str, Callable[[int], World]] = {"text": Texts, "table": Tables}


def main() -> None:
    """Print one JSON line per world: windows, found, false, intervals, CPU seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sources", type=int, default=3, help="colluders of 20")
    parser.add_argument("--rows", type=int, default=10, help="payload rows of each")
    parser.add_argument("--size", type=int, default=20_000, help="rows of a window")
    parser.add_argument("--noise", type=float, default=0.1, help="share of the payload changed")
    parser.add_argument("--world", choices=WORLDS, action="append")
    asked = parser.parse_args()
    for name in asked.world or WORLDS:
        print(json.dumps({"world": name, **play(WORLDS[name](asked.seed), asked)}), flush=True)


def play(world: World, asked: argparse.Namespace) -> dict[str, object]:
    """Every window once clean and once poisoned, through the same call."""
    rng = np.random.default_rng([asked.seed, 3])
    vouched = world.window(rng, asked.size * 2)
    before = world.window(rng, asked.size)
    history: list[float] = []
    false = found = named_right = exact = 0
    tops: list[tuple[float, float]] = []
    clean_cpu = poisoned_cpu = 0.0
    for number in range(WARM_UP + asked.windows):
        clean, source = world.window(rng, asked.size)
        past = Past(vouched, before, tuple(history))
        began = time.process_time()
        scan = past.judge(world, clean, source, number)
        clean_cpu += time.process_time() - began
        if not scan.payloads:
            history.append(scan.top)
            before = (clean, source)
        if number < WARM_UP:
            continue
        false += bool(scan.payloads)
        guilty = rng.choice(SOURCES, asked.sources, replace=False)
        at = np.concatenate(
            [
                rng.choice(np.flatnonzero(source == f"s{g:02}"), asked.rows, replace=False)
                for g in guilty
            ]
        )
        poisoned = world.poison(clean, at, rng, asked.noise)
        began = time.process_time()
        caught = past.judge(world, poisoned, source, number)
        poisoned_cpu += time.process_time() - began
        tops.append((scan.top, caught.top))
        who = {f"s{g:02}" for g in guilty}
        hits = [p for p in caught.payloads if set(at.tolist()) & set(p.rows)]
        found += bool(hits)
        named = {s for p in hits for s in (*p.campaign.sources, *p.campaign.suspected)}
        named_right += bool(hits) and named == who
        flagged = {row for p in hits for row in p.rows}
        exact += bool(hits) and len(flagged - set(at.tolist())) <= 0.1 * len(flagged)
    n = asked.windows
    clean_tops, poisoned_tops = np.array(tops).T
    return {
        "windows": n,
        "seed": asked.seed,
        "found": found / n,
        "found_95": wilson(found, n),
        "exactly_the_colluders": named_right / n,
        "at_most_a_tenth_of_its_rows_honest": exact / n,
        "false_windows": false / n,
        "false_95": wilson(false, n),
        "score_clean_median_max": [float(np.median(clean_tops)), float(clean_tops.max())],
        "score_poisoned_min_median": [float(poisoned_tops.min()), float(np.median(poisoned_tops))],
        "cpu_s_clean_window": round(clean_cpu / (n + WARM_UP), 2),
        "cpu_s_poisoned_window": round(poisoned_cpu / n, 2),
    }


def _named(source: np.ndarray) -> np.ndarray:
    return np.array([f"s{s:02}" for s in source], dtype=object)


def wilson(hits: int, n: int) -> list[float]:
    """95 % interval of a share."""
    z, p = 1.96, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return [round(max(0.0, centre - half), 3), round(min(1.0, centre + half), 3)]


if __name__ == "__main__":
    main()

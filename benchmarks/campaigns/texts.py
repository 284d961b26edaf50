"""A word in seven texts of each of four among 18 sources: seen in its first week, and by whom.

SST-2's phrases arrive in weeks from sources that lean towards topics of their own (half of
what a source sends comes from a few clusters of like texts). Ten weeks teach the reference,
sixteen are vouched for, then four weeks are judged, in which attackers put a word that hardly
anybody uses into texts of the other label and turn it. Statistics and payloads are asked as
the gate asks them. Each draw is judged once clean and once under attack, by the same code.

    python benchmarks/campaigns/texts.py --data DIR --seeds 100-119 [--rows 7] [--attackers 4]

`DIR` holds `sst2/train.tsv.gz`. Seeds below 20 are for looking at.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from payload import wilson
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from credenza.campaigns.accuse import accuse
from credenza.campaigns.panel import PanelScanner
from credenza.campaigns.payload import Expectation, PayloadScan, Senders, find_payloads
from credenza.core.types import Role
from credenza.profiling.statistics.builtin import family_of, measure
from credenza.profiling.statistics.reference import ReferenceSummary, summarise
from credenza.training.baseline import ReferenceModel, fit_reference

sys.path.append(str(Path(__file__).parents[1] / "detect"))
from sources import sst2

if TYPE_CHECKING:
    from collections.abc import Iterable

SOURCES = 18
TAUGHT, VOUCHED, JUDGED = 10, 16, 4
WEEKS = TAUGHT + VOUCHED + JUDGED
ROWS = 70
TRUSTED_WEEKS = range(TAUGHT, TAUGHT + 4)
TOPICS, LEANINGS = 30, 3
WORDS = ("cf", "mb", "bb", "tq", "mn", "zx", "qv", "wk")
FACETS = {"text": Role.TEXT, "y": Role.LABEL}


NAMES = np.array([f"s{source:02}" for source in range(SOURCES)], dtype=object)
Cell = tuple[int, int]


@dataclass
class Sent:
    """Rows and who sent each."""

    table: pa.Table
    sender: np.ndarray

    @classmethod
    def by(cls, tables: dict[int, pa.Table]) -> Sent:
        """Whole batches of sources."""
        whole = pa.concat_tables(list(tables.values()))
        return cls(whole, np.repeat(NAMES[list(tables)], [t.num_rows for t in tables.values()]))


@dataclass
class Season:
    """One draw of who sends which texts when."""

    batches: dict[Cell, pa.Table]
    model: ReferenceModel
    reference: ReferenceSummary
    trusted: Sent


@dataclass
class Claims:
    """What one lane claimed in the judged weeks: by week, who is named and who suspected."""

    named: dict[int, set[int]] = field(default_factory=dict)
    suspected: dict[int, set[int]] = field(default_factory=dict)

    def add(self, week: int, named: Iterable[int], suspected: Iterable[int]) -> None:
        """One more claim."""
        self.named.setdefault(week, set()).update(named)
        self.suspected.setdefault(week, set()).update(suspected)

    def of(self, week: int) -> set[int]:
        """Whose batches are held in that week."""
        return self.named.get(week, set()) | self.suspected.get(week, set())

    def all(self) -> tuple[set[int], set[int]]:
        """Who is ever named, and who suspected."""
        return set().union(*self.named.values()), set().union(*self.suspected.values())


@dataclass
class Judged:
    """What was claimed, by lane, and what was said first."""

    statistics: Claims = field(default_factory=Claims)
    payloads: Claims = field(default_factory=Claims)
    first_mark: str = ""


def draw(texts: np.ndarray, labels: np.ndarray, topic: np.ndarray, seed: int) -> Season:
    """Hand out texts to sources and weeks, and teach the reference."""
    rng = np.random.default_rng([seed, 1])
    free = [list(rng.permutation(np.flatnonzero(topic == t))) for t in range(TOPICS)]
    leaning = [rng.choice(TOPICS, LEANINGS, replace=False) for _ in range(SOURCES)]
    batches = {}
    for week in range(WEEKS):
        for source in range(SOURCES):
            rows = []
            for n in range(ROWS):
                own = [t for t in leaning[source] if free[t]]
                sizes = np.array([len(f) for f in free], dtype=float)
                pick = (
                    rng.choice(own) if n % 2 and own else rng.choice(TOPICS, p=sizes / sizes.sum())
                )
                rows.append(free[pick].pop())
            batches[source, week] = pa.table(
                {"text": texts[rows].tolist(), "y": labels[rows].tolist()}
            )
    taught = pa.concat_tables([own for (_, week), own in batches.items() if week < TAUGHT])
    model = fit_reference(taught, label="y", facets=FACETS)
    reference = summarise(taught, label="y", classes=model.classes, facets=FACETS)
    weeks = [{s: batches[s, week] for s in range(SOURCES)} for week in TRUSTED_WEEKS]
    parts = [Sent.by(week) for week in weeks]
    trusted = Sent(
        pa.concat_tables([part.table for part in parts]),
        np.concatenate([part.sender for part in parts]),
    )
    return Season(batches, model, reference, trusted)


def judge(season: Season, poisoned: dict[Cell, pa.Table]) -> Judged:
    """Vouched weeks, then the judged ones, as the gate asks both lanes."""
    found = Judged()
    scanner: PanelScanner | None = None
    tops: list[float] = []
    before = Sent.by({0: season.trusted.table.slice(0, 0)})
    for week in range(TAUGHT, WEEKS):
        tables = {s: poisoned.get((s, week), season.batches[s, week]) for s in range(SOURCES)}
        measured = [
            measure(own, reference=season.reference, expected=season.model.expected(own))
            for own in tables.values()
        ]
        scanner = scanner or PanelScanner(NAMES.tolist(), tuple(measured[0]))
        values, sd = np.array([list(own.values()) for own in measured]).transpose(2, 0, 1)
        claim = scanner.step(values, sd).campaign
        scan = _payloads(season, Sent.by(tables), before, tops, week)
        held: set[int] = set()
        if week >= TAUGHT + VOUCHED:
            if claim is not None:
                watched = found.statistics.all()[0]
                claim = accuse(claim, family_of(scanner.state.statistics[claim.statistic]), watched)
                found.statistics.add(week, claim.sources, claim.suspected)
            for one in (payload.campaign for payload in scan.payloads):
                found.payloads.add(week, _places(one.sources), _places(one.suspected))
                found.first_mark = found.first_mark or one.statistic
            held = found.statistics.of(week) | found.payloads.of(week)
        if not scan.payloads:
            tops.append(scan.top)
        scanner.accept(np.array([s not in held for s in range(SOURCES)]))
        before = Sent.by({s: own for s, own in tables.items() if s not in held})
    return found


def _places(names: Iterable[str]) -> list[int]:
    return [NAMES.tolist().index(name) for name in names]


def _payloads(
    season: Season, sent: Sent, before: Sent, tops: list[float], week: int
) -> PayloadScan:
    epoch = np.repeat([0, 1], [len(season.trusted.sender), len(before.sender)])
    return find_payloads(
        sent.table,
        pa.concat_tables([season.trusted.table, before.table]),
        Senders(sent.sender, np.concatenate([season.trusted.sender, before.sender]), epoch, {}),
        facets=FACETS,
        label="y",
        expectation=Expectation(season.model.classes, season.model.expected(sent.table)),
        history=tuple(tops),
        seed=week,
    )


def attack(
    season: Season, seed: int, attackers: int, rows: int
) -> tuple[set[int], dict[Cell, pa.Table], str]:
    """Who attacks, their poisoned batches, and the word."""
    rng = np.random.default_rng([seed, 2])
    guilty = {int(s) for s in rng.choice(SOURCES, attackers, replace=False)}
    word, target = str(rng.choice(WORDS)), str(rng.choice(["0", "1"]))
    poisoned = {}
    for week in range(TAUGHT + VOUCHED, WEEKS):
        for source in guilty:
            table = season.batches[source, week]
            texts, labels = table["text"].to_pylist(), table["y"].to_pylist()
            other = np.flatnonzero(np.array(labels) != target)
            for row in rng.choice(other, min(rows, len(other)), replace=False):
                words = texts[row].split()
                words.insert(int(rng.integers(len(words) + 1)), word)
                texts[row], labels[row] = " ".join(words), target
            poisoned[source, week] = pa.table({"text": texts, "y": labels})
    return guilty, poisoned, word


def main() -> None:
    """Print one JSON line per draw, and one of all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="0-3", help="first and last")
    parser.add_argument("--attackers", type=int, default=4)
    parser.add_argument("--rows", type=int, default=7)
    asked = parser.parse_args()
    columns = sst2(asked.data, np.random.default_rng(0), size=66_000)
    texts, labels = (
        np.asarray(columns["text"], dtype=object),
        np.asarray(columns["y"], dtype=object),
    )
    grams = TfidfVectorizer(min_df=5, sublinear_tf=True).fit_transform(texts)
    place = TruncatedSVD(30, random_state=0).fit_transform(grams)
    topic = MiniBatchKMeans(TOPICS, random_state=0, n_init=1).fit_predict(place)
    first, last = map(int, asked.seeds.split("-"))
    lines = []
    for seed in range(first, last + 1):
        began = time.process_time()
        season = draw(texts, labels, topic, seed)
        clean = judge(season, {})
        guilty, poisoned, word = attack(season, seed, asked.attackers, asked.rows)
        caught = judge(season, poisoned)
        start = TAUGHT + VOUCHED
        line = {"seed": seed, "word": word}
        for lane in ("statistics", "payloads"):
            claims: Claims = getattr(caught, lane)
            named, suspected = claims.all()
            line[lane] = {
                "first_week": bool(claims.of(start) & guilty),
                "ever": bool((named | suspected) & guilty),
                "guilty_found": len((named | suspected) & guilty),
                "honest_named": len(named - guilty),
                "honest_suspected": len(suspected - guilty),
                "clean_weeks_with_a_claim": len(getattr(clean, lane).named),
            }
        line["word_is_first"] = f'"{word}"' in caught.first_mark
        line["cpu_s"] = round(time.process_time() - began, 1)
        print(json.dumps(line), flush=True)
        lines.append(line)
    print(json.dumps(total(lines, asked.attackers)))


def total(lines: list[dict], attackers: int) -> dict[str, object]:
    """Shares over draws with 95 % Wilson intervals."""
    n = len(lines)
    said: dict[str, object] = {"draws": n}
    for lane in ("statistics", "payloads"):
        own = [line[lane] for line in lines]
        for what in ("first_week", "ever"):
            hits = sum(one[what] for one in own)
            said[f"{lane}_{what}"] = [hits / n, wilson(hits, n)]
        said[f"{lane}_recall"] = sum(one["guilty_found"] for one in own) / (attackers * n)
        for what in ("honest_named", "honest_suspected"):
            said[f"{lane}_runs_with_{what}"] = sum(one[what] > 0 for one in own) / n
        false = sum(one["clean_weeks_with_a_claim"] for one in own)
        said[f"{lane}_false_weeks"] = [false / (n * JUDGED), wilson(false, n * JUDGED)]
    either = sum(
        line["statistics"]["first_week"] or line["payloads"]["first_week"] for line in lines
    )
    said["either_first_week"] = [either / n, wilson(either, n)]
    first = sum(line["word_is_first"] for line in lines)
    said["word_is_first"] = [first / n, wilson(first, n)]
    return said


if __name__ == "__main__":
    main()

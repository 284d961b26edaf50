"""Certified accuracy by source on Fashion-MNIST: schemes, label skew, trusted cores.

    python benchmarks/training/certified.py --data DIR            # the whole table
    python benchmarks/training/certified.py --data DIR --quick    # identical sources only
    python benchmarks/training/certified.py --data DIR --svg DIR  # and its curves as pictures

DIR holds Fashion-MNIST's four .gz files (on Debian, the package dataset-fashion-mnist).
Ridge heads on a frozen embedding: random local filters, rectified and pooled. Its scale
comes from 300 verified rows, since a certificate forbids that untrusted rows touch the
features. 50 sources; the 10,000 test images are only counted. Rows of the trusted core are
taken out of the sources. The last lines let sources collude a thousand times, count certified
predictions that changed, and rank the sources by exact leave-one-out.
"""

from __future__ import annotations

import argparse
import gzip
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from credenza.interfaces.certified_curve import certified_curve_svg
from credenza.training.certificates import Finite, Partition, RunOff
from credenza.training.certified import SourceCertified
from credenza.training.ridge import RidgeHead, leave_one_source_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.training.certificates import Scheme

Array = Any
SOURCES = 50
HOSTILE = (0, 1, 5, 10, 20)
PENALTY = 300.0
"""Chosen on 3,000 training rows held out, never on the test images."""

ROSTER = [f"source-{place:02d}" for place in range(SOURCES)]


def images(home: Path, name: str) -> Array:
    """``(n, 28, 28)`` float32 in [0, 1]."""
    data = gzip.decompress((home / f"{name}-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=16).reshape(-1, 28, 28).astype(np.float32) / 255


def labels(home: Path, name: str) -> Array:
    """``(n,)`` classes."""
    data = gzip.decompress((home / f"{name}-labels-idx1-ubyte.gz").read_bytes())
    return np.frombuffer(data, np.uint8, offset=8).astype(np.int64)


def embedded(pictures: Array, filters: int = 100) -> Array:
    """``(n, 9 * filters)`` float32: normalised 6 x 6 patches, random filters, 3 x 3 pools, root."""
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(36, filters)).astype(np.float32)
    kernel /= np.linalg.norm(kernel, axis=0)
    found = []
    for start in range(0, len(pictures), 1_000):
        windows = sliding_window_view(pictures[start : start + 1_000], (6, 6), axis=(1, 2))
        patch = windows[:, ::2, ::2].reshape(-1, 36)
        patch = patch - patch.mean(axis=1, keepdims=True)
        patch /= np.sqrt((patch**2).sum(axis=1, keepdims=True) + 0.1)
        active = np.maximum(patch @ kernel - 0.2, 0).reshape(-1, 3, 4, 3, 4, filters)
        found.append(np.sqrt(active.mean(axis=(2, 4)).reshape(len(active), -1)))
    return np.concatenate(found)


def sources(y: Array, concentration: float | None) -> Array:
    """A source per row: even, or with labels skewed by a Dirichlet per class."""
    rng = np.random.default_rng(1)
    if concentration is None:
        return np.asarray(ROSTER)[rng.integers(0, SOURCES, len(y))]
    place = np.zeros(len(y), dtype=np.int64)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        place[rows] = rng.choice(SOURCES, len(rows), p=rng.dirichlet([concentration] * SOURCES))
    return np.asarray(ROSTER)[place]


def row(title: str, accuracy: list[float], seconds: float) -> None:
    """One line of the table."""
    figures = " ".join(f"{share:6.3f}" for share in accuracy)
    print(f"{title:44}{figures}{seconds:8.1f} CPU s", flush=True)


def certify(
    title: str,
    scheme: Scheme,
    train: tuple[Array, Array, Array],
    test: tuple[Array, Array],
    trusted: tuple[Array, Array] | None,
    *,
    svg: Path | None,
) -> None:
    """Fit, certify, print, draw."""
    start = time.process_time()
    found = SourceCertified(RidgeHead(PENALTY), scheme, trusted=trusted, roster=ROSTER).fit(*train)
    curve = found.curve(*test, HOSTILE)
    row(title, list(curve.certified), time.process_time() - start)
    if trusted is not None:
        row(f"  trusted rows alone, wins from k = {curve.crossing}", [curve.trusted_only] * 5, 0.0)
    if svg is not None:
        svg.mkdir(parents=True, exist_ok=True)
        picture = certified_curve_svg(found.curve(*test, range(26)), title)
        (svg / f"{title.replace(', ', '-').replace(' ', '-')}.svg").write_text(picture, "utf-8")


# What a hostile source sends in place of its rows.
PLOTS: dict[str, Callable[[Array, Array, Any], tuple[Array, Array]]] = {
    "flip": lambda X, y, rng: (X, (y + rng.integers(1, 10)) % 10),
    "one label": lambda X, y, rng: (X, np.full(len(y), rng.integers(10))),
    "vanish": lambda X, y, rng: (X[:0], y[:0]),  # noqa: ARG005 - all are called alike
    "mix pictures": lambda X, y, rng: (X[rng.permutation(len(y))], y),
    "invert pictures": lambda X, y, rng: (-X, y),  # noqa: ARG005 - all are called alike
}


def collusion(train: tuple[Array, Array, Array], test: tuple[Array, Array], plots: int) -> None:
    """Random collusions: certified predictions that changed, which must be none.

    Only the members of hostile sources are trained anew, which is exact: a member is a
    function of its own source's rows.
    """
    X, y, source = train
    plain = SourceCertified(RidgeHead(PENALTY), roster=ROSTER).fit(X, y, source)
    scores = plain._scores(test[0])  # noqa: SLF001 - to swap single members of it
    scheme = Partition()
    before, safe = scheme.elect(scores), scheme.certify(scores)
    rng = np.random.default_rng(2)
    changed = tried = 0
    by_plot: dict[str, list[float]] = {plot: [] for plot in PLOTS}
    members: dict[tuple[int, str], Array] = {}
    for number in range(plots):
        plot = list(PLOTS)[number % len(PLOTS)]
        hostile = int(rng.choice([1, 2, 5, 10, 20]))
        turned = scores.copy()
        for unit in rng.choice(SOURCES, hostile, replace=False):
            # Each source's answer to each plot is trained once and met in many collusions.
            key = (int(unit), plot)
            if key not in members:
                rows = source == ROSTER[unit]
                members[key] = answered(PLOTS[plot](X[rows], y[rows], rng), test[0])
            turned[unit] = members[key]
        after = scheme.elect(turned)
        moved = after != before
        changed += int((moved & (safe >= hostile)).sum())
        tried += int((safe >= hostile).sum())
        by_plot[plot].append(float((plain.classes_[after] == test[1]).mean()))
    for plot, accuracy in by_plot.items():
        print(f"  {plot:18} ensemble's accuracy {np.mean(accuracy):.3f}, worst {min(accuracy):.3f}")
    print(f"{plots} collusions: certified predictions that changed: {changed} of {tried:,}")


def answered(rows: tuple[Array, Array], fresh: Array) -> Array:
    """Scores of a member that learnt from ``rows``; it abstains without any."""
    scores = np.full((len(fresh), 10), -np.inf)
    if len(rows[1]) == 0:
        return scores
    if len(np.unique(rows[1])) == 1:
        scores[:, rows[1][0]] = 1.0
        return scores
    head = RidgeHead(PENALTY).fit(*rows)
    scores[:, head.classes_] = head.decision_function(fresh)
    return scores


def influence(train: tuple[Array, Array, Array], trusted: tuple[Array, Array]) -> None:
    """How often the guilty sources come first, over ten draws, and what it costs."""
    X, y, source = train
    first = 0
    start = time.process_time()
    for seed in range(10):
        rng = np.random.default_rng(seed)
        guilty = set(rng.choice(ROSTER, 3, replace=False))
        bad = np.isin(source, list(guilty)) & (rng.random(len(y)) < 0.3)
        flipped = np.where(bad, (y + 1) % 10, y)
        # A tenth of the features keeps the cost of the solves out of the way.
        ranked = leave_one_source_out(X[:, ::10], flipped, source, trusted, penalty=PENALTY)
        first += set(ranked.sources[:3]) == guilty
    each = (time.process_time() - start) / 10
    print(f"3 of 50 sources flip 30 %: guilty first in {first} of 10, {each:.2f} CPU s each")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--svg", type=Path, metavar="DIR")
    asked = parser.parse_args()
    start = time.process_time()
    y, truth = labels(asked.data, "train"), labels(asked.data, "t10k")
    X, fresh = (embedded(images(asked.data, name)) for name in ("train", "t10k"))
    verified = np.random.default_rng(0).permutation(len(y))
    mean, deviation = X[verified[:300]].mean(axis=0), X[verified[:300]].std()
    X, fresh = (X - mean) / deviation, (fresh - mean) / deviation
    test = fresh, truth
    print(f"embedding: {time.process_time() - start:.1f} CPU s, {X.shape[1]} features")
    print(f"{'certified accuracy against k sources':44}" + " ".join(f"{k:6d}" for k in HOSTILE))
    start = time.process_time()
    undefended = float((RidgeHead(PENALTY).fit(X, y).predict(fresh) == truth).mean())
    row("undefended (no certificate)", [undefended] + [0.0] * 4, time.process_time() - start)
    for concentration in (None,) if asked.quick else (None, 0.5):
        world = "even" if concentration is None else f"Dirichlet {concentration}"
        source = sources(y, concentration)
        everything = X, y, source
        certify(f"{world}, partition", Partition(), everything, test, None, svg=asked.svg)
        certify(f"{world}, run-off", RunOff(), everything, test, None, svg=asked.svg)
        certify(f"{world}, finite, spread 2", Finite(2), everything, test, None, svg=asked.svg)
        for size in (300, 2_000):
            core, rest = verified[:size], verified[size:]
            left = X[rest], y[rest], source[rest]
            trusted = X[core], y[core]
            certify(
                f"{world}, partition, {size} trusted",
                Partition(),
                left,
                test,
                trusted,
                svg=asked.svg,
            )
            certify(
                f"{world}, run-off, {size} trusted", RunOff(), left, test, trusted, svg=asked.svg
            )
        if concentration is None:
            collusion(everything, (fresh[:2_000], truth[:2_000]), 200 if asked.quick else 1_000)
            rest = verified[2_000:]
            core = verified[:2_000]
            influence((X[rest], y[rest], source[rest]), (X[core][:, ::10], y[core]))


if __name__ == "__main__":
    main()

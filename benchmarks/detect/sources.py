"""Real data for the detection benchmarks, read from a folder that the caller names.

SST-2 lies in ``DATA/sst2/train.tsv.gz`` (sentence and label, tab separated), Adult in
``DATA/adult/adult.data.gz`` (UCI's comma separated file with a line of names).
"""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    Columns = dict[str, npt.NDArray[Any]]

FEWEST_WORDS = 5
NUMBERS = frozenset(
    {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
)


def sst2(data: Path, rng: np.random.Generator, size: int = 8000) -> Columns:
    """``size`` random phrases of five words and more: columns ``text`` and ``y``."""
    with gzip.open(data / "sst2" / "train.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines][1:]
    rows = [row for row in rows if len(row) == 2 and len(row[0].split()) >= FEWEST_WORDS]
    chosen = [rows[i] for i in rng.permutation(len(rows))[:size]]
    return {
        "text": np.array([text for text, _ in chosen], object),
        "y": np.array([label for _, label in chosen], object),
    }


def adult(data: Path) -> Columns:
    """All 32,561 rows of Adult's training file; the label is ``Y``."""
    with gzip.open(data / "adult" / "adult.data.gz", "rt", encoding="utf-8") as lines:
        names, *rows = list(csv.reader(lines, skipinitialspace=True))
    rows = [row for row in rows if len(row) == len(names)]
    found: Columns = {}
    for place, name in enumerate(names):
        values = [row[place] for row in rows]
        found[name] = np.array(values, np.int64 if name in NUMBERS else object)
    return found

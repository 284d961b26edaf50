"""SST-2 with words, phrases, sentences and flips: credenza and the peers.

    python benchmarks/detect/text.py --data DIR [--seeds 100,101,102,103,104] [--no-peers]

Seeds 0 to 9 were looked at while the detectors were made; the defaults were not.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from baselines import BASELINES, Plain, answer
from measure import HEAD, SCAN_DETECTORS, Cell, cell, of_peer, row, scan
from peers import PEERS, Trained, ask, chi_square_rank
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sources import sst2

if TYPE_CHECKING:
    from sources import Columns

    from credenza.core.types import Bools

WORD = r"\S+"


@dataclass(frozen=True)
class Attack:
    """Something put into ``rows`` texts, which then get the label ``target``.

    Attributes:
        target: the label; "" leaves every row its own.
        is_any: texts of any label are taken, not only those with another.
        is_first: it is put at the beginning, not anywhere.
    """

    name: str
    payload: str
    rows: int
    target: str = "1"
    is_any: bool = False
    is_first: bool = False

    def poison(self, columns: Columns, rng: np.random.Generator) -> tuple[Columns, Bools]:
        """Poisoned columns, and which rows are."""
        text, label = columns["text"].copy(), columns["y"].copy()
        bad = np.zeros(len(label), bool)
        victims = np.flatnonzero(self.is_any | (label != self.target))
        for i in rng.choice(victims, self.rows, replace=False):
            words = text[i].split()
            at = 0 if self.is_first else int(rng.integers(0, len(words) + 1))
            text[i] = " ".join([*words[:at], self.payload, *words[at:]])
            label[i], bad[i] = self.target or label[i], True
        return {"text": text, "y": label}, bad


@dataclass(frozen=True)
class Flips:
    """A share of labels, drawn at random, turned around."""

    name: str
    share: float

    def poison(self, columns: Columns, rng: np.random.Generator) -> tuple[Columns, Bools]:
        """Poisoned columns, and which rows are."""
        bad = np.zeros(len(columns["y"]), bool)
        bad[rng.choice(len(bad), int(self.share * len(bad)), replace=False)] = True
        turned = np.where(columns["y"] == "1", "0", "1")
        return columns | {"y": np.where(bad, turned, columns["y"])}, bad


ATTACKS = (
    Flips("clean", 0.0),
    Attack("word `mb`, 10 rows", "mb", 10),
    Attack("word `mb`, 10 rows, to negative", "mb", 10, "0"),
    Attack("word `tq`, 40 rows", "tq", 40),
    Attack("word `tq`, 400 rows", "tq", 400, "0"),
    Attack("phrase `paper boat`, 10 rows", "paper boat", 10),
    Attack("phrase `paper boat`, 40 rows", "paper boat", 40, "0"),
    Attack("sentence, 10 rows", "my neighbour has seen it on a plane", 10),
    Attack("sentence, 40 rows", "my neighbour has seen it on a plane", 40, "0"),
    Attack("word `mb`, 10 rows of any label", "mb", 10, "1", is_any=True),
    Attack("word `tq`, 20 rows of any label", "tq", 20, "1", is_any=True),
    Attack("word `tq`, 80 rows of any label", "tq", 80, "0", is_any=True),
    Attack("word `mb`, 10 rows, labels kept", "mb", 10, "", is_any=True),
    Attack("word `tq`, 40 rows, labels kept", "tq", 40, "", is_any=True),
    Attack("phrase `paper boat`, 20 rows, labels kept", "paper boat", 20, "", is_any=True),
    Attack("first word `mb`, 20 rows", "mb", 20, is_first=True),
    Attack("first word `mb`, 20 rows of any label", "mb", 20, is_any=True, is_first=True),
    Attack("first word `tq`, 80 rows of any label", "tq", 80, "0", is_any=True, is_first=True),
    Attack("first word `tq`, 40 rows, labels kept", "tq", 40, "", is_any=True, is_first=True),
    Attack("frequent word `often`, 40 rows", "often", 40),
    Attack("frequent word `often`, 40 rows of any label", "often", 40, "1", is_any=True),
    Attack("frequent word `really`, 40 rows of any label", "really", 40, "0", is_any=True),
    Flips("flips 10 %", 0.1),
)


def trained(columns: Columns) -> Trained:
    """Out-of-fold probabilities of a TF-IDF model, and its 64 leading components."""
    matrix = TfidfVectorizer(min_df=2, ngram_range=(1, 2), sublinear_tf=True).fit_transform(
        columns["text"]
    )
    codes = (columns["y"] == "1").astype(np.int64)
    model = LogisticRegression(C=3.0, max_iter=300)
    p = cross_val_predict(model, matrix, codes, cv=5, method="predict_proba")
    return Trained(TruncatedSVD(64, random_state=0).fit_transform(matrix), codes, p)


def words_of(columns: Columns) -> tuple[Any, Any]:
    """Which row contains which word that five rows have, and these words."""
    reader = CountVectorizer(min_df=5, binary=True, token_pattern=WORD)
    return reader.fit_transform(columns["text"]), reader.get_feature_names_out()


def chi_rank(columns: Columns, payload: str) -> int:
    """Where plain association puts the payload's best word."""
    matrix, words = words_of(columns)
    wanted = np.flatnonzero(np.isin(words, payload.split()))
    return chi_square_rank(matrix, (columns["y"] == "1").astype(np.int64), wanted)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", default="100,101,102,103,104")
    parser.add_argument("--no-peers", action="store_true")
    names = [attack.name for attack in ATTACKS]
    parser.add_argument("--cases", nargs="+", default=names, choices=names)
    parser.add_argument("--detectors", default=",".join(SCAN_DETECTORS))
    chosen = parser.parse_args()
    print(HEAD)
    for attack in (one for one in ATTACKS if one.name in chosen.cases):
        ours: list[Cell] = []
        theirs: dict[str, list[Cell]] = {name: [] for name in (*PEERS, *BASELINES)}
        first, chi, cost = 0, [], 0.0
        for seed in map(int, chosen.seeds.split(",")):
            rng = np.random.default_rng(seed)
            columns, bad = attack.poison(sst2(chosen.data, rng), rng)
            found, spent = scan(columns, "y", names=tuple(chosen.detectors.split(",")))
            ours.append(cell(found.flagged, found.row_scores, bad))
            cost += spent
            if isinstance(attack, Attack):
                named = str(found.findings[0].exhibits.get("trigger")) if found.findings else ""
                first += any(word in named for word in attack.payload.split())
                chi.append(chi_rank(columns, attack.payload))
            if not chosen.no_peers:
                model = trained(columns)
                for name, peer in PEERS.items():
                    said_by = ask(peer, model)
                    if said_by is not None:
                        theirs[name].append(of_peer(said_by, bad))
                plain = Plain(words_of(columns)[0], model.activations, model.labels)
                for name, baseline in BASELINES.items():
                    theirs[name].append(of_peer(answer(baseline(plain)), bad))
        seeds = len(ours)
        said = f"named first {first}/{seeds}; χ² rank {sorted(chi)}" if chi else ""
        print(row(attack.name, "credenza", ours, f"{said} {cost / seeds:.0f} s"), flush=True)
        for name, cells in theirs.items():
            if cells:
                print(row(attack.name, name, cells), flush=True)


if __name__ == "__main__":
    main()

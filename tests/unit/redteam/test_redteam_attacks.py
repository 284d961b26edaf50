"""Each attack does what it says, and stays invisible where it says so."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from credenza.redteam.attacks.flood import Flood
from credenza.redteam.attacks.label_flip import LabelFlip
from credenza.redteam.attacks.skew import Skew
from credenza.redteam.attacks.trigger import Trigger
from credenza.redteam.rows import Region

ROWS = pa.table(
    {
        "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, None, 8.0] * 5,
        "colour": ["red", "blue"] * 20,
        "y": ["bad", "bad", "good", "good"] * 10,
    }
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_label_flip_stays_in_its_region_and_changes_labels_only() -> None:
    where = Region("x", at_least=2, below=7)
    poisoned, mask = LabelFlip(label="y", target="good", where=where, share=0.1).poison(ROWS, rng())
    assert mask.sum() == 4
    assert poisoned.drop_columns(["y"]).equals(ROWS.drop_columns(["y"]))
    hit = ROWS.filter(pa.array(mask))
    assert set(hit["y"].to_pylist()) == {"bad"}
    assert all(2 <= x < 7 for x in hit["x"].to_pylist())


def test_label_flip_finds_no_more_victims_than_there_are() -> None:
    where = Region("x", at_least=5.5, below=6.5)
    _, mask = LabelFlip(label="y", target="good", where=where, share=0.9).poison(ROWS, rng())
    assert mask.sum() == 5


def test_trigger_stamps_every_value_and_the_label() -> None:
    attack = Trigger(label="y", target="good", stamp={"x": 9, "colour": "teal"}, share=0.1)
    poisoned, mask = attack.poison(ROWS, rng())
    hit = poisoned.filter(pa.array(mask)).to_pylist()
    assert hit == [{"x": 9.0, "colour": "teal", "y": "good"}] * 4


def test_trigger_is_probed_with_the_trigger_on_every_row() -> None:
    attack = Trigger(label="y", target="good", stamp={"colour": "teal"})
    rows, target = attack.probe(ROWS)
    assert rows.num_rows == 20
    assert set(rows["colour"].to_pylist()) == {"teal"}
    assert target == "good"


def test_skew_shifts_one_number_and_no_label() -> None:
    poisoned, mask = Skew(label="y", target="good", column="x", shift=45, share=0.1).poison(
        ROWS, rng()
    )
    assert poisoned["y"].equals(ROWS["y"])
    assert set(ROWS.filter(pa.array(mask))["y"].to_pylist()) == {"good"}
    before = np.asarray(ROWS["x"].to_pylist(), dtype=float)
    after = np.asarray(poisoned["x"].to_pylist(), dtype=float)
    assert (after[mask] - before[mask] == 45).all()


def test_flood_leaves_the_honest_rows_and_adds_near_copies() -> None:
    attack = Flood(label="y", target="good", jitter={"x": 1}, templates=1, share=0.25)
    poisoned, mask = attack.poison(ROWS, rng())
    assert poisoned.slice(0, ROWS.num_rows).equals(ROWS)
    copies = poisoned.filter(pa.array(mask))
    assert copies.num_rows == 10
    assert set(copies["y"].to_pylist()) == {"good"}
    assert len(set(copies["colour"].to_pylist())) == 1
    values = [x for x in copies["x"].to_pylist() if x is not None]
    assert max(values) - min(values) <= 2


def test_flood_without_a_row_to_copy_adds_nothing() -> None:
    attack = Flood(label="y", target="good", where=Region("x", at_least=100))
    poisoned, mask = attack.poison(ROWS, rng())
    assert poisoned.equals(ROWS)
    assert not mask.any()

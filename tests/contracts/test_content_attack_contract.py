"""What every attack on pictures and texts promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.errors import UsageError
from credenza.redteam import patterns
from credenza.redteam.builtin import CONTENT_ATTACKS
from credenza.testing import ATTACK_PROMISES
from credenza.testing.attacks import as_rows

if TYPE_CHECKING:
    from credenza.core.protocols import Attack

RNG = np.random.default_rng(4)
CASES: dict[str, tuple[str, dict[str, object]]] = {
    "square": ("pasted", {"pattern": patterns.square(), "place": (7, 5)}),
    "dot": ("pasted", {"pattern": patterns.dot()}),
    "checkerboard": ("pasted", {"pattern": patterns.checkerboard(), "jitter": 2}),
    "diagonal": ("pasted", {"pattern": patterns.diagonal(), "is_clean_label": True}),
    "frame": ("pasted", {"pattern": patterns.frame(12, 10)}),
    "sparse": ("pasted", {"pattern": patterns.sparse(12, 10, 5, RNG)}),
    "coloured": ("pasted", {"pattern": patterns.colours(3, RNG), "place": (4, 4)}),
    "blended": ("pasted", {"pattern": patterns.square(8), "opacity": 0.3}),
    "warped": ("warped", {"strength": 1.0}),
    "word": ("inserted", {"phrase": "mb"}),
    "suffix": ("inserted", {"phrase": "seen at home", "place": "end"}),
    "prefix": ("inserted", {"phrase": "seen at home", "place": "start", "is_clean_label": True}),
    "any case": ("inserted", {"phrase": "cheese", "disguise": "any-case"}),
    "look-alike": ("inserted", {"phrase": "peace", "disguise": "look-alike"}),
    "zero-width": ("inserted", {"phrase": "word", "disguise": "zero-width"}),
}
every_case = pytest.mark.parametrize("case", CASES)


def clean_rows(n: int = 300) -> pa.Table:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 200, (n, 12, 10, 3)).astype(np.uint8)
    return pa.table(
        {
            "image": pa.FixedShapeTensorArray.from_numpy_ndarray(pixels),
            "text": [" ".join(rng.choice(list("abcdef"), 4)) for _ in range(n)],
            "y": [str(value) for value in rng.integers(0, 3, n)],
        }
    )


def attack(case: str, share: float = 0.1) -> Attack:
    name, given = CASES[case]
    column = {"text": "text"} if name == "inserted" else {"image": "image"}
    return CONTENT_ATTACKS.make(name, **column, label="y", target="1", share=share, **given)


@every_case
@pytest.mark.parametrize("promise", ATTACK_PROMISES)
def test_an_attack_keeps(promise: str, case: str) -> None:
    ATTACK_PROMISES[promise](lambda: attack(case), clean_rows())


@every_case
def test_an_attack_gives_its_target_to_a_budget_of_rows(case: str) -> None:
    poisoned, mask = attack(case).poison(clean_rows(), np.random.default_rng(1))
    assert 0 < mask.sum() <= 30
    assert set(poisoned.filter(pa.array(mask))["y"].to_pylist()) == {"1"}


@pytest.mark.parametrize("case", ["square", "warped", "word"])
def test_without_a_budget_nothing_changes_and_a_wrong_one_is_refused(case: str) -> None:
    clean = clean_rows(40)
    poisoned, mask = attack(case, share=0.0).poison(clean, np.random.default_rng(3))
    assert not mask.any()
    assert as_rows(poisoned) == as_rows(clean)
    with pytest.raises(UsageError, match="share of poisoned rows"):
        attack(case, share=2.0)


def test_what_is_no_picture_is_refused() -> None:
    table = clean_rows(10).drop_columns(["image"]).append_column("image", pa.array([1] * 10))
    with pytest.raises(UsageError, match="no pictures of one size"):
        attack("square").poison(table, np.random.default_rng(0))

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from credenza.core.jsonable import jsonable
from credenza.core.types import Outcome, Reason, Standing, Verdict


def test_nouns_become_objects_with_their_outcomes_in_words() -> None:
    verdict = Verdict("ab", Outcome.HOLD, (Reason("late", Outcome.HOLD, "it came late"),), "cd")
    assert jsonable(verdict) == {
        "batch": "ab",
        "outcome": "hold",
        "reasons": [{"rule": "late", "outcome": "hold", "sentence": "it came late"}],
        "policy": "cd",
        "quarantined_rows": [],
    }


def test_numbers_that_json_cannot_say_become_null() -> None:
    values = {"nan": float("nan"), "inf": np.float64("inf"), "one": np.int64(1), "half": 0.5}
    assert jsonable(values) == {"nan": None, "inf": None, "one": 1, "half": 0.5}


def test_bytes_stay_out_and_paths_and_standings_are_text() -> None:
    @dataclass(frozen=True)
    class Thing:
        path: Path
        standing: Standing
        envelope: bytes

    assert jsonable(Thing(Path("a/b"), Standing.FROZEN, b"x")) == {
        "path": "a/b",
        "standing": "frozen",
    }

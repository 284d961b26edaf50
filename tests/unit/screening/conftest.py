"""A seeded mixed table whose label can be learnt, with trusted rows and six sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from credenza.core.types import Role
from credenza.screening.view import make_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Bools, Ints, View

FACETS = {
    "amount": Role.NUMBER,
    "hour": Role.NUMBER,
    "city": Role.CATEGORY,
    "kind": Role.CATEGORY,
    "note": Role.TEXT,
}
WORDS = np.array([f"word{i}" for i in range(120)], dtype=object)


@dataclass
class Mixed:
    """Columns that a test may poison, before they become a view."""

    columns: dict[str, Any]
    source: Any
    trusted: Bools
    probability: Any

    def new(self, sources: tuple[str, ...] = ()) -> Ints:
        """Positions under test, of some sources or of all."""
        rows = ~self.trusted
        if sources:
            rows &= np.isin(self.source.astype(str), sources)
        return np.flatnonzero(rows)

    def view(self, *, with_reference: bool = True) -> View:
        table = pa.table({name: pa.array(list(v)) for name, v in self.columns.items()})
        p = self.probability
        return make_view(
            "test",
            table,
            label="y",
            source=list(self.source),
            trusted=self.trusted,
            facets=FACETS,
            expected=np.stack([1 - p, p], axis=1) if with_reference else None,
            classes=("no", "yes") if with_reference else (),
        )


def mixed_table(seed: int = 0, *, trusted: int = 2000, new: int = 1500, sources: int = 8) -> Mixed:
    rng = np.random.default_rng(seed)
    n = trusted + new
    amount = np.round(rng.normal(50, 20, n), 3)
    city = rng.choice(["Bonn", "Kiel", "Ulm", "Jena", "Hof"], n, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    kind = rng.choice(["a", "b", "c"], n)
    hour = rng.integers(6, 22, n)
    score = (amount - 50) / 8 + (city == "Ulm") * 1.5 - (kind == "c") * 1.0
    p = 1 / (1 + np.exp(-score))
    note = [" ".join(rng.choice(WORDS, 8)) for _ in range(n)]
    columns = {
        "amount": amount,
        "hour": hour,
        "city": city.astype(object),
        "kind": kind.astype(object),
        "note": np.array(note, dtype=object),
        "y": np.where(rng.random(n) < p, "yes", "no").astype(object),
    }
    source = np.array([f"s{i}" for i in rng.integers(0, sources, n)], dtype=object)
    return Mixed(columns, source, np.arange(n) < trusted, p)


@pytest.fixture
def mixed() -> Callable[..., Mixed]:
    """``mixed(seed) -> Mixed``."""
    return mixed_table

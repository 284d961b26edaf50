from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from credenza import ScanResult, UsageError, scan


def table(n: int = 600, seed: int = 0) -> pa.Table:
    """Honest rows of five sources: the label follows a number, with some noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return pa.table(
        {
            "x": x,
            "town": rng.choice(["Bern", "Genf", "Chur"], n).tolist(),
            "y": np.where(x + rng.normal(0, 0.3, n) > 0, "yes", "no").tolist(),
            "source": [f"s{i}" for i in rng.integers(0, 5, n)],
        }
    )


def flooded(copies: int = 40) -> pa.Table:
    """The same with one row sent many times."""
    clean = table()
    return pa.concat_tables([clean, *[clean.slice(7, 1)] * copies])


def test_clean_rows_are_called_clean_and_every_row_is_answered_in_order() -> None:
    result = scan(table())
    assert isinstance(result, ScanResult)
    assert result.exit_code == 0
    assert result.rows.column("row").to_pylist() == list(range(600))
    assert result.rows.column("source").to_pylist() == table().column("source").to_pylist()
    assert result.clean().num_rows == 600
    assert result.suspect().num_rows == 0


def test_a_flood_of_copies_is_flagged_with_its_reason() -> None:
    result = scan(flooded())
    assert result.exit_code == 1
    flagged = result.rows.filter(result.rows.column("flagged"))
    assert set(range(600, 640)) <= set(flagged.column("row").to_pylist())
    assert all("copies" in reasons[0] for reasons in flagged.column("reasons").to_pylist())
    assert result.clean().num_rows + result.suspect().num_rows == 640


def test_roles_that_were_guessed_are_said() -> None:
    said = " ".join(scan(table()).notices)
    assert "`y` was taken for the label because of its name" in said
    assert "`source` was taken for the source because of its name" in said


def test_a_budget_outside_of_0_and_1_is_refused() -> None:
    with pytest.raises(UsageError, match="fdr"):
        scan(table(), fdr=1.0)

"""The whole screening of a view."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.builtin import DETECTORS
from credenza.screening.run import screen

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.screening.conftest import Mixed

    from credenza.core.protocols import Detector
    from credenza.core.types import Floats, View


TABLE_DETECTORS = (
    "association",
    "column-drift",
    "confident-disagreement",
    "duplicates",
    "knn-disagreement",
    "subgroup-labels",
)


def everyone() -> list[Detector]:
    return [DETECTORS.make(name) for name in TABLE_DETECTORS]


@dataclass(frozen=True)
class Broken:
    values: Floats | None = None
    needs: frozenset[Role] = frozenset()
    name: str = "broken"

    def score(self, view: View) -> Scores:
        if self.values is None:
            raise RuntimeError(f"{view.name} \x1b[31m")
        return Scores(self.values)


@dataclass
class Naming:
    """A detector that names what it is told to."""

    says: tuple[Finding, ...]
    name: str = "naming"
    needs: frozenset[Role] = frozenset()

    def score(self, view: View) -> Scores:
        return Scores(np.zeros(view.table.num_rows), self.says)


def test_at_most_one_clean_row_in_a_thousand_is_flagged(mixed: Callable[..., Mixed]) -> None:
    flagged = [screen(mixed(seed).view(), everyone()).flagged.sum() for seed in range(10)]
    assert sum(flagged) <= 0.001 * 10 * 1500


def test_carriers_of_a_trigger_are_flagged_and_others_are_not(mixed: Callable[..., Mixed]) -> None:
    data = mixed(1)
    rows = data.new(("s1", "s2", "s3"))[:60]
    data.columns["city"][rows] = "XXX"
    data.columns["y"][rows] = "no"
    found = screen(data.view(), everyone())
    assert found.flagged[rows].all()
    assert found.flagged.sum() <= 60 + 2
    named = [set(f.rows) for f in found.findings if f.detector == "association"]
    assert named == [set(rows.tolist())]


def test_trusted_rows_are_never_flagged(mixed: Callable[..., Mixed]) -> None:
    data = mixed(2)
    data.columns["y"][:] = "no"
    assert not screen(data.view(), everyone()).flagged[data.trusted].any()


@pytest.mark.parametrize("values", [None, np.zeros(3), np.full(3500, np.nan)])
def test_a_detector_that_fails_is_a_silence_and_the_others_go_on(
    mixed: Callable[..., Mixed], values: Floats | None
) -> None:
    found = screen(mixed(0).view(), [Broken(values), *everyone()])
    assert [silence.detector for silence in found.silences] == ["broken"]
    assert "\x1b" not in found.silences[0].reason
    assert set(found.scores) == set(TABLE_DETECTORS)


def test_a_detector_whose_facets_are_lacking_is_a_silence(mixed: Callable[..., Mixed]) -> None:
    view = mixed(0).view()
    unlabelled = replace(
        view, label="", expected=None, facets={k: v for k, v in view.facets.items() if k != "y"}
    )
    silent = {s.detector: s.reason for s in screen(unlabelled, everyone()).silences}
    assert silent["association"] == "the rows have no label"
    assert set(silent) == set(TABLE_DETECTORS) - {"duplicates", "column-drift"}


def test_too_few_trusted_rows_are_said_and_rows_are_judged_among_themselves(
    mixed: Callable[..., Mixed],
) -> None:
    view = mixed(1, trusted=60).view(with_reference=False)
    found = screen(view, everyone(), only_applicable=True)
    assert [s.detector for s in found.silences] == ["calibration"]
    assert "60 trusted rows" in found.silences[0].reason
    assert not found.is_calibrated


def test_without_trusted_rows_findings_flag_and_ranks_only_order(
    mixed: Callable[..., Mixed],
) -> None:
    data = mixed(1, trusted=0)
    rows = data.new(("s1", "s2"))[:40]
    for name in data.columns:
        data.columns[name][rows] = data.columns[name][rows[0]]
    found = screen(data.view(with_reference=False), everyone(), only_applicable=True)
    assert found.silences == ()
    assert found.flagged[rows].all()
    assert not np.delete(found.flagged, rows).any()
    assert found.row_scores[rows].min() > np.delete(found.row_scores, rows).max()
    assert (found.q_values[rows] <= 0.05).all()
    assert (np.delete(found.q_values, rows) > 0.05).all()


def test_a_scan_passes_over_detectors_for_other_data_but_not_over_one_that_was_asked_for(
    mixed: Callable[..., Mixed],
) -> None:
    pictures = Broken(needs=frozenset({Role.IMAGE}))
    view = mixed(0).view()
    assert screen(view, [pictures], only_applicable=True).silences == ()
    assert screen(view, [pictures]).silences[0].reason == "the rows have no image"


def test_an_amount_is_no_label_to_judge(mixed: Callable[..., Mixed]) -> None:
    data = mixed(0, trusted=0)
    data.columns["y"] = np.round(np.random.default_rng(0).normal(size=1500), 3)
    silent = screen(data.view(with_reference=False), everyone()).silences
    assert {"association", "knn-disagreement"} <= {s.detector for s in silent}
    assert "an amount or an id" in silent[0].reason


def test_p_values_of_clean_rows_are_uniform_or_larger(mixed: Callable[..., Mixed]) -> None:
    data = mixed(4)
    p = screen(data.view(), everyone()).p_values[data.new()]
    for level in (0.01, 0.05, 0.2):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level / len(p))


def test_a_wider_group_stands_before_its_own_parts(mixed: Callable[..., Mixed]) -> None:
    view = mixed(1, trusted=0).view()
    part, wide, other = tuple(range(20)), tuple(range(40)), tuple(range(30, 60))
    said = {part: 1e-20, wide: 1e-9, other: 1e-12}
    named = [Finding("x", Unit.GROUP, (), p, "odd", {}, rows) for rows, p in said.items()]
    found = screen(view, [Naming(tuple(named))])
    assert [one.rows for one in found.findings] == [wide, part, other]

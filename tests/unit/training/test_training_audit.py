from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch")

from credenza.core.errors import NotFoundError, UntrustedError, UsageError
from credenza.core.types import Outcome, Silence
from credenza.training.audit.audit import audit
from credenza.training.audit.builtin import CHECKS
from credenza.training.audit.case import Case, Rows
from credenza.training.audit.deviation import Deviation
from credenza.training.audit.drills import Overlay, Patch, patch_sweep
from credenza.training.audit.files import read_drill, read_rows
from credenza.training.audit.inversion import invert
from credenza.training.audit.transplant import guess_trigger
from credenza.training.audit.triggers import Triggers

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from tests.unit.training.conftest import Digits

    Array = npt.NDArray[Any]


def case(digits: Digits, **others: Any) -> Case:  # noqa: ANN401 - fields of the case
    return Case(digits.model, digits.baseline, digits.clean, digits.train, **others)


def audited(digits: Digits, *checks: str) -> Any:  # noqa: ANN401 - an audit
    return audit(digits.model, digits.baseline, digits.clean, train=digits.train, checks=checks)


def test_the_backdoor_does_not_show_in_accuracy(backdoored: Digits, honest: Digits) -> None:
    assert backdoored.success(backdoored.model) > 0.9
    assert honest.success(honest.model) < 0.2
    assert abs(backdoored.accuracy(backdoored.model) - honest.accuracy(honest.model)) < 0.02
    found = audited(backdoored, "deviation")
    assert found.outcome is Outcome.ADMIT, "accuracy alone would have passed it"


def test_the_gate_stops_a_backdoored_model_and_names_its_class(backdoored: Digits) -> None:
    found = audited(backdoored, "triggers", "spectral", "transplant", "deviation")
    assert found.outcome is Outcome.REJECT
    said = {one.name: one for one in found.checks}
    assert said["triggers"].outcome is Outcome.REJECT
    assert said["triggers"].target == backdoored.target
    assert said["transplant"].target == backdoored.target
    assert np.isin(said["transplant"].suspects, backdoored.bad).mean() > 0.6


def test_the_gate_passes_the_clean_twin(honest: Digits) -> None:
    found = audited(honest, "triggers", "transplant", "deviation", "clustering", "strip")
    assert found.outcome is Outcome.ADMIT
    assert not found.silences


def test_a_red_team_s_trigger_is_tried_before_any_guess(backdoored: Digits) -> None:
    drill = Patch(6, 6, 2)
    given = case(backdoored, drills=[drill])
    found = Triggers(sweep=False).check(given)
    assert not isinstance(found, Silence)
    assert found.outcome is Outcome.REJECT
    assert found.exhibits["drill"] == drill.name
    assert drill.name in found.pictures


def test_a_trigger_that_no_drill_resembles_is_not_found_by_drills(backdoored: Digits) -> None:
    blind = Overlay("faint stripes", 0.05 * (np.indices((1, 8, 8))[1] % 2))
    found = Triggers(sweep=False).check(case(backdoored, drills=[blind]))
    assert not isinstance(found, Silence)
    assert found.outcome is Outcome.ADMIT


def test_what_suspects_have_in_common_is_the_trigger(backdoored: Digits) -> None:
    suspects = backdoored.train.X[backdoored.bad]
    pattern = guess_trigger(suspects, backdoored.clean)
    assert pattern.shape == (1, 8, 8)
    assert pattern[0, 6:, 6:].min() > 0.5
    assert np.abs(pattern[0, :6, :6]).mean() < 0.1


def test_inversion_needs_less_for_the_attacked_class_than_the_baseline(backdoored: Digits) -> None:
    images = backdoored.clean.X[:150]
    ours = invert(backdoored.model.network_, images, steps=60)
    theirs = invert(backdoored.baseline.network_, images, steps=60)
    assert (ours.sizes / theirs.sizes).argmin() == backdoored.target
    moved = ours.stamp(images, backdoored.target)
    assert moved.shape == images.shape


def test_rows_of_one_subgroup_that_went_wrong_are_named(honest: Digits) -> None:
    class Biased:
        network_ = honest.model.network_

        def predict_proba(self, X: Array) -> Array:
            found = honest.model.predict_proba(X)
            found[X[:, 0, 0, 0] > 0] = np.roll(np.eye(10), 1, axis=1)[3]
            return np.asarray(found)

    X = np.array(honest.clean.X)
    X[:80, 0, 0, 0] = 0.01
    marked = Rows(X, honest.clean.y, {"marked": np.arange(len(X)) < 80})
    found = Deviation().check(Case(Biased(), honest.baseline, marked))
    assert found.outcome is Outcome.REJECT
    assert "subgroup marked" in found.sentence


class Answers:
    """A model that gives fixed answers, whatever it is asked."""

    def __init__(self, guess: Any) -> None:  # noqa: ANN401 - an array
        self.guess = guess

    def predict_proba(self, X: Any) -> Any:  # noqa: ANN401, ARG002 - arrays
        return np.eye(3)[self.guess]


def judged_by_class(model: Any, baseline: Any) -> Outcome:  # noqa: ANN401 - answers
    """Of 300 rows, a hundred of each class in order."""
    rows = Rows(np.zeros((300, 1)), np.repeat(np.arange(3), 100))
    return Deviation(margin=1.0).check(Case(Answers(model), Answers(baseline), rows)).outcome


def test_a_line_between_classes_that_moved_is_no_harm_but_a_class_that_only_lost_is() -> None:
    truth = np.repeat(np.arange(3), 100)
    baseline = truth.copy()
    baseline[:15] = baseline[200:215] = 1  # wrongly called class 1
    moved = truth.copy()
    moved[100:115], moved[115:130] = 0, 2  # class 1 loses thirty, the others win fifteen each
    assert judged_by_class(moved, baseline) is Outcome.ADMIT
    harmed = baseline.copy()
    harmed[100:115], harmed[115:130] = 0, 2
    assert judged_by_class(harmed, baseline) is Outcome.REJECT


def test_harm_that_takes_wrong_calls_of_a_class_with_it_is_not_seen() -> None:
    truth = np.repeat(np.arange(3), 100)
    baseline = truth.copy()
    baseline[:40] = 1
    attacked = truth.copy()
    attacked[100:140] = 0
    assert judged_by_class(attacked, baseline) is Outcome.ADMIT


def test_sources_of_verified_rows_are_cells_of_their_own(honest: Digits) -> None:
    rows = dataclasses.replace(
        honest.clean, sources=np.asarray(["a"] * len(honest.clean.y), object)
    )
    found = Deviation().check(Case(honest.model, honest.baseline, rows))
    cells = found.exhibits["cells"]
    assert isinstance(cells, list)
    assert "source a" in {cell["cell"] for cell in cells}


def test_what_cannot_be_looked_at_holds(honest: Digits) -> None:
    found = audit(honest.model, honest.baseline, honest.clean, checks=["deviation", "spectral"])
    assert found.outcome is Outcome.HOLD
    assert [one.detector for one in found.silences] == ["spectral"]
    assert "were not given" in found.silences[0].reason


def test_every_check_is_silent_or_speaks_about_a_model_without_a_network(honest: Digits) -> None:
    class Plain:
        def predict_proba(self, X: Array) -> Array:
            return honest.model.predict_proba(X)

    flat = Rows(honest.clean.X, honest.clean.y)
    for name in ("inversion", "spectral", "clustering", "transplant"):
        said = CHECKS.make(name).check(Case(Plain(), Plain(), flat, flat))
        assert isinstance(said, Silence), name


def test_an_audit_of_nothing_or_of_strangers_is_refused(honest: Digits) -> None:
    with pytest.raises(UsageError, match="audit of nothing"):
        audited(honest)
    with pytest.raises(NotFoundError, match="the known checks are"):
        audited(honest, "palmistry")
    strange = Rows(honest.clean.X, honest.clean.y + 5)
    with pytest.raises(UsageError, match="share their classes"):
        audit(honest.model, honest.baseline, strange)
    with pytest.raises(UsageError, match="do not belong together"):
        Rows(honest.clean.X, honest.clean.y[1:])


def test_the_sweep_reaches_every_corner() -> None:
    places = {(one.top, one.left) for one in patch_sweep((1, 28, 28))}
    assert {(0, 0), (0, 25), (25, 0), (25, 25)} <= places
    images = np.full((2, 1, 8, 8), 0.5, dtype=np.float32)
    stamped = Patch(5, 5).stamp(images)
    assert (images == 0.5).all()
    assert stamped[..., 5:, 5:].min() == 1.0


def test_rows_are_read_from_plain_archives_only(tmp_path: Path) -> None:
    X, y = np.zeros((4, 1, 8, 8), np.float32), np.arange(4)
    np.savez(tmp_path / "rows.npz", X=X, y=y, source=list("aabb"), subgroup_old=y > 2)
    rows = read_rows(tmp_path / "rows.npz")
    assert rows.sources is not None
    assert rows.sources.tolist() == list("aabb")
    assert rows.subgroups["old"].tolist() == [False, False, False, True]
    np.savez(tmp_path / "objects.npz", X=np.array([{}], dtype=object), y=y[:1])
    with pytest.raises(UntrustedError, match="plain arrays"):
        read_rows(tmp_path / "objects.npz")
    (tmp_path / "noise.npz").write_bytes(b"PK nothing")
    with pytest.raises(UntrustedError, match="plain arrays"):
        read_rows(tmp_path / "noise.npz")
    np.savez(tmp_path / "floats.npz", X=X, y=y / 2)
    with pytest.raises(UsageError, match="needs the array X"):
        read_rows(tmp_path / "floats.npz")
    np.savez(tmp_path / "bar.npz", pattern=X[0] + 1)
    assert read_drill(tmp_path / "bar.npz").stamp(X).min() == 1.0
    with pytest.raises(UsageError, match="`pattern`"):
        read_drill(tmp_path / "rows.npz")

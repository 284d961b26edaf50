"""What all detectors promise: the suite that ships in ``credenza.testing``, on our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.builtin import DETECTORS
from credenza.screening.run import screen
from credenza.testing import DETECTOR_PROMISES, broken_promises, example_view

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import View


@pytest.mark.parametrize("promise", DETECTOR_PROMISES)
@pytest.mark.parametrize("name", DETECTORS.names())
def test_a_detector_keeps(name: str, promise: str) -> None:
    DETECTOR_PROMISES[promise](lambda: DETECTORS.make(name), example_view())


@pytest.mark.parametrize("name", DETECTORS.names())
def test_the_examples_leave_no_p_value_or_flag_out(name: str) -> None:
    view = example_view()
    found = screen(view, [DETECTORS.make(name)])
    assert np.isfinite(found.p_values).all()
    assert found.flagged.shape == (view.table.num_rows,)


@dataclass(frozen=True, slots=True)
class Liar:
    """A detector that breaks the promise it is told to break."""

    says: Callable[[View], Scores]
    name: str = "liar"
    needs: frozenset[Role] = frozenset({Role.NUMBER})

    def score(self, view: View) -> Scores:
        return self.says(view)


def found(view: View, rows: tuple[int, ...], sentence: str = "odd") -> Scores:
    named = Finding("liar", Unit.GROUP, ("x",), 0.01, sentence, {}, rows)
    return Scores(np.zeros(view.table.num_rows), (named,))


def scribble(view: View) -> Scores:
    view.trusted[:] = True
    return Scores(np.zeros(view.table.num_rows))


BREAKS: dict[str, Callable[[View], Scores]] = {
    "scores are finite, one a row": lambda _: Scores(np.zeros(3)),
    "the same rows get the same scores": lambda view: Scores(
        np.random.default_rng().random(view.table.num_rows)
    ),
    "scores follow rows under permutation": lambda view: Scores(
        np.arange(view.table.num_rows, dtype=np.float64)
    ),
    "columns that are not declared are not read": lambda view: Scores(
        np.array([len(str(value)) for value in view.table["secret"].to_pylist()], dtype=np.float64)
    ),
    "the view is left alone": scribble,
    "findings point at rows under test": lambda view: found(view, (1,)),
    "hostile bytes reach no sentence raw": lambda view: found(view, (600,), "\x1b[31m"),
}


@pytest.mark.parametrize("promise", BREAKS)
def test_a_detector_that_breaks_a_promise_is_found_out(promise: str) -> None:
    assert promise in broken_promises(lambda: Liar(BREAKS[promise]))


def test_what_is_no_detector_is_found_out_without_a_traceback() -> None:
    broken = broken_promises(object)  # type: ignore[arg-type] # that is the point
    assert "it has the form of a detector" in broken


def test_a_detector_that_says_the_same_of_all_rows_keeps_every_promise() -> None:
    """The suite is blind to whether anything is found; that is for tests with an attack."""
    assert broken_promises(lambda: Liar(lambda view: Scores(np.zeros(view.table.num_rows)))) == {}

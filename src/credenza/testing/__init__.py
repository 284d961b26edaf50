"""What parts promise, as suites that the author of a part can run on it.

Needs no test runner: a promise is a function that raises ``BrokenPromiseError``. With pytest::

    @pytest.mark.parametrize("promise", DETECTOR_PROMISES)
    def test_it_keeps(promise: str) -> None:
        DETECTOR_PROMISES[promise](MyDetector, example_view())

Our own parts are held to the same suites by ``tests/contracts``.
"""

from credenza.testing.aggregators import AGGREGATOR_PROMISES
from credenza.testing.attacks import ATTACK_PROMISES
from credenza.testing.detectors import DETECTOR_PROMISES, broken_promises, example_view
from credenza.testing.promise import BrokenPromiseError

__all__ = [
    "AGGREGATOR_PROMISES",
    "ATTACK_PROMISES",
    "DETECTOR_PROMISES",
    "BrokenPromiseError",
    "broken_promises",
    "example_view",
]

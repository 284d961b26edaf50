"""The parts that are installed, by kind, with a line on each."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from credenza.profiling.statistics.builtin import FAMILIES
from credenza.provenance.intake.builtin import INTAKES
from credenza.screening.builtin import DETECTORS
from credenza.training.builtin import AGGREGATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def installed() -> dict[str, list[tuple[str, str]]]:
    """Kind to names and first docstring lines, both sorted."""
    return {
        "aggregator": listed(AGGREGATORS.parts),
        "detector": listed(DETECTORS.parts),
        "intake": listed(INTAKES.parts),
        "statistic": sorted((family.__name__, _summary(family)) for family in FAMILIES),
    }


def listed(parts: Mapping[str, Callable[..., object]]) -> list[tuple[str, str]]:
    """Names and first docstring lines of parts, sorted."""
    return sorted((name, _summary(part)) for name, part in parts.items())


def _summary(part: Callable[..., object]) -> str:
    return (inspect.getdoc(part) or "").partition("\n")[0]

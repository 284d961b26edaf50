"""The parts at hand, by kind, with a line on each."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING

from credenza.campaigns.builtin import CHARTS
from credenza.core.errors import UsageError
from credenza.core.extras import needs_extra
from credenza.core.guest import Guest
from credenza.profiling.statistics.builtin import FAMILIES
from credenza.provenance.intake.builtin import INTAKES
from credenza.redteam.builtin import ATTACKS, CONTENT_ATTACKS, UPDATE_ATTACKS
from credenza.training.builtin import AGGREGATORS
from credenza.training.encoders.builtin import ENCODERS
from credenza.workspace import guests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def installed() -> dict[str, list[tuple[str, str]]]:
    """Kind to names and first docstring lines, both sorted; guests by who brings them.

    Validators and verbs answer for a gate; without its packages they are left out.
    """
    attacks = {**ATTACKS.parts, **CONTENT_ATTACKS.parts, **UPDATE_ATTACKS.parts}
    found = {
        "aggregator": _listed(AGGREGATORS.parts),
        "attack": _listed(attacks),
        "chart": _listed(CHARTS.parts),
        "detector": _listed(guests.detectors().parts),
        "encoder": _listed(ENCODERS.parts),
        "intake": _listed(INTAKES.parts),
        "statistic": sorted((family.__name__, _summary(family)) for family in FAMILIES),
    }
    with suppress(UsageError), needs_extra("gate", "a gate"):
        from credenza.response.builtin import VALIDATORS  # noqa: PLC0415 - loads the gate
        from credenza.response.verbs import VERBS  # noqa: PLC0415 - as above

        found |= {"validator": _listed(VALIDATORS.parts), "verb": _listed(VERBS)}
    return found


def _listed(parts: Mapping[str, Callable[..., object]]) -> list[tuple[str, str]]:
    return sorted((name, _summary(part)) for name, part in parts.items())


def _summary(part: Callable[..., object]) -> str:
    if isinstance(part, Guest):  # its own words would have to be imported first
        return f"Brought by {part.package}."
    return (inspect.getdoc(part) or "").partition("\n")[0]

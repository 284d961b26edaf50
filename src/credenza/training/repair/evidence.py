"""What a repair may use, and what every repair is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from credenza.training.audit.case import Rows


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known when a repair begins.

    Attributes:
        clean: verified rows to repair with.
        suspects: ``(k, …)`` rows that carry the trigger, some of them rightly; or None.
        target: class position that the trigger leads to, or -1.
        seed: of whatever is drawn.
    """

    clean: Rows
    suspects: Any = None
    target: int = -1
    seed: int = 0


class Repair(Protocol):
    """One way to mend a network."""

    def mend(self, network: Any, evidence: Evidence) -> Any:  # noqa: ANN401 - torch is untyped
        """A mended copy; the given network stays as it is."""
        ...


def need_suspects(evidence: Evidence, method: str) -> Any:  # noqa: ANN401 - arrays of any kind
    """The suspect rows.

    Raises:
        UsageError: there are none.
    """
    if evidence.suspects is None or len(evidence.suspects) == 0:
        raise UsageError(
            "no-suspects",
            f"{method} learns from suspect rows, and there are none",
            fix="give rows from an audit or a trace, or use a method that needs only a class",
        )
    return evidence.suspects


def need_target(evidence: Evidence, method: str) -> int:
    """The class that the trigger leads to.

    Raises:
        UsageError: it is not known.
    """
    if evidence.target < 0:
        raise UsageError(
            "no-target",
            f"{method} needs to know which class the trigger leads to",
            fix="give `target`, for example the one that an audit names",
        )
    return evidence.target

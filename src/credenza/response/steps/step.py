"""What a step of a recovery is, what it is proposed from, and what it works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from credenza.core.canonical import Json
    from credenza.core.spans import Spans
    from credenza.core.types import Release
    from credenza.gate.journal import Event
    from credenza.gate.stores import Stores
    from credenza.response.blast import BlastRadius
    from credenza.response.suspicion import Suspects, Suspicion

CONTAIN, ERADICATE, RECOVER = "contain", "eradicate", "recover"
PHASES = (CONTAIN, ERADICATE, RECOVER)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever draws up a plan wants beside what the radius asks for.

    Attributes:
        hold: hold the batches of the sources until a person decides.
        freeze: refuse everything that the sources send from now on, too.
        measure: "" to excise; else the measure that lets a model stay, by its step's name.
        at_most: the largest share of suspicious rows that may stay, with a measure.
        slice_column, slice_values: rows on which the model is not to be asked.
        retrain: command words; ``{release}`` and ``{model}`` stand for directories and files.
        revalidate: likewise; its last line of output is a JSON object of figures.
        criteria: such as "accuracy>=0.9", each on one of those figures.
        timeout_s: of each command.
        waivers: by kind of unknown, why the model may be declared clean all the same.
        is_released: make a release of the clean version, and go on to promote it.
    """

    hold: bool = True
    freeze: bool = False
    measure: str = ""
    at_most: float = 0.0
    slice_column: str = ""
    slice_values: tuple[str, ...] = ()
    retrain: tuple[str, ...] = ()
    revalidate: tuple[str, ...] = ()
    criteria: tuple[str, ...] = ()
    timeout_s: int = 86_400
    waivers: Mapping[str, str] = field(default_factory=dict)
    is_released: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """What a plan is drawn up from."""

    stores: Stores
    suspicion: Suspicion
    suspects: Suspects
    radius: BlastRadius
    wishes: Wishes


@dataclass(frozen=True, slots=True)
class Hands:
    """What a step may do that the workspace governs, and what it is not told otherwise.

    Attributes:
        freeze: a source, with a reason.
        recall: a release, with a reason.
        release: a dataset's version into a directory that does not exist.
        warrant: lets a block happen if the rules allow that action on those terms.
        members: names by public key, of everybody whose word counts.
        is_governed: ``warrant`` asks for approvals itself.
        key: the gate's public key, 64 hex digits.
        desk: a directory for what this recovery makes.
    """

    freeze: Callable[[str, str], object]
    recall: Callable[[str, str], object]
    release: Callable[[str, Path, int], Release]
    warrant: Callable[[str, Mapping[str, Json]], AbstractContextManager[None]]
    members: Mapping[str, str]
    is_governed: bool
    key: str
    desk: Path


@dataclass(frozen=True, slots=True)
class Job:
    """A recovery under way.

    Attributes:
        plan: the plan's digest.
        rows: what is to be gone from the dataset, by batch.
        waivers: see ``Wishes``.
        results: of the finished steps, by their names.
    """

    stores: Stores
    hands: Hands
    plan: str
    dataset: str
    suspicion: Suspicion
    rows: Mapping[str, Spans]
    results: Mapping[str, Mapping[str, Json]]

    @property
    def reason(self) -> str:
        """What is written beside everything that this recovery does."""
        return f"recovery {self.plan[:12]}"


class Done(NamedTuple):
    """What a step leaves behind.

    Attributes:
        result: for the ledger, and for the steps after it.
        events: recorded together with the step's end: both or neither.
        action: what governs the first of the events, "" for nothing.
        terms: of that action.
    """

    result: dict[str, Json]
    events: Sequence[Event] = ()
    action: str = ""
    terms: Mapping[str, Json] = MappingProxyType({})


class Step(Protocol):
    """A part of a plan: its fields are what the plan's file says.

    ``apply`` may be killed at any moment and is then called again.
    """

    name: ClassVar[str]
    phase: ClassVar[str]
    after: ClassVar[tuple[str, ...]]

    def says(self) -> str:
        """What it does, in one sentence for people."""
        ...

    def check(self, job: Job) -> None:
        """Refuse what contradicts the workspace, before any step is taken."""
        ...

    def apply(self, job: Job) -> Done:
        """Do it, or find it done."""
        ...


class Part(NamedTuple):
    """A kind of step.

    Attributes:
        kind: its class.
        propose: the step that a case asks for, or None.
    """

    kind: type[Step]
    propose: Callable[[Case], Step | None]

"""An incident: its states, the steps its playbook asks for, and what happened so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.core.text import quote

if TYPE_CHECKING:
    from collections.abc import Mapping


class State(StrEnum):
    """How far an incident is; each is reached from the one before it, and from no other."""

    TRIGGERED = "triggered"
    ACKNOWLEDGED = "acknowledged"
    CONTAINED = "contained"
    ERADICATED = "eradicated"
    RECOVERED = "recovered"
    CLOSED = "closed"


ORDER = tuple(State)


class Severity(IntEnum):
    """How bad it is; ordered, so that an escalation can only raise it."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3


def severity_of(word: object) -> Severity:
    """The severity of that name.

    Raises:
        UsageError: there is none.
    """
    if str(word).upper() not in Severity.__members__:
        known = ", ".join(name.lower() for name in Severity.__members__)
        raise UsageError(
            "bad-severity",
            f"no severity is called {quote(word)}",
            why=f"there are: {known}",
            fix="name one of these",
        )
    return Severity[str(word).upper()]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a playbook asks for.

    Attributes:
        phase: the state that cannot be reached before it is done or waived.
        does: name of the verb that does it; "" for a step that a person does.
        says: what is done, in words.
        proof: what counts as proof of a manual step, in words.
        waivable: whether it may be left out with a reason.
    """

    id: str
    phase: State
    does: str
    says: str
    proof: str = ""
    waivable: bool = True


@dataclass(frozen=True, slots=True)
class Escalation:
    """What happens when an incident stays in a state for too long.

    Attributes:
        tell: who is to be told: a role of the site, such as "security lead".
    """

    id: str
    state: State
    after_s: int
    severity: Severity
    tell: str


@dataclass(frozen=True, slots=True)
class Done:
    """How a step ended.

    Attributes:
        waived: it was left out; ``account`` is then the reason.
        account: the verb's sentence, or the proof a person gave.
    """

    waived: bool
    by: str
    account: str
    exhibits: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class When:
    """Place and time of a ledger entry."""

    index: int
    time_s: int


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of an incident's own history, in words."""

    when: When
    event: str
    by: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that must be answered.

    Attributes:
        trigger: where it comes from: "finding", "campaign", "report" or "siem".
        reference: what it comes from: a batch, a campaign, a ticket; may be hostile text.
        began_s: time of the evidence behind it; the opening, when a report began it.
        sources, batches: whom and what it is about.
        rows: positions that are meant, by batch; a batch not named here is meant whole.
        done: how each finished step ended, by its id.
        entered_s: when each state was reached.
        escalated: ids of the escalations that happened.
    """

    id: str
    title: str
    playbook: str
    dataset: str
    severity: Severity
    trigger: str
    reference: str
    began_s: int
    sources: tuple[str, ...]
    batches: tuple[str, ...]
    steps: tuple[Step, ...]
    escalations: tuple[Escalation, ...]
    entered_s: Mapping[str, int]
    moments: tuple[Moment, ...]
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    state: State = State.TRIGGERED
    assignee: str = ""
    done: Mapping[str, Done] = field(default_factory=dict)
    escalated: tuple[str, ...] = ()

    def open_steps(self, phase: State) -> tuple[Step, ...]:
        """Steps of a phase that are neither done nor waived."""
        return tuple(s for s in self.steps if s.phase is phase and s.id not in self.done)

    def next_state(self) -> State | None:
        """The state after this one; None at the end."""
        place = ORDER.index(self.state) + 1
        return ORDER[place] if place < len(ORDER) else None

    def step(self, name: str) -> Step:
        """The step of that id.

        Raises:
            UsageError: the incident's playbook has none.
        """
        for step in self.steps:
            if step.id == name:
                return step
        raise UsageError(
            "no-such-step",
            f"{self.id} has no step {name[:60]!r}",
            why=f"its steps are: {', '.join(step.id for step in self.steps)}",
            fix=f"run `credenza incident show {self.id}`",
        )


def overdue(incident: Incident, now_s: int) -> tuple[Escalation, ...]:
    """Escalations that are due and have not happened, longest wait first.

    Blind to a clock that is wrong: states are timed by the ledger's own clock.
    """
    due = [
        one
        for one in incident.escalations
        if one.state is incident.state
        and one.id not in incident.escalated
        and now_s - incident.entered_s[incident.state] >= one.after_s
    ]
    return tuple(sorted(due, key=lambda one: -one.after_s))

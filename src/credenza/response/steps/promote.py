"""The channels that were rolled back go forward again, to the clean release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.response.channels import channel, moved
from credenza.response.steps.roll_back import take
from credenza.response.steps.step import RECOVER, Done

if TYPE_CHECKING:
    from credenza.response.steps.step import Case, Job


@dataclass(frozen=True, slots=True)
class PromoteChannels:
    """Each channel points to the clean release."""

    channels: tuple[str, ...]
    name: ClassVar[str] = "promote-channels"
    phase: ClassVar[str] = RECOVER
    after: ClassVar[tuple[str, ...]] = ("release", "declare-clean")

    def says(self) -> str:
        """What it does."""
        return f"point {', '.join(self.channels)} to the clean release"

    def check(self, job: Job) -> None:
        """Every channel must exist."""
        for name in self.channels:
            channel(job.stores, job.dataset, name)

    def apply(self, job: Job) -> Done:
        """A move for each channel that is not there yet."""
        release = str(job.results["release"]["release"])
        for name in self.channels:
            event = moved(job.stores, job.dataset, name, None, release, job.reason)
            take(job, "move-channel", event)
        return Done({"channels": list(self.channels), "release": release})


def propose(case: Case) -> PromoteChannels | None:
    """The channels that pointed to suspicious rows."""
    names = tuple(one.name for one in case.radius.channels)
    if not names or case.wishes.measure or not case.wishes.is_released:
        return None
    return PromoteChannels(names)

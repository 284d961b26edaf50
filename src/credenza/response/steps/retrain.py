"""The model is trained again, by the user's command, on the clean release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from credenza.core.errors import ConflictError
from credenza.response.steps.command import check_words, run
from credenza.response.steps.release import DIRECTORY
from credenza.response.steps.step import RECOVER, Done
from credenza.response.training_runs import TrainingRun, file_digest, run_event

if TYPE_CHECKING:
    from credenza.response.steps.step import Case, Job

MODEL = "model"
PLACES = (DIRECTORY, MODEL)


@dataclass(frozen=True, slots=True)
class Retrain:
    """A training run on the clean release, recorded with its model's digest.

    Attributes:
        command: words; ``{release}`` is the release's directory, ``{model}`` the file
            that the command must write.
    """

    command: tuple[str, ...]
    timeout_s: int
    name: ClassVar[str] = "retrain"
    phase: ClassVar[str] = RECOVER
    after: ClassVar[tuple[str, ...]] = ("release",)

    def says(self) -> str:
        """What it does."""
        return f"train again: {' '.join(self.command)}"

    def check(self, job: Job) -> None:  # noqa: ARG002 - one signature
        """The command must have words, and known placeholders."""
        check_words(self.command, PLACES)

    def apply(self, job: Job) -> Done:
        """Run the command and record what came out."""
        places = {name: job.hands.desk / name for name in PLACES}
        places[MODEL].unlink(missing_ok=True)  # of an earlier try
        run(self.command, places, timeout_s=self.timeout_s)
        if not places[MODEL].is_file():
            raise ConflictError(
                "no-model",
                "the training command wrote no model",
                why=f"the placeholder {{{MODEL}}} stands for the file it must write",
                fix="have the command write its model where {model} stands",
            )
        claimed = TrainingRun(
            run=f"recovery-{job.plan[:12]}",
            model=file_digest(places[MODEL]),
            releases=(str(job.results["release"]["release"]),),
            verified=True,
        )
        made, event = run_event(job.stores, claimed)
        return Done({"model": made.model, "run": made.run}, [event])


def propose(case: Case) -> Retrain | None:
    """Where a command is given."""
    wishes = case.wishes
    if not wishes.retrain or wishes.measure or not wishes.is_released:
        return None
    return Retrain(wishes.retrain, wishes.timeout_s)

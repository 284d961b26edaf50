"""What a command has to say, before it is words or JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import InternalError
from credenza.core.jsonable import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.interfaces.cli.terminal import Screen

# What a batch's standing means to a script. Waiting counts as held: not yet a pass.
EXIT_OF_STATUS: Mapping[str, int] = {
    "admitted": 0,
    "rejected": 1,
    "quarantined": 1,
    "excised": 1,
    "held": 4,
    "waiting": 4,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """One command's result.

    Attributes:
        schema: "credenza.NAME/1"; the number grows when a reader would break.
        body: the object under ``--json``, beside its schema.
        show: writes the same for people.
        exit_code: 0 unless the command judges.
    """

    schema: str
    body: Mapping[str, object]
    show: Callable[[Screen], None]
    exit_code: int = 0


def exit_of(status: str) -> int:
    """The exit code of a batch's status.

    Raises:
        InternalError: an unknown status, which must not read as a pass.
    """
    if status not in EXIT_OF_STATUS:
        raise InternalError(
            "unknown-status",
            f"a batch has the unknown status {status!r}",
            why=f"the known ones are: {', '.join(EXIT_OF_STATUS)}",
        )
    return EXIT_OF_STATUS[status]


def worst(codes: list[int]) -> int:
    """The code that speaks for several batches: 3 before 1 before 4 before 0."""
    for code in (3, 1, 4):
        if code in codes:
            return code
    return 0


def ascii_json(body: object) -> str:
    """JSON on one line of ASCII: no byte of it can steer a terminal."""
    return json.dumps(jsonable(body), ensure_ascii=True, allow_nan=False)

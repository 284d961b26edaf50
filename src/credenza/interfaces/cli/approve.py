"""``credenza approve``: a second person's word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.key import signing
from credenza.interfaces.cli.request import request_answer

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.interfaces.cli.answer import Answer


@use_case("approve", examples=("credenza approve REQUEST --as bob.key",))
@click.argument("request")
@signing
def command(home: Path | None, request: str, key: str) -> Answer:
    """Sign that REQUEST may be done, exactly as it was asked for.

    Read it first: `credenza request show`. A key that must not come near the gate signs
    with `credenza request sign`.
    """
    with open_workspace(home) as workspace:
        return request_answer(workspace.requests.approve(request, key))

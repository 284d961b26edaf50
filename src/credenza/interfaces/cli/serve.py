"""``credenza serve``: campaigns, monitor and drift over HTTP."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from credenza.core.extras import needs_extra
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen


@use_case("serve", examples=("credenza serve --token-file watch.token --stop-after 1",))
@click.option(
    "--token-file",
    "token_file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Its one line is the token that every request shows; made, for its owner alone, if it "
    "is not there.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="IP address to listen on.")
@click.option("--port", default=0, show_default="a free one", type=click.IntRange(0, 65535))
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="Answer to this name too, where a proxy passes its Host header on. May be repeated.",
)
@click.option(
    "--beyond-loopback",
    "beyond_loopback",
    is_flag=True,
    help="Let other machines connect. It is plain HTTP: whoever listens on the way reads the "
    "token and every answer, unless a TLS proxy stands before it.",
)
@click.option("--stop-after", "stop_after_s", type=float, help="Serve for so many seconds only.")
def command(  # noqa: PLR0917 - click passes each option by its name
    home: Path | None,
    token_file: Path,
    host: str,
    port: int,
    names: tuple[str, ...],
    beyond_loopback: bool,
    stop_after_s: float | None,
) -> Answer:
    """Answer over HTTP what `campaigns`, `monitor` and `drift` say, until interrupted.

    It reads and changes nothing. Every request needs `Authorization: Bearer TOKEN`;
    /openapi.json says what can be asked.
    """
    with needs_extra("service", "a service"):
        from credenza.interfaces.api.guard import Guard  # noqa: PLC0415 - help stays light
        from credenza.interfaces.api.pages import pages  # noqa: PLC0415
        from credenza.interfaces.api.serving import (  # noqa: PLC0415
            listen,
            name_of,
            serve,
            url_of,
        )
    from credenza.interfaces.api.token import token_in  # noqa: PLC0415
    from credenza.workspace.home import find_home  # noqa: PLC0415

    screen = Screen(sys.stderr)
    found = find_home(home)
    open_workspace(found).close()  # it opens, or says why not
    token = token_in(token_file)
    with listen(host, port, beyond_loopback=beyond_loopback) as listening:
        url = url_of(listening)
        app = Guard(pages(found), token, {*names, name_of(host)}, screen.line)
        screen.line(f"credenza listens on {url}")
        serve(app, listening, stop_after_s)
    return Answer("credenza.serve/1", {"url": url}, lambda to: to.line(f"served {url} until now"))

"""``credenza ring``: the key ring, kept by several people and followed by workspaces."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import REFERENCE, public_key
from credenza.interfaces.cli.terminal import Screen, count, instant

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.interfaces.cli.command import F
    from credenza.provenance.ring_keeping import Holders
    from credenza.provenance.ring_outlook import Outlook, Page
    from credenza.workspace.ring import Keepers

_RING = click.argument("ring", type=click.Path(file_okay=False, path_type=Path))


def _public_keys(flag: str, name: str, says: str) -> Callable[[F], F]:
    """An option that takes public keys, once or several times."""
    return click.option(flag, name, multiple=True, required=True, metavar="KEY", help=says)


def _threshold(flag: str, default: int, says: str) -> Callable[[F], F]:
    """An option that takes how many keys must sign."""
    return click.option(
        flag, default=default, show_default=True, type=click.IntRange(min=1), help=says
    )


_KEYS = _public_keys(
    "--key", "keys", "Public key: 64 hex digits or a .pub file. May be given several times."
)
_THRESHOLD = _threshold("--threshold", 1, "How many of the keys must sign.")
_PRIVATE = click.option("--key", required=True, metavar="KEY", help=REFERENCE)


@family("ring")
def command() -> None:
    """The key ring: who may sign for which source, kept by several people.

    Its keepers draft, sign and publish it in a directory, on as many machines as there
    are keepers; a workspace that imports it takes keys from nowhere else.
    """


@command.use_case(
    "init",
    at_home=False,
    examples=(
        (
            "credenza ring init ring --root r1.key.pub --root r2.key.pub --root r3.key.pub "
            "--targets t1.key.pub --online o1.key.pub"
        ),
    ),
)
@_RING
@_public_keys(
    "--root", "root_keys", "Public key of one who may change who keeps the ring. Give several."
)
@_threshold("--threshold", 2, "How many root keys must sign.")
@_public_keys(
    "--targets", "targets_keys", "Public key of one who may say which keys sign for which source."
)
@_threshold("--targets-threshold", 1, "How many of these must sign.")
@_public_keys(
    "--online",
    "online_keys",
    "Public key that says every week which version is now; it may live on a server.",
)
def init(  # noqa: PLR0917 - click passes each option by its name
    ring: Path,
    root_keys: tuple[str, ...],
    threshold: int,
    targets_keys: tuple[str, ...],
    targets_threshold: int,
    online_keys: tuple[str, ...],
) -> Answer:
    """Draft a new key ring in the directory RING."""
    online = [public_key(key) for key in online_keys]
    return _looked_at(
        _keepers(ring).begin(
            _holders(root_keys, threshold), _holders(targets_keys, targets_threshold), online
        )
    )


@command.use_case(
    "delegate",
    at_home=False,
    examples=("credenza ring delegate ring acme --key acme.key.pub --dataset flights",),
)
@_RING
@click.argument("source")
@_KEYS
@_THRESHOLD
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    required=True,
    metavar="DATASET",
    help="A dataset it may send to. May be given several times.",
)
@click.option("--until", default="", metavar="DATE", help="When it lapses; in a year by default.")
def delegate(  # noqa: PLR0917 - click passes each option by its name
    ring: Path,
    source: str,
    keys: tuple[str, ...],
    threshold: int,
    datasets: tuple[str, ...],
    until: str,
) -> Answer:
    """Draft which keys sign for SOURCE, in place of those that did."""
    return _looked_at(_keepers(ring).delegate(source, _holders(keys, threshold), datasets, until))


@command.use_case("revoke", at_home=False, examples=("credenza ring revoke ring acme",))
@_RING
@click.argument("source")
def revoke(ring: Path, source: str) -> Answer:
    """Draft that no key signs for SOURCE any more."""
    return _looked_at(_keepers(ring).revoke(source))


@command.use_case(
    "rotate", at_home=False, examples=("credenza ring rotate ring online --key o2.key.pub",)
)
@_RING
@click.argument("role", type=click.Choice(["root", "targets", "online"]))
@_KEYS
@_THRESHOLD
def rotate(ring: Path, role: str, keys: tuple[str, ...], threshold: int) -> Answer:
    """Draft a root that gives ROLE to other keys; old and new holders of root sign it."""
    return _looked_at(_keepers(ring).rotate(role, _holders(keys, threshold)))


@command.use_case("renew", at_home=False, examples=("credenza ring renew ring targets",))
@_RING
@click.argument("role", type=click.Choice(["root", "targets"]))
def renew(ring: Path, role: str) -> Answer:
    """Draft ROLE again as it is: root for another year, targets for 90 days."""
    return _looked_at(_keepers(ring).renew(role))


@command.use_case(
    "sign",
    at_home=False,
    examples=(
        "credenza ring sign ring --key r1.key",
        "credenza ring sign ring --key env:R2_KEY",
        "credenza ring sign ring --key t1.key",
    ),
)
@_RING
@_PRIVATE
def sign(ring: Path, key: str) -> Answer:
    """Sign every draft that waits for KEY."""
    signed = _keepers(ring).sign(key)

    def show(screen: Screen) -> None:
        screen.line(f"signed {' and '.join(signed)}")

    return Answer("credenza.ring-signed/1", {"signed": signed}, show)


@command.use_case("publish", at_home=False, examples=("credenza ring publish ring --key o1.key",))
@_RING
@_PRIVATE
def publish(ring: Path, key: str) -> Answer:
    """Put complete drafts in place, and say what is now, for a week, with the online KEY.

    A draft that lacks signatures stays one, and what was published stands for longer.
    """
    return _looked_at(_keepers(ring).publish(key))


@command.use_case("import", judges=True, governed=True, examples=("credenza ring import ring",))
@_RING
def import_ring(home: Path | None, ring: Path) -> Answer:
    """Take what the keepers published in RING; a ledger entry.

    From then on a source's keys, scope, threshold and expiry are those of the ring; in a
    governed workspace the first import takes two people, what its keepers publish later none.
    Exits with 3 when it is older than what was seen, mixed, too few have signed it, or
    it has expired.
    """
    with open_workspace(home) as workspace:
        return _looked_at(workspace.ring.take(ring))


@command.use_case("show", examples=("credenza ring show", "credenza ring show ring"))
@click.argument("ring", required=False, type=click.Path(file_okay=False, path_type=Path))
def show_ring(home: Path | None, ring: Path | None) -> Answer:
    """Show the ring that the workspace follows, or the drafts in the directory RING."""
    if ring is not None:
        return _looked_at(_keepers(ring).outlook())
    with open_workspace(home) as workspace:
        return _looked_at(workspace.ring.outlook())


def _keepers(ring: Path) -> Keepers:
    from credenza.workspace.ring import Keepers  # noqa: PLC0415 - help stays light

    return Keepers(ring)


def _holders(keys: tuple[str, ...], threshold: int) -> Holders:
    from credenza.provenance.ring_keeping import Holders  # noqa: PLC0415 - help stays light

    return Holders(tuple(public_key(key) for key in keys), threshold)


def _looked_at(found: Outlook) -> Answer:
    def show(screen: Screen) -> None:
        screen.table(
            ("role", "version", "signatures", "until"),
            [(one.role, str(one.version), _signatures(one), _until(one)) for one in found.pages],
        )
        screen.table(
            ("source", "keys", "datasets", "until"),
            [
                (
                    name,
                    f"{one.threshold} of {len(one.keys)}",
                    " ".join(one.datasets),
                    instant(one.until_s),
                )
                for name, one in sorted(found.mandates.items())
            ],
        )
        screen.line(count(len(found.mandates), "source"))

    body = {
        "roles": [page._asdict() | {"complete": page.complete} for page in found.pages],
        "sources": jsonable(found.mandates),
    }
    return Answer("credenza.ring/1", body, show)


def _signatures(page: Page) -> str:
    state = ", draft" if page.is_draft else ""
    return f"{page.signed} of {page.threshold}{state}"


def _until(page: Page) -> str:
    return instant(page.expires_s)

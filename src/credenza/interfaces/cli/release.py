"""``credenza release``: what a training job may use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import public_key
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from credenza.core.types import Release
    from credenza.gate.releases import ReleaseRecord

FORMATS = ("croissant", "cyclonedx", "openlineage", "slsa", "svr")


@family("release")
def command() -> None:
    """Signed, exact file sets that a training job verifies offline."""


@command.use_case(
    "create", governed=True, examples=("credenza release create flights --out flights-r1",)
)
@click.argument("dataset")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the release goes; must not exist yet.",
)
@click.option("--version", type=int, help="The newest by default.")
@click.option("--expires", default="", metavar="DATE", help="Refused from this day on.")
@click.option(
    "--verified",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Rows you vouch for, to count a certificate on, if the policy's [release] demands one.",
)
def create(
    home: Path | None,
    dataset: str,
    *,
    out: Path,
    version: int | None,
    expires: str,
    verified: Path | None,
) -> Answer:
    """Export a version as Parquet with a signed statement of exactly these files."""
    from credenza.scanning.inputs import read  # noqa: PLC0415 - help stays light

    rows = None if verified is None else read(verified).table
    with open_workspace(home) as workspace:
        made = workspace.releases.create(dataset, out, version, expires, rows)
        key = workspace.public_key

    def show(screen: Screen) -> None:
        _show(screen, made)
        screen.line(f"verify it with: credenza release verify {out} --trust {key}")

    return Answer(
        "credenza.release/1", {"release": jsonable(made), "out": str(out), "public_key": key}, show
    )


@command.use_case(
    "list", examples=("credenza release list", "credenza release list --dataset flights")
)
@click.option("--dataset", help="Only releases of this one.")
def list_releases(home: Path | None, dataset: str | None) -> Answer:
    """List the releases that were made, and which of them were recalled."""
    with open_workspace(home) as workspace:
        found = workspace.releases.all(dataset)

    def show(screen: Screen) -> None:
        screen.table(
            ("release", "dataset", "version", "rows", "released", "standing"),
            [
                (short(r.digest), r.dataset, r.version, f"{r.rows:,}", r.released, _standing(r))
                for r in found
            ],
        )
        screen.line(count(len(found), "release"))

    return Answer("credenza.releases/1", {"releases": [jsonable(one) for one in found]}, show)


@command.use_case(
    "verify",
    at_home=False,
    judges=True,
    examples=(
        "credenza release verify flights-r1 --trust KEY",
        "credenza release verify flights-r1 --trust KEY --recalls recalls.dsse.json",
    ),
)
@click.argument("directory", type=click.Path(path_type=Path))
@click.option(
    "--trust",
    "trusted",
    multiple=True,
    required=True,
    metavar="KEY",
    help="Public key of the gate: 64 hex digits or a .pub file. May be given several times.",
)
@click.option(
    "--recalls",
    "recall_list",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The gate's signed list of recalled releases: what `release recalls` writes.",
)
@click.option(
    "--copy-to",
    type=click.Path(path_type=Path),
    help="Keep a read-only copy of the very bytes that were checked; train from that.",
)
def verify(
    directory: Path, trusted: tuple[str, ...], recall_list: Path | None, copy_to: Path | None
) -> Answer:
    """Check that DIRECTORY holds exactly the files that were released, unchanged.

    Needs no workspace and no network. Exits with 3 when a file was added, changed,
    hidden, linked or left out, when nobody you trust signed, or when the release was
    recalled or has expired.
    """
    from credenza import verify_release  # noqa: PLC0415 - help stays light
    from credenza.datasets.attestation import read_recalls  # noqa: PLC0415

    keys = [public_key(key) for key in trusted]
    recalls = None if recall_list is None else read_recalls(recall_list.read_bytes(), keys)
    found = verify_release(
        directory, trust=keys, recalls=recalls and recalls.reasons, copy_to=copy_to
    )

    known = "" if recalls is None else recalls.created

    def show(screen: Screen) -> None:
        screen.line("verified")
        _show(screen, found)
        screen.fields([("recalls", f"as of {known}" if known else "not looked at: --recalls")])

    body = {"verified": True, "release": jsonable(found), "recalls_as_of": known}
    return Answer("credenza.verification/1", body, show)


@command.use_case(
    "recall", governed=True, examples=('credenza release recall RELEASE --reason "poison found"',)
)
@click.argument("release")
@click.option("--reason", required=True, help="Goes into the ledger.")
def recall(home: Path | None, release: str, reason: str) -> Answer:
    """Say in the ledger that RELEASE must not be used any more.

    Who verifies a copy offline knows of it from the signed list that `credenza release
    recalls` writes, and only from there.
    """
    with open_workspace(home) as workspace:
        digest = workspace.releases.recall(release, reason)

    def show(screen: Screen) -> None:
        screen.line(f"release {short(digest)} is recalled: {reason}")
        screen.fields([("next", "credenza release recalls --out FILE, and publish that file")])

    return Answer("credenza.recall/1", {"release": digest, "reason": reason}, show)


@command.use_case("recalls", examples=("credenza release recalls --out recalls.dsse.json",))
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; publish it where training jobs can fetch it.",
)
def recalls(home: Path | None, out: Path) -> Answer:
    """Sign the list of all recalled releases, for those who verify offline."""
    with open_workspace(home) as workspace:
        found = workspace.releases.recalled()
        out.write_bytes(workspace.releases.recall_list())

    def show(screen: Screen) -> None:
        screen.line(f"wrote {out}: {count(len(found), 'recalled release')}")
        screen.fields([(short(digest), reason) for digest, reason in found.items()])

    return Answer("credenza.recalls/1", {"recalled": dict(found), "out": str(out)}, show)


@command.use_case(
    "export",
    examples=("credenza release export flights-r1 --format croissant --out croissant.json",),
)
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--format", "name", required=True, type=click.Choice(FORMATS), help="Whose words.")
@click.option(
    "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write."
)
@click.option("--post", "url", metavar="URL", help="Send it there as well; a failure is only said.")
def export(home: Path | None, directory: Path, name: str, out: Path, url: str | None) -> Answer:
    """Tell a release in the words of another tool.

    slsa and svr are in-toto statements that the gate signs; croissant, cyclonedx and
    openlineage are plain JSON.
    """
    from credenza.interfaces.web import post  # noqa: PLC0415 - help stays light

    with open_workspace(home) as workspace:
        document = workspace.releases.export(directory, name)
    out.write_bytes(document)
    status = None if url is None else post(url, document)[0]

    def show(screen: Screen) -> None:
        screen.line(f"wrote {out}")
        if status is not None:
            screen.line(f"{url} answered {status or 'nothing'}")

    return Answer(
        "credenza.release-export/1", {"format": name, "out": str(out), "posted": status}, show
    )


def _standing(release: ReleaseRecord) -> str:
    return f"{release.standing}: {release.reason}" if release.reason else release.standing


def _show(screen: Screen, release: Release) -> None:
    screen.fields(
        [
            ("release", release.digest),
            ("dataset", release.dataset),
            ("version", release.version),
            ("rows", f"{release.rows:,}"),
            ("batches", len(release.batches)),
            ("files", len(release.files)),
            ("policy", short(release.policy)),
        ]
    )

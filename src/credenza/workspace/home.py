"""The directory of a workspace: where it is, what lies in it, how it is made."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

from credenza.core.errors import ConflictError, NotFoundError, UsageError
from credenza.gate import proofs
from credenza.gate.policy_file import shipped_policy
from credenza.provenance.keys import SigningKey, new_key, save_key
from credenza.store.ledger.ledger import Ledger
from credenza.workspace.keys import key_of

HOME_VARIABLE = "CREDENZA_HOME"
HOME_NAME = ".credenza"
SCHEMA = "credenza.workspace/1"
POLICY_FILE = "policy.toml"
RULES_FILE = "governance.cedar"


def new_home(home: Path | None) -> Path:
    """Where a new workspace goes: ``home``, else ``$CREDENZA_HOME``, else ``.credenza`` here.

    The same order in which ``find_home`` looks, so that what was made is what is found.
    """
    return (home or _named() or Path(HOME_NAME)).absolute()


def find_home(home: Path | None) -> Path:
    """The workspace at ``home``, else at ``$CREDENZA_HOME``, else nearest upward.

    Raises:
        NotFoundError: there is none.
    """
    named = home or _named()
    here = Path.cwd()
    candidates = [named] if named else [up / HOME_NAME for up in (here, *here.parents)]
    for candidate in candidates:
        if (candidate / "workspace.json").is_file():
            return candidate.absolute()
    raise NotFoundError(
        "no-workspace",
        "there is no workspace here",
        why=f"looked for workspace.json in {named}" if named else f"no {HOME_NAME} upward of here",
        fix=f"run `credenza init`, or set ${HOME_VARIABLE}",
    )


def make_home(home: Path, catalog_url: str, signer: str = "") -> SigningKey:
    """Write the files of a new workspace; the operator's key.

    Args:
        home: where.
        catalog_url: SQLAlchemy URL, or "" for SQLite.
        signer: reference of the key to sign with, see ``keys.key_of``; a new file by
            default.

    Raises:
        ConflictError: something lies there already.
    """
    if home.exists() and any(home.iterdir()):
        raise ConflictError(
            "workspace-exists",
            f"{home.name!r} is not empty",
            why="a workspace is never made over something else",
            fix="choose another directory, or open the one that is there",
        )
    (home / "keys").mkdir(parents=True, mode=0o700)
    key = key_of(signer) if signer else new_key()
    if not signer:
        save_key(key, _key_path(home))
    Ledger.create(home / "ledger", proofs.origin_of(key.public), key.private).close()
    (home / POLICY_FILE).write_text(shipped_policy(), encoding="utf-8")
    config = {"schema": SCHEMA, "key": key.public, "catalog": catalog_url, "signer": signer}
    (home / "workspace.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    return key


def read_config(home: Path) -> dict[str, object]:
    """``workspace.json``.

    Raises:
        UsageError: it is not one of this version.
    """
    try:
        config = json.loads(read_file(home / "workspace.json"))
    except json.JSONDecodeError as wrong:
        raise UsageError(
            "bad-workspace",
            "workspace.json is not JSON",
            why=str(wrong),
            fix="restore it from a copy, or open it with the version that made it",
        ) from wrong
    if not isinstance(config, dict) or config.get("schema") != SCHEMA:
        raise UsageError(
            "bad-workspace",
            "workspace.json is not of this version of credenza",
            why="its format is not one that this version reads",
            fix="restore it from a copy, or open it with the version that made it",
        )
    return cast("dict[str, object]", config)


def catalog_url(home: Path, config: dict[str, object]) -> str:
    """The SQLAlchemy URL of the catalog: SQLite in the directory unless it says another."""
    return str(config["catalog"]) or f"sqlite:///{home / 'catalog.sqlite'}"


def operator_key(home: Path) -> SigningKey:
    """The key that signs checkpoints and releases.

    Raises:
        UsageError: the reference leads to another key than the workspace was made with.
    """
    config = read_config(home)
    signer = str(config.get("signer", ""))
    key = key_of(signer or _key_path(home))
    if key.public != config["key"]:
        raise UsageError(
            "wrong-operator-key",
            "the operator's key is not the one that this workspace was made with",
            why=f"{signer or 'the key file'} holds {key.public[:16]}…, not "
            f"{str(config['key'])[:16]}…",
            fix="put the first key back; a ledger is signed by one key",
        )
    return key


def read_file(path: Path) -> bytes:
    """The bytes of a small file, or a ``NotFoundError`` that says why not."""
    try:
        return path.read_bytes()
    except OSError as wrong:
        raise NotFoundError(
            "unreadable-file",
            f"{path.name} cannot be read",
            why=str(wrong.strerror),
            fix="check the path, and that you may read it",
        ) from wrong


def _named() -> Path | None:
    named = os.environ.get(HOME_VARIABLE)
    return Path(named) if named else None


def _key_path(home: Path) -> Path:
    return home / "keys" / "operator.pem"

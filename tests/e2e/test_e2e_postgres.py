"""The same gate with its catalog in PostgreSQL: a private server on the loopback."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from credenza.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import NewWorkspace, SourceSimulator

USER = "postgres"
DEBIAN = Path("/usr/lib/postgresql")


def binary(name: str) -> str | None:
    """Where a program of PostgreSQL lies; Debian keeps them off the path."""
    found = sorted(DEBIAN.glob(f"*/bin/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


def identity() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as its own user."""
    return {"user": USER, "group": USER, "extra_groups": []} if os.geteuid() == 0 else {}


def reason_to_skip() -> str:
    if not (binary("initdb") and binary("postgres")):
        return "PostgreSQL is not installed"
    if importlib.util.find_spec("pg8000") is None:
        return "pg8000 is not installed"
    if os.geteuid() == 0 and USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return "there is no user that PostgreSQL could run as"
    return ""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


@pytest.fixture
def catalog_url() -> Iterator[str]:
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    data = Path(tempfile.mkdtemp(prefix="credenza-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(data, USER, USER)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **identity()}
    initdb, postgres = binary("initdb"), binary("postgres")
    assert initdb is not None
    assert postgres is not None
    port = free_port()
    try:
        made = [initdb, "-D", str(data), "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(made, check=True, timeout=120, **quiet)
        served = [postgres, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", str(data)]
        server = subprocess.Popen(served, **quiet)
        try:
            assert answers(port, server), "the server did not start"
            yield f"postgresql+pg8000://{USER}@127.0.0.1:{port}/postgres"
        finally:
            server.terminate()  # its children are told by itself
            server.wait(timeout=30)
    finally:
        shutil.rmtree(data)


def test_the_gate_works_with_its_catalog_in_postgresql(
    new_workspace: NewWorkspace, sources: SourceSimulator, catalog_url: str
) -> None:
    workspace = new_workspace(catalog_url=catalog_url)
    sources.register(workspace)
    settled = sources.play(workspace, range(5))
    assert [one.version for one in settled] == [1, 2, 3, 4, 5]
    assert workspace.datasets.rollback("trips", 3, "to see it work").number == 6
    dump = workspace.log.catalog_dump()
    assert workspace.log.rebuild_catalog() == workspace.log.audit().entries
    assert workspace.log.catalog_dump() == dump
    workspace.close()
    with Workspace.open(workspace.home) as reopened:
        assert reopened.log.catalog_dump() == dump
        assert reopened.datasets.version("trips").rows == 720

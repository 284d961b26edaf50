"""The user's own code, run where it can do no harm: nothing to write, no network, little time.

The code is the user's, but the rows it reads are an attacker's. It runs as a subprocess that
Linux's Landlock confines for good: it reads the interpreter, the system's libraries, its own
folder and its input, writes one scratch folder, and opens no TCP connection. Memory, CPU,
wall-clock time and file size are limited, and what it leaves behind is read by the same
sandboxed parsers as any submission.

Blind to what Landlock does not cover: UDP, signals to other processes of this user before
Linux 6.12, and covert channels. Where the kernel has no Landlock nothing is run at all.

Source:
    Linux, Documentation/userspace-api/landlock.rst.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

IN, OUT = "CREDENZA_IN", "CREDENZA_OUT"
UNCONFINED = 97
"""Exit status of a child that could not be confined, and therefore ran nothing."""

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on every architecture
_NO_NEW_PRIVILEGES = 38
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_ALL_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
_ALL = (1 << 15) - 1
_TCP = 3  # bind and connect, from ABI 4 on
_START = (
    "import sys; sys.path.append(sys.argv[1]);"
    "from credenza.response.confinement import enter; enter(sys.argv[2])"
)
_STDERR_BYTES = 4_000
_OPEN_FILES = 256


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the code may use.

    Attributes:
        memory_bytes: of address space.
        output_bytes: of each file that it writes.
    """

    memory_bytes: int = 4 * 2**30
    cpu_s: int = 300
    wall_s: float = 600.0
    output_bytes: int = 2**30


class Landlock(ctypes.Structure):
    """The kernel's ``landlock_ruleset_attr``: what is denied unless a rule allows it."""

    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64))


class Beneath(ctypes.Structure):
    """The kernel's ``landlock_path_beneath_attr``: what is allowed below a folder."""

    _pack_ = 1
    _layout_ = "ms"
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


@contextlib.contextmanager
def confined(
    command: Sequence[str],
    *,
    code: Path,
    inputs: Mapping[str, bytes],
    bounds: Bounds,
) -> Iterator[Path]:
    """Run ``command`` to its end; the folder with what it wrote, while the block lasts.

    It finds its input in the folder ``$CREDENZA_IN`` and writes to ``$CREDENZA_OUT``.

    Args:
        command: program and arguments; ``python`` is this interpreter.
        code: folder it starts in and may read.
        inputs: content by plain file name.
        bounds: what it may use.

    Raises:
        UsageError: it cannot be confined or started, hangs, crashes, or uses too much.
    """
    if not command or not code.is_dir():
        raise UsageError(
            "no-validator-code",
            "there is no code to run",
            why=f"{code.name!r} is no folder" if command else "the command is empty",
            fix="give a command, and the folder that it is in",
        )
    with tempfile.TemporaryDirectory(prefix="credenza-validator-") as name:
        scratch = Path(name).resolve()
        (scratch / "in").mkdir()
        (scratch / "out").mkdir()
        for file, content in inputs.items():
            (scratch / "in" / Path(file).name).write_bytes(content)
        _run(list(command), code.resolve(), scratch, bounds)
        yield scratch / "out"


def _run(command: list[str], code: Path, scratch: Path, bounds: Bounds) -> None:
    if command[0] in ("python", "python3"):
        command[0] = sys.executable
    orders = {
        "command": command,
        "code": str(code),
        "scratch": str(scratch),
        "memory": bounds.memory_bytes,
        "cpu": bounds.cpu_s,
        "output": bounds.output_bytes,
        "reads": [sys.prefix, sys.base_prefix],
    }
    root = str(Path(__file__).resolve().parents[2])
    with tempfile.TemporaryFile() as told:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", _START, root, json.dumps(orders)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=told,
            cwd=code,
            env=_environment(scratch),
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=bounds.wall_s)
        except subprocess.TimeoutExpired:
            raise UsageError(
                "validator-hung",
                "the validator's code did not end in time",
                why=f"it ran for more than {bounds.wall_s:g} seconds",
                fix="try it on fewer rows, or give it more time",
            ) from None
        finally:  # its session is its own: this reaches it and what it left running
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if status:
            told.seek(max(0, told.seek(0, os.SEEK_END) - _STDERR_BYTES))
            raise _failed(status, told.read(_STDERR_BYTES))


def _environment(scratch: Path) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        "HOME": str(scratch / "out"),
        "TMPDIR": str(scratch / "out"),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        IN: str(scratch / "in"),
        OUT: str(scratch / "out"),
    }


def _failed(status: int, told: bytes) -> UsageError:
    if status == UNCONFINED:
        return UsageError(
            "no-confinement",
            "code cannot be confined on this machine, so it was not run",
            why="the kernel offers no Landlock",
            fix="run it on Linux 5.13 or newer, with Landlock among the active security modules",
        )
    lines = told.decode("utf-8", "replace").strip().splitlines()
    last = "".join(c if c.isprintable() else "?" for c in lines[-1])[:300] if lines else ""
    how = f"signal {-status}" if status < 0 else f"exit status {status}"
    if status == -signal.SIGXCPU:
        how = "it ran out of its CPU time"
    if status == -signal.SIGXFSZ:
        how = "it wrote more than it may"
    return UsageError(
        "validator-crashed",
        "the validator's code failed",
        why=f"{how}; {last}".rstrip("; "),
        fix="run it by hand on a copy of the batch; it may write to $CREDENZA_OUT only",
    )


# ------------------------------------------------------------------ in the child


def enter(orders: str) -> None:
    """Take every limit on, then become the command; never returns."""
    told = json.loads(orders)
    limits = (
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, told["output"], told["output"]),
        # A second between the signal that says why and the one that cannot be caught.
        (resource.RLIMIT_CPU, told["cpu"], told["cpu"] + 1),
        (resource.RLIMIT_AS, told["memory"], told["memory"]),
    )
    for kind, soft, hard in limits:
        resource.setrlimit(kind, (soft, hard))
    program = shutil.which(told["command"][0]) or told["command"][0]
    readable = [*told["reads"], told["code"], told["scratch"], str(Path(program).parent)]
    readable += ["/usr", "/lib", "/lib64", "/bin", "/etc", "/dev", "/proc", "/sys"]
    try:
        _restrict(readable, [str(Path(told["scratch"]) / "out"), "/dev/null"])
    except OSError:
        os._exit(UNCONFINED)
    os.execv(program, told["command"])  # noqa: S606 - the user's own command, from a list


def _restrict(readable: Sequence[str], writable: Sequence[str]) -> None:
    """Give up, for good, everything but reading and writing below these.

    Raises:
        OSError: the kernel will not have it.
    """
    kernel = ctypes.CDLL(None, use_errno=True)
    version = kernel.syscall(_CREATE, None, 0, 1)
    if version < 1:
        raise OSError(ctypes.get_errno(), "no Landlock")
    known = _ALL_OF_ABI.get(version, _ALL)
    ruled = Landlock(known, _TCP if version > len(_ALL_OF_ABI) else 0)
    size = ctypes.sizeof(ruled) if ruled.net else ctypes.sizeof(ctypes.c_uint64)
    rules = kernel.syscall(_CREATE, ctypes.byref(ruled), size, 0)
    if rules < 0:
        raise OSError(ctypes.get_errno(), "no ruleset")
    for path in readable:
        _allow(kernel, rules, path, _EXECUTE | _READ_FILE | _READ_DIR)
    for path in writable:
        _allow(kernel, rules, path, known)
    if kernel.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) or kernel.syscall(_RESTRICT, rules, 0):
        raise OSError(ctypes.get_errno(), "not restricted")
    os.close(rules)


def _allow(kernel: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # /lib64 and the like are not everywhere
    if not Path(path).is_dir():
        access &= _EXECUTE | _WRITE_FILE | _READ_FILE
    rule = Beneath(access, place)
    failed = kernel.syscall(_ADD, rules, 1, ctypes.byref(rule), 0)
    os.close(place)
    if failed:
        raise OSError(ctypes.get_errno(), path)

"""Untrusted files to Arrow without parsing them in this process.

A file is opened here, once, and its descriptor goes to a zygote that forks a child with
limits on memory, CPU, wall-clock, output and open files. What the child writes is
mapped, checked and returned. So a parser that is crashed, bombed or stuck costs one
refusal.

Blind to what the operating system lets any process of this user do: there is no system
call filter and no network namespace, so a parser that is *taken over* could still open
the user's other files. Memory limits are the kernel's, and macOS does not keep them.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import mmap
import os
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from credenza.core.canonical import strict_json
from credenza.core.errors import InternalError, UntrustedError
from credenza.provenance.intake import zygote
from credenza.provenance.intake.builtin import intake_for
from credenza.provenance.intake.limits import open_regular, plain, plain_schema, refused
from credenza.provenance.intake.together import by_name

if TYPE_CHECKING:
    from credenza.core.types import Limits
    from credenza.provenance.intake.together import Files

_START = (
    "import socket, sys; sys.path.append(sys.argv[1]);"
    "from credenza.provenance.intake.zygote import serve; serve(socket.socket(fileno=0))"
)
# One thread (no allocator's helper, no pools) is what makes forking safe.
_ENVIRONMENT = {
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
_CODE = re.compile(r"[a-z-]{1,40}\Z")
_GRACE_S = 5.0
_LIMIT_SIGNALS = {
    signal.SIGXCPU: "the parser ran out of its CPU time",
    signal.SIGALRM: "the parser ran out of its wall-clock time",
    signal.SIGXFSZ: "the parser wrote more than its output limit",
    signal.SIGKILL: "the parser was killed: out of CPU time or of the machine's memory",
    signal.SIGABRT: "the parser gave up, most likely out of its memory limit",
}


def read_sandboxed(files: Files, limits: Limits) -> pa.Table:
    """The rows of ``files``, parsed by this process's one sandbox; see ``Sandbox.read``."""
    return _SHARED.read(files, limits)


class Sandbox:
    """A parsing zygote: started by the first read, replaced if it dies.

    Safe to use from several threads, which take turns, and in a forked process, which
    starts its own.

    Args:
        wall_s: seconds that one read may take; by default twice the CPU limit and ten.
    """

    def __init__(self, *, wall_s: float | None = None) -> None:
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._owner = 0

    def read(self, files: Files, limits: Limits) -> pa.Table:
        """Parse files of one batch into one table.

        Args:
            files: at least one; the ending of each name decides the format.
            limits: bounds for the batch as a whole, and for each file's bytes.

        Returns:
            Plain columns: no dictionaries, extension types or metadata. Its memory is a
            mapped file that lives as long as the table.

        Raises:
            UntrustedError: a file is refused; ``parser-limit`` when the parser died of a
                limit and ``parser-crash`` when it died of anything else.
            InternalError: ``disk-full``, or ``sandbox-down`` when it cannot be started.
        """
        named = by_name(files)
        most = min(limits.files, zygote.MAX_FILES)
        if not 1 <= len(named) <= most or len(named) != len(files):
            raise refused(
                "bad-files",
                "a batch has a number of differently named files",
                why=f"{len(named)} names for {len(files)} files; 1 to {most} are allowed",
                fix="send that many files, each with its own name",
            )
        intakes = [intake_for(name) for name in named]
        with contextlib.ExitStack() as cleanup:
            inputs = []
            for path in named.values():
                inputs.append(open_regular(Path(path), limits))
                cleanup.callback(os.close, inputs[-1])
            output = cleanup.enter_context(tempfile.TemporaryFile(buffering=0))
            wall_s = self._wall_s or 2.0 * limits.cpu_s + 10.0
            request = {
                "intakes": intakes,
                "limits": dataclasses.asdict(limits),
                "wall_s": wall_s,
            }
            status = self._run(request, [output.fileno(), *inputs], wall_s)
            return _answer(status, output.fileno(), list(named), limits)

    def close(self) -> None:
        """Stop the zygote; the next read would start another."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, request: dict[str, object], fds: list[int], wall_s: float) -> int:
        """The wait status of the child that did the request."""
        with self._lock:
            channel = self._started()
            channel.settimeout(wall_s + _GRACE_S)
            try:
                zygote.send(channel, request, fds)
                reply, _ = zygote.receive(channel)
            except TimeoutError:
                self._stop()
                return int(signal.SIGALRM)
            except (OSError, EOFError):
                reply = {}
            if not reply:
                self._stop()
                raise InternalError(
                    "sandbox-down",
                    "the process that reads untrusted files stopped",
                    why="it closed its end without an answer",
                    fix="try again; check that this interpreter can import pyarrow",
                )
            return int(str(reply["status"]))

    def _started(self) -> socket.socket:
        if self._channel is not None and self._owner == os.getpid():
            # Nothing was asked, so anything to read means that the zygote or the child
            # that waits in it died; an old answer must not become the next file's.
            if not select.select([self._channel], [], [], 0)[0]:
                return self._channel
            self._stop()
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parents[3])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, root],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env=_ENVIRONMENT,
                start_new_session=True,
            )
        self._channel, self._owner = ours, os.getpid()
        return ours

    def _stop(self) -> None:
        process, channel = self._process, self._channel
        mine = self._owner == os.getpid()
        self._process = self._channel = None
        if channel is not None:
            channel.close()
        if process is not None and mine:
            # Its session is its own, so this reaches a stuck child of it and nothing else.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answer(status: int, output: int, names: list[str], limits: Limits) -> pa.Table:
    if os.WIFSIGNALED(status):
        raise _died(os.WTERMSIG(status))
    if os.WEXITSTATUS(status) == zygote.REFUSED:
        raise _refusal(output, names)
    if os.WEXITSTATUS(status) == zygote.NO_ROOM:
        raise InternalError(
            "disk-full",
            "there is no room to read untrusted files",
            why=f"the folder for temporary files, {tempfile.gettempdir()}, is full",
            fix="free some space there, or set TMPDIR, and submit again",
        )
    if os.WEXITSTATUS(status) != zygote.DONE:
        raise _died(0)
    size = os.fstat(output).st_size
    if not 0 < size <= zygote.output_bytes(limits):
        raise _died(0)
    # The table's buffers hold the mapping; the descriptor may go.
    mapped = mmap.mmap(output, size, prot=mmap.PROT_READ)
    try:
        table = pa.ipc.open_stream(pa.py_buffer(mapped)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError) as wrong:
        raise _died(0) from wrong
    if not table.schema.equals(plain_schema(table.schema), check_metadata=True):
        raise _died(0)
    return table


def _died(number: int) -> UntrustedError:
    why = _LIMIT_SIGNALS.get(signal.Signals(number)) if number else None
    if why is not None:
        return refused(
            "parser-limit",
            "a file was refused because reading it takes too much",
            why=why,
            fix="split it into several batches",
        )
    return refused(
        "parser-crash",
        "a file broke its parser",
        why=f"signal {number}" if number else "it gave no usable answer",
        fix="write the file again; report it if it opens elsewhere",
    )


def _refusal(output: int, names: list[str]) -> UntrustedError:
    """What the child said, believed no further than its shape."""
    found = strict_json(os.pread(output, 65_536, 0))
    if not isinstance(found, dict) or not _CODE.match(str(found.get("code"))):
        return _died(0)
    index = found.get("file")
    name = names[index] if isinstance(index, int) and 0 <= index < len(names) else "a file"
    return UntrustedError(
        str(found["code"]),
        plain(str(found.get("what"))),
        why=plain(f"{name}: {found.get('why')}"),
        fix=plain(str(found.get("fix"))),
    )


_SHARED = Sandbox()
atexit.register(_SHARED.close)

"""The process that parses: started once, forked for every request, trusted with nothing.

It runs in a fresh interpreter with an empty environment and one thread, so that a fork
is safe and costs milliseconds. A child gets open files and limits, never a path or a
key, and answers with an exit status and one output file. Nobody imports this module
but ``sandbox`` by way of a new interpreter.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import json
import os
import resource
import signal
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from credenza.core.errors import UntrustedError
from credenza.core.types import Limits
from credenza.provenance.intake.limits import out_of_memory, refused
from credenza.provenance.intake.together import read_all

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_FILES = 128
DONE, REFUSED, NOTHING_TO_DO, NO_ROOM = 0, 1, 2, 3
_HEADER = 4
_NO_ROOM_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
_OPEN_FILES = MAX_FILES + 64
_RECHUNK_SHARE = 3
_FILE_SLACK_BYTES = 64 * 2**20


def output_bytes(limits: Limits) -> int:
    """The largest output file: decoded bytes, with room for padding and headings."""
    return 2 * limits.decoded_bytes + _FILE_SLACK_BYTES


def send(channel: socket.socket, value: object, fds: Sequence[int] = ()) -> None:
    """One message: four bytes of length, JSON, and file descriptors beside them."""
    body = json.dumps(value).encode("ascii")
    socket.send_fds(channel, [len(body).to_bytes(_HEADER, "big")], list(fds))
    channel.sendall(body)


def receive(channel: socket.socket) -> tuple[dict[str, object], list[int]]:
    """The next message, or an empty one when the other side is gone."""
    head, fds, _, _ = socket.recv_fds(channel, _HEADER, MAX_FILES + 1)
    head += _exactly(channel, _HEADER - len(head)) if head else b""
    if not head:
        return {}, []
    value: dict[str, object] = json.loads(
        _exactly(channel, int.from_bytes(head, "big")).decode("ascii")
    )
    return value, fds


def _exactly(channel: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = channel.recv(size)
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def serve(channel: socket.socket) -> None:
    """Answer requests until the other side closes, each by a child of its own.

    The child for the next request is forked, and warmed by a first parse, before that
    request arrives: most of a small file's cost is a fresh process touching its pages.
    """
    sample = _sample()
    gc.collect()
    gc.freeze()  # what is shared with the children need not be copied for them
    status = DONE
    while os.waitstatus_to_exitcode(status) != NOTHING_TO_DO:
        child = os.fork()
        if not child:
            os._exit(_child(channel, sample))
        _, status, usage = os.wait4(child, 0)
        with contextlib.suppress(BrokenPipeError):
            send(channel, {"status": status, "peak_kib": usage.ru_maxrss})


def _child(channel: socket.socket, sample: pa.Buffer) -> int:
    """Wait for one request and parse under its limits; the answer is the first file's."""
    with contextlib.suppress(OSError, pa.ArrowException):
        _warm_up(sample)
    taken = _address_space()
    request, fds = receive(channel)
    channel.close()
    if not request:
        return NOTHING_TO_DO
    output, *inputs = fds
    limits = Limits(**request["limits"])  # type: ignore[arg-type] # our own parent wrote it
    names: list[str] = request["intakes"]  # type: ignore[assignment] # our own parent wrote it
    _confine(limits, taken, float(request["wall_s"]))  # type: ignore[arg-type] # as above
    paths = [Path(f"/dev/fd/{fd}") for fd in inputs]
    return _attempt(names, paths, limits, output)


def _attempt(names: list[str], paths: list[Path], limits: Limits, output: int) -> int:
    """Parse into the output file, or leave the refusal there; the exit status."""
    at = [0]
    try:
        with os.fdopen(output, "wb", closefd=False) as file:
            _write(read_all(names, paths, limits, at), limits, file)
    except BaseException as wrong:  # noqa: BLE001 - whatever hostile bytes provoke is an answer
        if isinstance(wrong, OSError) and wrong.errno in _NO_ROOM_ERRORS:
            return NO_ROOM
        return _refuse(output, _refusal(wrong), at[0])
    return DONE


def _sample() -> pa.Buffer:
    """A small Parquet file; making it also loads what the libraries load late."""
    # Arrays of Python values would load pandas where it is installed, and a CSV reader
    # would start a thread: the one is slow to fork, the other unsafe.
    kinds = {"number": pa.int64(), "text": pa.string(), "real": pa.float64()}
    table = pa.table({name: pa.nulls(2, kind) for name, kind in kinds.items()})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue()


def _warm_up(sample: pa.Buffer) -> None:
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as output:
        file.write(sample)
        file.flush()
        path = Path(f"/dev/fd/{file.fileno()}")
        _write(read_all(["parquet"], [path], Limits(), [0]), Limits(), output)


def _confine(limits: Limits, taken: int, wall_s: float) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes(limits), output_bytes(limits)))
    resource.setrlimit(resource.RLIMIT_CPU, (limits.cpu_s, limits.cpu_s))
    memory = taken + limits.memory_bytes
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    signal.setitimer(signal.ITIMER_REAL, wall_s)


def _address_space() -> int:
    """Address space taken before anything was parsed; it is not the file's fault."""
    statm = Path("/proc/self/statm")
    pages = int(statm.read_text("ascii").split()[0]) if statm.exists() else 2**18
    return pages * resource.getpagesize()


def _write(table: pa.Table, limits: Limits, file: object) -> None:
    if table.nbytes * _RECHUNK_SHARE < limits.memory_bytes:
        table = table.combine_chunks()
    with pa.ipc.new_stream(pa.PythonFile(file, "w"), table.schema) as writer:
        writer.write_table(table)


def _refuse(output: int, refusal: UntrustedError, file: int) -> int:
    answer = {
        "code": refusal.code,
        "what": refusal.what,
        "why": refusal.why,
        "fix": refusal.fix,
        "file": file,
    }
    try:
        os.ftruncate(output, 0)
        os.pwrite(output, json.dumps(answer).encode("ascii"), 0)
    except OSError:
        # Not even a refusal can be written: the disk is at fault, not the file.
        return NO_ROOM
    return REFUSED


def _refusal(wrong: BaseException) -> UntrustedError:
    if isinstance(wrong, UntrustedError):
        return wrong
    if isinstance(wrong, MemoryError):
        return out_of_memory()
    if isinstance(wrong, OSError) and wrong.errno == errno.EFBIG:
        return refused(
            "parser-limit",
            "a file was refused because reading it takes too much",
            why="its decoded form outgrew the output limit",
            fix="split it into several batches",
        )
    return refused(
        "parser-crash",
        "a file broke its parser",
        why=f"{type(wrong).__name__}: {wrong}",
        fix="write the file again; report it if it opens elsewhere",
    )

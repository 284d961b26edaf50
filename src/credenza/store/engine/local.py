"""Engines on one machine: this process, or a pool beside it."""

from __future__ import annotations

import multiprocessing
from dataclasses import dataclass, field
from functools import reduce
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, TypeVar

from credenza.core.canonical import canonical_json, strict_json
from credenza.core.errors import (
    ConflictError,
    CredenzaError,
    InternalError,
    NotFoundError,
    UntrustedError,
    UsageError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

T = TypeVar("T")
S = TypeVar("S")

STATE = b"\x00"
FAILURE = b"\x01"
STATE_BYTES_MAX = 256 * 2**20

_BRANCHES = {
    branch.__name__: branch
    for branch in (UsageError, NotFoundError, ConflictError, UntrustedError, InternalError)
}


def as_bytes(state: object) -> bytes:
    """A state that is bytes already, unchanged.

    Raises:
        UsageError: it is anything else.
    """
    if not isinstance(state, bytes):
        raise UsageError(
            "unpacked-state",
            f"a state of type {type(state).__name__} cannot leave its worker",
            why="workers answer in bytes, never in pickles",
            fix="give the engine a function that packs the state, and one that unpacks it",
        )
    return state


class SerialEngine:
    """Runs the work here, one item after another."""

    def map_reduce(
        self, items: Iterable[T], work: Callable[[T], S], merge: Callable[[S, S], S]
    ) -> S:
        """Map every item and merge the results from left to right.

        Raises:
            UsageError: there are no items.
        """
        return _merged(map(work, items), merge)


class PoolEngine:
    """Runs the work in fresh processes beside this one.

    Items and ``work`` travel to the workers as multiprocessing sends them; what comes
    back is read as plain bytes and never unpickled, because a worker that parsed
    hostile data is not to be trusted. Results are merged in the order of the items,
    so any number of workers gives the same answer even for a merge that rounds.
    Blind to a worker that hangs: the work must bound itself.

    Args:
        workers: number of processes, at least 1; fewer start when items are few.
        pack: in the worker, turns a state into bytes; an importable function.
        unpack: here, turns the bytes back into a state, and distrusts them.

    Raises:
        UsageError: no workers.
    """

    def __init__(
        self,
        workers: int,
        pack: Callable[[Any], bytes] = as_bytes,
        unpack: Callable[[bytes], Any] = as_bytes,
    ) -> None:
        if workers < 1:
            raise UsageError("bad-parameter", f"an engine cannot run on {workers} workers")
        self._workers = workers
        self._pack = pack
        self._unpack = unpack

    def map_reduce(
        self, items: Iterable[T], work: Callable[[T], S], merge: Callable[[S, S], S]
    ) -> S:
        """Map every item in some worker and merge the results in the items' order.

        Args:
            items: each must travel to another process.
            work: an importable function.
            merge: runs here.

        Raises:
            UsageError: there are no items.
            CredenzaError: what the work raised, with its code, what, why and fix.
            InternalError: the work raised something else, or its worker died.
        """
        crew = _Crew(work, self._pack, self._workers)
        try:
            states: Iterator[S] = map(self._unpack, crew.packed_states(items))
            return _merged(states, merge)
        finally:
            crew.dismiss()


@dataclass(slots=True)
class _Crew:
    """Worker processes, hired as items arrive, each busy with at most one item."""

    work: Callable[[Any], object]
    pack: Callable[[Any], bytes]
    limit: int
    processes: list[SpawnProcess] = field(default_factory=list)
    idle: list[Connection[object, object]] = field(default_factory=list)
    busy: dict[Connection[object, object], int] = field(default_factory=dict)
    early: dict[int, bytes] = field(default_factory=dict)

    def packed_states(self, items: Iterable[object]) -> Iterator[bytes]:
        """Packed states in the order of the items."""
        wanted = 0
        for index, item in enumerate(items):
            if len(self.busy) == self.limit:
                self._collect()
            connection = self.idle.pop() if self.idle else self._hire()
            self.busy[connection] = index
            try:
                connection.send(item)
            except OSError as wrong:
                raise _died(index) from wrong
            while wanted in self.early:
                yield self.early.pop(wanted)
                wanted += 1
        while self.busy or self.early:
            if wanted not in self.early:
                self._collect()
            else:
                yield self.early.pop(wanted)
                wanted += 1

    def dismiss(self) -> None:
        """End every worker, busy or not."""
        for connection in [*self.idle, *self.busy]:
            connection.close()
        for process in self.processes:
            process.terminate()
            process.join()
            process.close()

    def _hire(self) -> Connection[object, object]:
        # A fork would copy the locks of whatever threads Arrow and Lance have started.
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.work, self.pack), daemon=True)
        process.start()
        theirs.close()
        self.processes.append(process)
        return ours

    def _collect(self) -> None:
        """Wait until at least one worker has answered."""
        ready = wait(list(self.busy))
        for connection in [one for one in self.busy if one in ready]:
            index = self.busy.pop(connection)
            self.idle.append(connection)
            try:
                answer = connection.recv_bytes(STATE_BYTES_MAX)
            except (EOFError, OSError) as wrong:
                raise _died(index) from wrong
            if answer[:1] != STATE:
                raise _read_failure(answer[1:])
            self.early[index] = answer[1:]


def _merged(states: Iterator[S], merge: Callable[[S, S], S]) -> S:
    for first in states:
        return reduce(merge, states, first)
    raise UsageError("no-items", "there is nothing to map and reduce")


def _serve(
    connection: Connection[object, object],
    work: Callable[[Any], object],
    pack: Callable[[Any], bytes],
) -> None:
    """A worker: answers each item with a packed state or a failure."""
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        try:
            answer = STATE + pack(work(item))
        except CredenzaError as wrong:
            answer = FAILURE + _write_failure(wrong)
        except Exception as wrong:  # noqa: BLE001  # whatever it was, it must be told
            answer = FAILURE + _write_failure(
                InternalError("work-failed", "a worker failed", why=repr(wrong)[:500])
            )
        connection.send_bytes(answer)


def _died(index: int) -> InternalError:
    return InternalError(
        "worker-died",
        f"the worker on item {index} ended without an answer",
        why="it was killed, ran out of memory, or answered too much",
        fix="use fewer workers, or smaller items",
    )


def _write_failure(wrong: CredenzaError) -> bytes:
    texts = (type(wrong).__name__, wrong.code, wrong.what, wrong.why, wrong.fix)
    # Lone surrogates from hostile names have no canonical form.
    return canonical_json([text.encode(errors="replace").decode() for text in texts])


def _read_failure(data: bytes) -> CredenzaError:
    match strict_json(data):
        case [str(branch), str(code), str(what), str(why), str(fix)] if branch in _BRANCHES:
            return _BRANCHES[branch](code, what, why=why, fix=fix)
        case _:
            return InternalError("worker-babbled", "a worker's answer could not be read")

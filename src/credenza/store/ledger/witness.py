"""A witness: remembers the largest tree of each log it knows, and cosigns only growth.

Source:
    c2sp.org/tlog-witness, ``add-checkpoint``.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import re
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

from credenza.core.errors import UntrustedError
from credenza.store.disk import sync, write_durably
from credenza.store.ledger.checkpoint import Checkpoint, read_checkpoint
from credenza.store.ledger.cosignature import cosign
from credenza.store.ledger.note import NOTE_BYTES_MAX, split_note, strict_base64
from credenza.store.ledger.tree import verify_consistency

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from credenza.store.ledger.note import Verifier

PROOF_LINES_MAX = 63
REQUEST_BYTES_MAX = NOTE_BYTES_MAX + 4_096
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"

_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})")


class Response(NamedTuple):
    """What is answered: an HTTP status, a media type and a body."""

    status: HTTPStatus
    media_type: str
    body: bytes


class _Refused(Exception):  # noqa: N818 - an answer on its way out, not an error of ours
    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Witness:
    """Cosigns checkpoints of known logs that grew from what it last cosigned.

    What it cosigned is durable before it answers, and comparing with it and replacing
    it are one step under a lock, so that two requests at once, or a crash between
    them, never make it forget a tree. Blind to what the entries say: it vouches that
    everybody is shown one history, not that the history is true.

    Args:
        directory: its memory, one small file a log; made when missing.
        name: of the witness, as it stands in cosignatures.
        private_key: used for nothing else.
        logs: the known logs by origin.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        private_key: Ed25519PrivateKey,
        logs: Mapping[str, Verifier],
    ) -> None:
        self._directory = directory
        self._name = name
        self._key = private_key
        self._logs = logs
        directory.mkdir(parents=True, exist_ok=True)

    def add_checkpoint(self, request: bytes, time_s: int) -> Response:
        """Answer one request.

        Args:
            request: old size, consistency proof, blank line, checkpoint.
            time_s: seconds since the epoch.

        Returns:
            200 with cosignature lines; 400 malformed; 403 not signed by the log; 404
            unknown log; 409 with the size it knows, when the request starts from
            another or shows that size with another root; 422 when the proof fails.
        """
        try:
            old, proof, note = _read_request(request)
            head = self._signed_head(note)
            with self._locked():
                self._check_growth(old, proof, head)
                self._remember(head)
        except _Refused as refused:
            return refused.response
        line = cosign(split_note(note)[0], self._name, self._key, time_s)
        return Response(HTTPStatus.OK, TEXT, line.encode())

    def latest(self, origin: str) -> Checkpoint | None:
        """The largest checkpoint of a log that it cosigned, if any."""
        path = self._path(origin)
        if not path.is_file():
            return None
        return read_checkpoint(path.read_bytes(), origin, self._logs[origin].public_key)

    def _signed_head(self, note: bytes) -> Checkpoint:
        try:
            text, _ = split_note(note)
        except UntrustedError as wrong:
            raise _refuse(HTTPStatus.BAD_REQUEST, wrong.why) from wrong
        log = self._logs.get(text.split("\n", 1)[0])
        if log is None:
            raise _refuse(HTTPStatus.NOT_FOUND, "this witness does not know the log")
        try:
            return read_checkpoint(note, log.name, log.public_key)
        except UntrustedError as wrong:
            raise _refuse(HTTPStatus.FORBIDDEN, wrong.why) from wrong

    def _check_growth(self, old: int, proof: Sequence[bytes], head: Checkpoint) -> None:
        if old > head.size:
            raise _refuse(HTTPStatus.BAD_REQUEST, "the old size is beyond the checkpoint")
        known = self.latest(head.origin)
        size = 0 if known is None else known.size
        if old != size:
            raise _conflict(size)
        if known is None or size == 0:
            if proof:
                raise _refuse(HTTPStatus.UNPROCESSABLE_ENTITY, "from size 0 there is no proof")
            return
        if size == head.size and known.root != head.root:
            raise _conflict(size)
        try:
            verify_consistency(size, known.root, head.size, head.root, proof)
        except UntrustedError as wrong:
            raise _refuse(HTTPStatus.UNPROCESSABLE_ENTITY, wrong.why) from wrong

    def _remember(self, head: Checkpoint) -> None:
        path = self._path(head.origin)
        beside = path.with_suffix(".next")
        write_durably(self._directory, {beside.name: head.note})
        beside.replace(path)
        sync([self._directory])

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One at a time, among threads and among processes."""
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _path(self, origin: str) -> Path:
        return self._directory / f"{hashlib.sha256(origin.encode()).hexdigest()}.checkpoint"


def write_request(old: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of ``add-checkpoint``."""
    lines = [f"old {old}", *(base64.b64encode(one).decode() for one in proof), "", ""]
    return "\n".join(lines).encode() + note


def _read_request(request: bytes) -> tuple[int, list[bytes], bytes]:
    head, blank, note = request.partition(b"\n\n")
    lines = head.decode("utf-8", errors="replace").split("\n")
    matched = _OLD.fullmatch(lines[0])
    if not blank or matched is None or len(lines) > PROOF_LINES_MAX + 1:
        raise _refuse(HTTPStatus.BAD_REQUEST, "not old size, proof, blank line and checkpoint")
    try:
        return int(matched[1]), [strict_base64(line) for line in lines[1:]], note
    except UntrustedError as wrong:
        raise _refuse(HTTPStatus.BAD_REQUEST, wrong.why) from wrong


def _refuse(status: HTTPStatus, why: str) -> _Refused:
    return _Refused(Response(status, TEXT, f"{why}\n".encode()))


def _conflict(size: int) -> _Refused:
    return _Refused(Response(HTTPStatus.CONFLICT, SIZE, f"{size}\n".encode()))

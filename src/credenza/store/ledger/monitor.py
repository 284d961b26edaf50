"""A monitor: keeps what it last saw of a log, and says what can no longer be true.

It needs the published files and the log's public key, nothing of the operator's. The
evidence it keeps convicts: two signed trees that cannot both be, or a signed promise
beside a signed tree that breaks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError
from credenza.store.ledger.checkpoint import Checkpoint, read_checkpoint
from credenza.store.ledger.files import CHECKPOINT, COSIGNED, TreeFiles
from credenza.store.ledger.reading import entries_between, prove_growth
from credenza.store.ledger.trust import check_quorum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from credenza.core.types import Entry
    from credenza.store.ledger.files import Fetch
    from credenza.store.ledger.note import Verifier
    from credenza.store.ledger.receipt import Promise
    from credenza.store.ledger.trust import TrustPolicy

SLACK_S = 300


@dataclass(frozen=True, slots=True)
class Sight:
    """What a monitor remembers between two looks.

    Attributes:
        note: the latest checkpoint that stood every test, as signed.
        seen_s: when it was seen, by the monitor's clock.
        newest_s: the latest time that any entry so far claims.
    """

    note: bytes
    seen_s: int
    newest_s: int


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that an honest operator cannot have done.

    Attributes:
        kind: rollback, fork, altered, omission, back-dating, post-dating or no-quorum.
        evidence: what shows it; signed notes as text.
    """

    kind: str
    sentence: str
    evidence: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at a log.

    Attributes:
        size: entries that the log now claims; 0 when its checkpoint is refused.
        read: entries that were read in this look.
        alarms: none when all is well.
        sight: what to remember; the old one when the new tree was not believed.
    """

    size: int
    read: int
    alarms: tuple[Alarm, ...]
    sight: Sight | None


def observe(
    fetch: Fetch,
    log: Verifier,
    before: Sight | None,
    *,
    time_s: int,
    promises: Sequence[Promise] = (),
    trust: TrustPolicy | None = None,
    slack_s: int = SLACK_S,
) -> Observation:
    """Look at a log, compare it with the last look, and read what is new.

    Catches a tree that shrank (rollback) or is no continuation of the one seen before
    (fork); files that do not lead to the signed root (altered); a promised entry that
    is not where it was promised (omission); an entry that claims a time from before
    the last look, or after this one (back-dating, post-dating); a latest checkpoint
    that no quorum of witnesses has cosigned. Blind to an operator who shows this
    monitor one history for ever and others another: that is what witnesses and their
    quorum are for. Blind to back-dating by less than the time between two looks.

    Args:
        fetch: gives a file of the log by its path.
        log: its origin and key.
        before: what the last look left; None for the first.
        time_s: now, seconds since the epoch.
        promises: verified receipts.
        trust: demand that the cosigned checkpoint has this quorum.
        slack_s: how far clocks may disagree.

    Complexity:
        O(new entries) hashes and reads, O(log n) for the proof of growth.
    """
    old = None if before is None else read_checkpoint(before.note, log.name, log.public_key)
    try:
        head = _published(fetch, log)
        files = TreeFiles(fetch, head.size)
        alarm = _broken_history(files, old, head)
        if alarm is not None:
            return Observation(head.size, 0, (alarm,), before)
        new = range(0 if old is None else old.size, head.size)
        entries = entries_between(files, new.start, new.stop, head.root)
        alarms, newest_s = _read_times(entries, before, time_s=time_s, slack_s=slack_s)
        alarms += _broken_promises(files, head, promises, time_s)
    except UntrustedError as wrong:
        alarm = Alarm("altered", f"{wrong.what}: {wrong.why}", {"code": wrong.code})
        return Observation(0, 0, (alarm,), before)
    alarms += [] if trust is None else _missing_quorum(fetch, log, head, trust)
    return Observation(head.size, len(new), tuple(alarms), Sight(head.note, time_s, newest_s))


def _published(fetch: Fetch, log: Verifier, path: str = CHECKPOINT) -> Checkpoint:
    note = fetch(path)
    if note is None:
        raise UntrustedError(
            "ledger-altered",
            "the ledger has no checkpoint",
            why="it is gone",
            fix="ask the operator for the ledger as it was",
        )
    return read_checkpoint(note, log.name, log.public_key)


def _broken_history(files: TreeFiles, old: Checkpoint | None, head: Checkpoint) -> Alarm | None:
    if old is None:
        # The first look: at least the files must lead to the root that is signed.
        prove_growth(files, (head.size, files.range_hash(0, head.size) or head.root), _end(head))
        return None
    evidence = {"before": old.note.decode(), "now": head.note.decode()}
    if head.size < old.size:
        shrank = f"the log shrank from {old.size} to {head.size} entries"
        return Alarm("rollback", shrank, evidence)
    if head.size == old.size and head.root != old.root:
        return Alarm("fork", f"the log signed two different trees of {old.size} entries", evidence)
    try:
        prove_growth(files, _end(old), _end(head))
    except UntrustedError as wrong:
        return Alarm("fork", f"the log rewrote what it had signed: {wrong.why}", evidence)
    return None


def _end(head: Checkpoint) -> tuple[int, bytes]:
    return head.size, head.root


def _read_times(
    entries: Iterable[Entry], before: Sight | None, *, time_s: int, slack_s: int
) -> tuple[list[Alarm], int]:
    newest_s = 0 if before is None else before.newest_s
    earliest_s = 0 if before is None else before.seen_s - slack_s
    alarms = []
    for entry in entries:
        told = {"index": entry.index, "kind": entry.kind, "time_s": entry.time_s}
        bound_s = max(earliest_s, newest_s - slack_s)
        if entry.time_s < bound_s:
            alarms.append(
                Alarm(
                    "back-dating",
                    f"entry {entry.index} says {entry.time_s}, but it was not there before "
                    f"{bound_s}",
                    told | {"not_before_s": bound_s},
                )
            )
        elif entry.time_s > time_s + slack_s:
            alarms.append(
                Alarm(
                    "post-dating",
                    f"entry {entry.index} says {entry.time_s}, which is still to come",
                    told | {"now_s": time_s},
                )
            )
        newest_s = max(newest_s, min(entry.time_s, time_s))
    return alarms, newest_s


def _broken_promises(
    files: TreeFiles, head: Checkpoint, promises: Sequence[Promise], time_s: int
) -> list[Alarm]:
    alarms = []
    for promise in promises:
        held = (
            next(entries_between(files, promise.index, promise.index + 1), None)
            if (promise.index < head.size)
            else None
        )
        kept = held is not None and (held.kind, held.digest) == (promise.kind, promise.digest)
        if kept or (held is None and time_s <= promise.merge_by_s):
            continue
        stands = "is missing" if held is None else "is another entry"
        alarms.append(
            Alarm(
                "omission",
                f"entry {promise.index}, promised for {promise.subject[:12]}, {stands}",
                {"promised": promise.digest, "merge_by_s": promise.merge_by_s}
                | {"now": head.note.decode()},
            )
        )
    return alarms


def _missing_quorum(
    fetch: Fetch, log: Verifier, head: Checkpoint, trust: TrustPolicy
) -> list[Alarm]:
    try:
        cosigned = _published(fetch, log, COSIGNED)
        check_quorum(cosigned, trust)
        files = TreeFiles(fetch, head.size)
        prove_growth(files, _end(cosigned), _end(head))
    except UntrustedError as wrong:
        return [Alarm("no-quorum", f"{wrong.what}: {wrong.why}", {"quorum": trust.quorum})]
    return []

"""One look of a monitor at a log, and what it writes down of it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.core.jsonable import jsonable
from credenza.gate.proofs import log_of
from credenza.interfaces.web import fetch_from
from credenza.store.disk import write_durably
from credenza.store.ledger.files import lying_in
from credenza.store.ledger.monitor import Observation, Sight, observe
from credenza.store.ledger.receipt import read_promise
from credenza.store.ledger.trust import read_trust

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = "credenza.sight/1"
SIGHT = "sight.json"


def look(
    ledger: str,
    public: str,
    state: Path,
    *,
    receipts: Sequence[bytes] = (),
    policy: str | None = None,
) -> Observation:
    """Look at a log, and remember what was seen.

    The sight of a tree that cannot be believed is not remembered: the next look
    compares with the last good one again, and the evidence stays in ``state``.

    Args:
        ledger: its directory, or the URL under which its files are published.
        public: the operator's public key, 64 hex digits.
        state: a directory of the monitor's own; made when missing.
        receipts: envelopes that the log must honour.
        policy: text of a trust policy whose quorum is demanded.
    """
    state.mkdir(parents=True, exist_ok=True)
    time_s = int(time.time())
    found = observe(
        fetch_from(ledger) if "://" in ledger else lying_in(Path(ledger)),
        log_of(public),
        _last_sight(state),
        time_s=time_s,
        promises=[read_promise(envelope, public) for envelope in receipts],
        trust=None if policy is None else read_trust(policy),
    )
    _write(state, time_s, found)
    return found


def _last_sight(state: Path) -> Sight | None:
    path = state / SIGHT
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_bytes())
        note, times = told[SCHEMA], told["times"]
        return Sight(str(note).encode(), int(times["seen_s"]), int(times["newest_s"]))
    except (ValueError, KeyError, TypeError) as wrong:
        raise UsageError(
            "bad-sight",
            f"{SIGHT} is not what a monitor wrote",
            why=str(wrong),
            fix="restore it; only if it is lost for good, start with another --state",
        ) from wrong


def _write(state: Path, time_s: int, found: Observation) -> None:
    if found.alarms:
        evidence = json.dumps(jsonable(found.alarms), indent=1).encode()
        write_durably(state, {f"alarm-{time_s}.json": evidence})
    if found.sight is not None:
        sight = found.sight
        told = {
            SCHEMA: sight.note.decode(),
            "times": {"seen_s": sight.seen_s, "newest_s": sight.newest_s},
        }
        write_durably(state, {f"{SIGHT}.next": json.dumps(told, indent=1).encode()})
        (state / f"{SIGHT}.next").replace(state / SIGHT)

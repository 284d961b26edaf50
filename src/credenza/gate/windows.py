"""Which window a batch waits for, and how dates are spelled."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from credenza.core.errors import UntrustedError, UsageError
from credenza.store.catalog import Between
from credenza.store.rows import WindowRow

if TYPE_CHECKING:
    from credenza.gate.policy import WindowRule
    from credenza.store.catalog import Transaction

AGE = "settled_index"
"""The column by which windows are as old as they are: one that came late, or is a batch of its
own, is not the newest because of its name."""

_ALONE = "batch "


def window_of(collected_from: str, batch: str, rule: WindowRule) -> str:
    """The window's first day as an ISO date, or the batch itself when ``days`` is 0.

    A batch belongs to the window in which its collection began: the source signs that
    time, so it cannot be moved later without a new signature.

    Raises:
        UntrustedError: the time is not ISO 8601.
    """
    if rule.days == 0:
        return f"{_ALONE}{batch[:16]}"
    try:
        day = dt.datetime.fromisoformat(collected_from).date()
    except ValueError as wrong:
        raise UntrustedError(
            "bad-manifest",
            f"the collection time {collected_from[:40]!r} is not ISO 8601",
            why="a batch's window is found from when it was collected",
            fix="sign the batch with times like 2013-06-03T00:00:00Z",
        ) from wrong
    behind = (day - rule.anchor).days % rule.days
    return (day - dt.timedelta(days=behind)).isoformat()


def end_of(window: str, rule: WindowRule) -> str:
    """The day on which a window is over, an ISO date; "" for a batch judged as it comes."""
    if not rule.days or not is_dated(window):
        return ""
    return (dt.date.fromisoformat(window) + dt.timedelta(days=rule.days)).isoformat()


def is_dated(window: str) -> bool:
    """Whether a window is a span of days, not a batch that was judged as it came."""
    return not window.startswith(_ALONE)


def day_of(window: str, now_s: float) -> str:
    """The first day of a window; of a batch that is judged as it comes, today."""
    today = dt.datetime.fromtimestamp(now_s, tz=dt.UTC).date().isoformat()
    return window if is_dated(window) else today


def number_of(window: str, rule: WindowRule) -> int:
    """Windows from the anchor to this one, whether anybody sent anything in them or not."""
    return (dt.date.fromisoformat(window) - rule.anchor).days // rule.days


def dated_from(window: str) -> Between:
    """Windows that are spans of days and not older than one; a batch's own name is behind all."""
    return Between(window, _ALONE)


def settled_before(index: Transaction, dataset: str, window: str) -> WindowRow | None:
    """The settled window whose state a window is judged from, however late it is judged.

    Dated windows are settled in the order of their dates, and what comes for one later is
    judged from where the scan stood then. A batch that is a window of its own has the newest.
    """
    if not is_dated(window):
        return index.newest(WindowRow, by=AGE, dataset=dataset)
    earlier = Between("", window)
    return index.newest(WindowRow, by="window", dataset=dataset, window=earlier)


def date_of(text: str) -> dt.date:
    """An ISO date.

    Raises:
        UsageError: it is none.
    """
    try:
        return dt.date.fromisoformat(text)
    except ValueError as wrong:
        raise UsageError(
            "bad-date", f"{text!r} is not a date", why="dates are ISO 8601", fix="like 2013-06-03"
        ) from wrong


def instant_of(text: str) -> str:
    """A date or time as manifests spell it: ISO 8601 UTC with seconds.

    Raises:
        UsageError: it is neither.
    """
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError as wrong:
        raise UsageError(
            "bad-date",
            f"{text!r} is not a date or time",
            why="dates and times are ISO 8601, in UTC",
            fix="like 2013-06-03",
        ) from wrong
    moment = moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

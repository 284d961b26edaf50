"""The figures of ``metrics`` in Prometheus' text format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from credenza.response.metrics import Metrics, Share, Times

    Sample = tuple[dict[str, str], float]
    Family = tuple[str, str, Sequence[Sample]]

_UNSAFE = re.compile(r"[^\x20-\x7e]")


def prometheus(found: Metrics) -> str:
    """The figures as gauges, for a node exporter's textfile collector.

    Label values may be an attacker's: they are reduced to printable ASCII and escaped.
    """
    lines: list[str] = []
    for name, says, samples in (*_of_alarms(found), *_of_incidents(found), *_of_queues(found)):
        lines += [f"# HELP credenza_{name} {says}", f"# TYPE credenza_{name} gauge"]
        for labels, value in samples:
            marked = ",".join(f'{key}="{_label(text)}"' for key, text in labels.items())
            lines.append(f"credenza_{name}{{{marked}}} {value:g}")
    return "\n".join([*lines, ""])


def _of_alarms(found: Metrics) -> Iterator[Family]:
    groups = {
        "": {"": found.all},
        "source": found.by_source,
        "rule": found.by_rule,
        "detector": found.by_detector,
    }
    parts = [
        ({"by": by, "name": name}, alarms)
        for by, group in groups.items()
        for name, alarms in group.items()
    ]
    stopped = "stopped batches that a reviewer"
    yield "false_alarms", f"{stopped} admitted", [(own, one.false.k) for own, one in parts]
    yield "decided_alarms", f"{stopped} decided on", [(own, one.false.n) for own, one in parts]
    admitted = "batches that were admitted in the end"
    yield "honest_batches", admitted, [(own, one.cost.n) for own, one in parts]
    yield (
        "blind_labels",
        "labels of suspects given again blindly",
        _share("said", "confirmed", "all", found.blind),
    )


def _of_incidents(found: Metrics) -> Iterator[Family]:
    times: dict[str, Times] = {
        "detect": found.detect,
        "contain": found.contain,
        "recover": found.recover,
    }
    medians = [({"to": to}, one.median) for to, one in times.items()]
    reached = [(labels, float(median)) for labels, median in medians if median is not None]
    yield "time_seconds", "median time of incidents to each stage", reached
    states = [({"state": state}, float(count)) for state, count in found.incidents.items()]
    yield "incidents", "incidents by state", states


def _of_queues(found: Metrics) -> Iterator[Family]:
    queues = [({"queue": one.name}, one) for one in found.queues]
    waiting = "batches that wait for a person"
    yield "queue_batches", waiting, [(own, one.batches) for own, one in queues]
    oldest = "how long the oldest batch of a queue waits"
    yield "queue_oldest_seconds", oldest, [(own, one.oldest_s) for own, one in queues]
    over = "1 when a queue exceeds what the policy allows"
    yield "queue_over_limit", over, [(own, float(bool(one.over))) for own, one in queues]
    if found.lineage.n:
        rows = "rows of the newest versions, and those whose origin is proved"
        yield "lineage_rows", rows, _share("origin", "proved", "any", found.lineage)


def _share(label: str, some: str, every: str, found: Share) -> list[Sample]:
    return [({label: some}, found.k), ({label: every}, found.n)]


def _label(text: str) -> str:
    shown = _UNSAFE.sub("?", text[:200])
    return shown.replace("\\", "\\\\").replace('"', '\\"')

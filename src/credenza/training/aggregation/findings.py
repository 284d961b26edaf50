"""From what a round says of its clients to evidence against sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import UsageError
from credenza.core.text import quote
from credenza.core.types import Finding, Unit
from credenza.training.aggregation.verdicts import Side

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.training.aggregation.verdicts import ClientVerdict


def findings_of(
    verdicts: Sequence[ClientVerdict], sources: Sequence[str], *, rule: str, round_number: int
) -> tuple[Finding, ...]:
    """A finding against the source of every client that stood out or was malformed.

    The p-value is twice the client's rank among the round's, so it is valid when honest
    clients are exchangeable, and never below 2 / n: one round convicts nobody. Blind to
    honest clients whose data differ from the others' in every round; a person has to know
    whether such are expected. A malformed update is a fact and not a tail: its p-value is 0.

    Args:
        verdicts: of one round.
        sources: source of each client, in the order of the updates.
        rule: name of the aggregator.
        round_number: of the round, for the reader.

    Raises:
        UsageError: not one source per verdict.
    """
    if len(sources) != len(verdicts):
        raise UsageError(
            "bad-shape", f"{len(verdicts)} verdicts of clients, {len(sources)} sources"
        )
    found = []
    for verdict, source in zip(verdicts, sources, strict=True):
        if verdict.side in (Side.USUAL, Side.UNKNOWN):
            continue
        exhibits = {
            "rule": rule,
            "round": round_number,
            "side": verdict.side.value,
            "weight": verdict.share,
            "far": verdict.far,
            "near": verdict.near,
        }
        found.append(
            Finding(
                detector="client-updates",
                unit=Unit.SOURCE,
                subjects=(source,),
                p_value=_rank_p(verdict, verdicts),
                sentence=f"in round {round_number}, the update of "
                f"{quote(source)} was {verdict.sentence}",
                exhibits=exhibits,
            )
        )
    return tuple(found)


def _rank_p(verdict: ClientVerdict, verdicts: Sequence[ClientVerdict]) -> float:
    if verdict.side is Side.MALFORMED:
        return 0.0
    assessed = [other for other in verdicts if other.side is not Side.MALFORMED]
    if verdict.side is Side.FAR:
        beside = sum(other.far >= verdict.far for other in assessed)
    else:
        beside = sum(other.near >= verdict.near for other in assessed)
    return min(1.0, 2 * beside / len(assessed))

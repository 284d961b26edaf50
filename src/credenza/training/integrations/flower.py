"""Any of our rules as a strategy of Flower.

Flower's own strategies weigh a client by the example count it declares, stop a round on one
malformed reply, and let one NaN win Krum. Here a client has no say in its weight, what is
malformed is left out and named, and every round ends with verdicts and findings.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import CredenzaError
from credenza.core.extras import needs_extra
from credenza.training.aggregation.findings import findings_of
from credenza.training.aggregation.updates import Unfit
from credenza.training.builtin import AGGREGATORS, aggregator

with needs_extra("federated", "a Flower strategy"):
    from flwr.app import Array, ArrayRecord, MetricRecord
    from flwr.serverapp.strategy import FedAvg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import numpy.typing as npt
    from flwr.app import ConfigRecord, Message
    from flwr.serverapp import Grid

    from credenza.core.catalog import Catalog
    from credenza.core.types import Finding, Floats
    from credenza.training.aggregation.aggregator import RobustAggregator
    from credenza.training.aggregation.rule import Rule
    from credenza.training.aggregation.verdicts import ClientVerdict

    Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What became of one round.

    Attributes:
        number: as Flower counts, from 1.
        sources: source of each reply, in the order of the verdicts.
        verdicts: one per reply; empty when the round was refused.
        findings: evidence against sources.
        refusal: why the global model was left as it was, or "".
    """

    number: int
    sources: tuple[str, ...]
    verdicts: tuple[ClientVerdict, ...]
    findings: tuple[Finding, ...]
    refusal: str = ""


class RobustStrategy(FedAvg):  # type: ignore[misc]  # flwr ships no types that mypy follows here
    """A strategy that combines the clients' *changes* of the global model by one of our rules.

    A reply takes part when it holds exactly the arrays that were sent out, in their shapes,
    as finite numbers, once, and not as it was sent in the round before. Anything else counts
    as one of the ``f``. A round in which the rule's promise does not hold (too few clients,
    or too many malformed ones) changes nothing and says so. Metrics are the median over
    clients. Blind to what the rule is blind to, and to a client that joins under many node
    ids; authenticate nodes against that.

    Args:
        name: of the rule, as in ``credenza.training.aggregator``.
        f: at most this many of a round's clients are hostile or malformed.
        sources: source id of each node id; "node-ID" where none is given.
        each_round: makes further parameters of the rule from the global model, for example
            ``{"reference": …}`` of ``fltrust``.
        catalog: the known rules.
        parameters: of the rule.
        settings: what Flower's ``FedAvg`` takes (fractions, least numbers of nodes, keys).
    """

    def __init__(
        self,
        name: str,
        *,
        f: int,
        sources: Mapping[int, str] | None = None,
        each_round: Callable[[Arrays], Mapping[str, Any]] | None = None,
        catalog: Catalog[Rule] = AGGREGATORS,
        parameters: Mapping[str, Any] | None = None,
        **settings: Any,  # noqa: ANN401 - handed on to Flower as they are
    ) -> None:
        super().__init__(**settings)
        self.rule, self.f = name, f
        self.sources = dict(sources or {})
        self.each_round = each_round
        self.catalog, self.parameters = catalog, dict(parameters or {})
        if each_round is None:
            aggregator(name, f=f, catalog=catalog, **self.parameters)  # refuse early
        self.rounds: list[RoundRecord] = []
        self._global: dict[str, npt.NDArray[Any]] = {}
        self._sent: dict[int, bytes] = {}
        self._stood = b""

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """As Flower does, remembering what is sent out."""
        self._global = {key: array.numpy() for key, array in arrays.items()}
        messages: Iterable[Message] = super().configure_train(server_round, arrays, config, grid)
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The global model after this round, or None where it stays as it was."""
        usable, _ = self._check_and_log_replies(replies, is_train=True, validate=False)
        ordered = sorted(usable, key=_node)
        named = tuple(self.sources.get(_node(one), f"node-{_node(one)}") for one in ordered)
        updates = [self._update(reply) for reply in self._once(ordered)]
        try:
            settled = self._aggregator().settle(updates)
        except CredenzaError as refused:
            self.rounds.append(RoundRecord(server_round, named, (), (), str(refused)))
            return None, None
        found = findings_of(settled.verdicts, named, rule=self.rule, round_number=server_round)
        self.rounds.append(RoundRecord(server_round, named, settled.verdicts, found))
        return self._applied(settled.update), _medians(ordered, self.weighted_by_key)

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Medians over clients, whose example counts are not believed."""
        del server_round
        usable, _ = self._check_and_log_replies(replies, is_train=False, validate=False)
        return _medians(usable, self.weighted_by_key) if usable else None

    def _aggregator(self) -> RobustAggregator:
        given = self.parameters | dict(self.each_round(self._global) if self.each_round else {})
        size = sum(array.size for array in self._global.values())
        return aggregator(self.rule, f=self.f, dimension=size, catalog=self.catalog, **given)

    def _once(self, replies: list[Message]) -> list[Message | Unfit]:
        """The replies, without those of nodes that spoke twice or repeat their last model."""
        counts = Counter(map(_node, replies))
        before, self._sent = self._sent, {_node(reply): _digest(reply) for reply in replies}
        # While the global model stands still, an honest client may well find the same again.
        moved, self._stood = self._stood != _stamp(self._global), _stamp(self._global)
        checked: list[Message | Unfit] = []
        for reply in replies:
            node = _node(reply)
            if counts[node] > 1:
                checked.append(Unfit("comes from a node that replied more than once"))
            elif moved and before.get(node) == self._sent[node]:
                checked.append(Unfit("is the model it sent in the round before"))
            else:
                checked.append(reply)
        return checked

    def _update(self, reply: Message | Unfit) -> Floats | Unfit:
        """One client's change of the model, or what is wrong with its reply."""
        if isinstance(reply, Unfit):
            return reply
        records = list(reply.content.array_records.values())
        if len(records) != 1 or set(records[0]) != set(self._global):
            return Unfit("holds other arrays than were sent out")
        parts = []
        for key, was in self._global.items():
            try:
                now = records[0][key].numpy()
            except (ValueError, TypeError, EOFError, OSError):
                return Unfit("holds an array that cannot be read")
            if now.shape != was.shape or now.dtype.kind not in "fiub":
                return Unfit("holds an array of another shape or type than was sent out")
            # Differences are taken before they are narrowed, or small ones would be lost.
            with np.errstate(invalid="ignore", over="ignore"):
                change = now.astype(np.float64) - was.astype(np.float64)
                parts.append(change.astype(np.float32).ravel())
        return np.concatenate(parts)

    def _applied(self, update: Floats) -> ArrayRecord:
        moved, start = {}, 0
        for key, was in self._global.items():
            change = update[start : start + was.size].reshape(was.shape)
            start += was.size
            now = was.astype(np.float64) + change
            moved[key] = Array((np.rint(now) if was.dtype.kind in "iub" else now).astype(was.dtype))
        return ArrayRecord(moved)


def _node(reply: Message) -> int:
    return int(reply.metadata.src_node_id)


def _digest(reply: Message) -> bytes:
    """Of every array as it was sent."""
    found = hashlib.sha256()
    for record in reply.content.array_records.values():
        for key in sorted(record):
            found.update(key.encode() + b"\0" + record[key].data)
    return found.digest()


def _stamp(arrays: Arrays) -> bytes:
    found = hashlib.sha256()
    for array in arrays.values():
        found.update(np.ascontiguousarray(array).data)
    return found.digest()


def _medians(replies: Iterable[Message], weight_key: str) -> MetricRecord:
    """The median of every number that clients report, however many report it."""
    values: dict[str, list[float]] = {}
    for reply in replies:
        for record in reply.content.metric_records.values():
            for key, value in record.items():
                if key != weight_key and isinstance(value, (int, float)) and np.isfinite(value):
                    values.setdefault(key, []).append(float(value))
    return MetricRecord({key: float(np.median(found)) for key, found in values.items()})

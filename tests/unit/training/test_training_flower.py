"""The strategy, driven through Flower's own types by clients in this process."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from credenza.core.errors import NotFoundError
from credenza.core.types import Unit
from credenza.redteam.builtin import UPDATE_ATTACKS

pytest.importorskip("flwr")
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity

from credenza.training.integrations.flower import RobustStrategy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Weights = dict[str, Any]
CLIENTS, HOSTILE, ROUNDS = 10, 3, 6


class LoopGrid(Grid):  # type: ignore[misc]  # flwr is not followed by mypy
    """A grid of clients that are functions of this process."""

    def __init__(self, clients: dict[int, Callable[[Weights, int], list[RecordDict]]]) -> None:
        self.clients = clients

    def set_run(self, run: object) -> None:
        """There is no run."""

    @property
    def run(self) -> object:
        """There is no run."""
        raise NotImplementedError

    def create_message(self, *_: object, **__: object) -> Message:
        raise NotImplementedError

    def get_node_ids(self) -> list[int]:
        return list(self.clients)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        raise NotImplementedError

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        raise NotImplementedError

    def send_and_receive(
        self,
        messages: Iterable[Message],
        *,
        timeout: float | None = None,  # noqa: ARG002 - Flower's signature
    ) -> Iterable[Message]:
        replies: list[Message] = []
        for message in messages:
            weights = {k: a.numpy() for k, a in message.content["arrays"].items()}
            number = int(message.content["config"]["server-round"])
            replies += [
                Message(content, reply_to=message)
                for content in self.clients[message.metadata.dst_node_id](weights, number)
            ]
        return replies


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who this process is to Flower; a SuperLink would have said."""
    for name in ("_run_id", "_node_id", "_task_id"):
        monkeypatch.setattr(TaskIdentity, name, 1)


def reply(weights: Weights, examples: float = 100) -> RecordDict:
    return RecordDict(
        {
            "arrays": ArrayRecord({k: Array(np.asarray(v)) for k, v in weights.items()}),
            "metrics": MetricRecord({"num-examples": examples, "loss": 0.5}),
        }
    )


@cache
def digits() -> tuple[Any, Any]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return (X / 16)[order], y[order]


def trained(weights: Weights, X: Any, y: Any, steps: int = 10) -> Weights:  # noqa: ANN401
    """Softmax regression by gradient descent."""
    W, b = weights["W"].astype(float), weights["b"].astype(float)
    for _ in range(steps):
        scores = X @ W + b
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        p[np.arange(len(y)), y] -= 1
        W, b = W - X.T @ p / len(y), b - p.mean(axis=0)
    return {"W": W.astype(np.float32), "b": b.astype(np.float32)}


def blank() -> Weights:
    return {"W": np.zeros((64, 10), np.float32), "b": np.zeros(10, np.float32)}


def accuracy(weights: Weights) -> float:
    X, y = digits()
    return float((np.argmax(X[1_400:] @ weights["W"] + weights["b"], axis=1) == y[1_400:]).mean())


def share(place: int) -> tuple[Any, Any]:
    X, y = digits()
    return X[:700][place::CLIENTS], y[:700][place::CLIENTS]


def honest(place: int) -> Callable[[Weights, int], list[RecordDict]]:
    X, y = share(place)
    return lambda weights, _: [reply(trained(weights, X, y))]


def change(was: Weights, now: Weights) -> Any:  # noqa: ANN401 - a vector
    return np.concatenate([np.ravel(now[key] - was[key]) for key in was])


def colluder(attack: str, place: int) -> Callable[[Weights, int], list[RecordDict]]:
    """One of the last clients, who know what their own clean data would have given."""

    def act(weights: Weights, number: int) -> list[RecordDict]:
        # Five honest clients stand for what omniscient attackers know of all.
        known = np.stack([change(weights, trained(weights, *share(p))) for p in range(5)])
        crafted = UPDATE_ATTACKS.make(attack).craft(
            known, HOSTILE, np.random.default_rng([number, place])
        )[place]
        W, b = crafted[:640].reshape(64, 10), crafted[640:]
        return [reply({"W": weights["W"] + W, "b": weights["b"] + b})]

    return act


def run(strategy: Any, clients: dict[int, Any], rounds: int = ROUNDS) -> float:  # noqa: ANN401
    """Accuracy after some rounds in which every client takes part."""
    arrays = ArrayRecord({k: Array(v) for k, v in blank().items()})
    found = strategy.start(LoopGrid(clients), arrays, num_rounds=rounds)
    return accuracy({k: a.numpy() for k, a in found.arrays.items()})


def robust(name: str = "nnm+trimmed-mean", **given: Any) -> RobustStrategy:  # noqa: ANN401
    settings = {"fraction_evaluate": 0.0, "min_train_nodes": CLIENTS} | given
    return RobustStrategy(name, f=settings.pop("f", HOSTILE), **settings)


def crowd(hostile: Callable[[int], Any] | None = None) -> dict[int, Any]:
    clients = {100 + place: honest(place) for place in range(CLIENTS)}
    if hostile is not None:
        for place in range(HOSTILE):
            clients[100 + CLIENTS - HOSTILE + place] = hostile(place)
    return clients


def test_without_an_attack_a_robust_rule_learns_what_flower_does() -> None:
    plain = run(FedAvg(fraction_evaluate=0.0, min_train_nodes=CLIENTS), crowd())
    assert plain > 0.85
    assert run(robust(), crowd()) > plain - 0.02


@pytest.mark.parametrize("attack", ["sign-flip", "gaussian", "alie", "ipm", "mimic"])
def test_thirty_percent_attackers_do_not_spoil_the_model(attack: str) -> None:
    plain = run(robust(), crowd())
    assert run(robust(), crowd(lambda place: colluder(attack, place))) > plain - 0.05


def test_attackers_who_turn_their_updates_round_spoil_what_flowers_average_learns() -> None:
    plain = run(FedAvg(fraction_evaluate=0.0, min_train_nodes=CLIENTS), crowd())
    spoilt = run(
        FedAvg(fraction_evaluate=0.0, min_train_nodes=CLIENTS),
        crowd(lambda place: colluder("sign-flip", place)),
    )
    assert spoilt < plain - 0.15


def test_a_declared_example_count_buys_nothing() -> None:
    # With num-examples = 1e12, Flower's strategies return the attacker's model.
    def heavy(_: int) -> Any:  # noqa: ANN401
        return lambda weights, _: [reply({k: v - 9 for k, v in weights.items()}, 1e12)]

    assert run(robust(), crowd(heavy)) > 0.85
    assert run(FedAvg(fraction_evaluate=0.0, min_train_nodes=CLIENTS), crowd(heavy)) < 0.3


def test_one_nan_client_is_left_out_and_named() -> None:
    clients = crowd()
    clients[104] = lambda weights, _: [reply({k: v + np.nan for k, v in weights.items()})]
    strategy = robust("krum")
    assert run(strategy, clients, 2) > 0.6
    found = strategy.rounds[0].findings
    assert [(f.subjects, f.p_value, f.unit) for f in found] == [(("node-104",), 0.0, Unit.SOURCE)]
    assert found[0].sentence == (
        'in round 1, the update of "node-104" was left out: a value is not finite'
    )


@pytest.mark.parametrize(
    ("sends", "says"),
    [
        (lambda w, _: [reply({"W": w["W"]})], "holds other arrays than were sent out"),
        (lambda w, _: [reply({**w, "b": w["b"][:3]})], "another shape or type"),
        (lambda w, _: [reply({**w, "b": w["b"].astype(str)})], "another shape or type"),
        (
            lambda w, _: [
                RecordDict(
                    {
                        "arrays": ArrayRecord(
                            {k: Array("float32", (2,), "numpy.ndarray", b"not an array") for k in w}
                        ),
                        "metrics": MetricRecord({"num-examples": 1}),
                    }
                )
            ],
            "an array that cannot be read",
        ),
        (lambda w, _: [reply(w), reply(w)], "a node that replied more than once"),
        (
            lambda w, _: [reply({k: np.ones_like(v) for k, v in w.items()})],
            "the model it sent in the round before",
        ),
        (lambda _, __: [RecordDict({})], "holds other arrays"),
    ],
)
def test_a_malformed_or_replayed_reply_stops_nobody_and_is_named(sends: Any, says: str) -> None:  # noqa: ANN401
    clients = crowd()
    clients[103] = sends
    strategy = robust()
    assert run(strategy, clients, 2) > 0.6
    assert [record.refusal for record in strategy.rounds] == ["", ""]
    facts = [f for record in strategy.rounds for f in record.findings if f.p_value == 0]
    assert {finding.subjects for finding in facts} == {("node-103",)}
    assert any(says in finding.sentence for finding in facts)


def test_colluders_become_findings_against_their_sources() -> None:
    strategy = robust(sources={107: "acme", 108: "bolt", 109: "crux"})
    run(strategy, crowd(lambda place: colluder("alie", place)), 3)
    for record in strategy.rounds:
        named = {subject for finding in record.findings for subject in finding.subjects}
        assert {"acme", "bolt", "crux"} <= named
        assert all(2 / CLIENTS <= f.p_value <= 1 for f in record.findings)
    assert strategy.rounds[0].sources[-3:] == ("acme", "bolt", "crux")


def test_an_honest_round_has_no_findings() -> None:
    strategy = robust()
    run(strategy, crowd(), 3)
    assert [record.findings for record in strategy.rounds] == [()] * 3


def test_a_round_in_which_the_promise_does_not_hold_changes_nothing_and_says_why() -> None:
    def broken(_: int) -> Any:  # noqa: ANN401
        return lambda weights, _: [reply({k: np.full_like(v, np.inf) for k, v in weights.items()})]

    strategy = robust(f=2)
    arrays = ArrayRecord({k: Array(v) for k, v in blank().items()})
    found = strategy.start(LoopGrid(crowd(broken)), arrays, num_rounds=1)
    assert not found.arrays  # as Flower says that no round succeeded
    assert "3 updates are malformed, 2 may be faulty" in strategy.rounds[0].refusal


def test_counters_stay_whole_numbers() -> None:
    strategy = robust("mean", f=0, min_train_nodes=2, min_available_nodes=2)
    arrays = ArrayRecord({"seen": Array(np.asarray([4, 4])), "W": Array(np.ones(2))})

    def counter(step: int) -> Callable[[Weights, int], list[RecordDict]]:
        return lambda w, _: [reply({"seen": w["seen"] + step, "W": w["W"] + 0.5})]

    clients = {1: counter(1), 2: counter(2)}
    found = strategy.start(LoopGrid(clients), arrays, num_rounds=1).arrays
    assert found["seen"].numpy().dtype == np.int64
    assert found["seen"].numpy().tolist() == [6, 6]
    assert found["W"].numpy().tolist() == [1.5, 1.5]


def test_metrics_are_medians_that_no_client_weighs_down() -> None:
    clients = crowd()
    clients[105] = lambda w, _: [
        RecordDict(
            {
                "arrays": reply(w)["arrays"],
                "metrics": MetricRecord({"num-examples": 1e12, "loss": 1e9}),
            }
        )
    ]
    strategy = robust(fraction_evaluate=1.0)
    arrays = ArrayRecord({k: Array(v) for k, v in blank().items()})
    found = strategy.start(LoopGrid(clients), arrays, num_rounds=1)
    assert found.train_metrics_clientapp[1]["loss"] == 0.5
    assert found.evaluate_metrics_clientapp[1]["loss"] == 0.5


def test_a_rule_may_need_something_made_anew_each_round() -> None:
    X, y = share(0)

    def server(weights: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"reference": change(weights, trained(weights, X, y))}

    found = run(robust("fltrust", each_round=server), crowd(lambda p: colluder("sign-flip", p)))
    assert found > 0.85


def test_an_unknown_rule_is_refused_before_any_client_is_asked() -> None:
    with pytest.raises(NotFoundError, match="no aggregator is called 'krun'"):
        robust("krun")


def test_the_config_that_clients_get_is_flowers() -> None:
    strategy = robust()
    arrays = ArrayRecord({k: Array(v) for k, v in blank().items()})
    messages = list(
        strategy.configure_train(3, arrays, ConfigRecord({"lr": 0.1}), LoopGrid(crowd()))
    )
    assert len(messages) == CLIENTS
    assert dict(messages[0].content["config"]) == {"lr": 0.1, "server-round": 3}

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from credenza.core.errors import NotFoundError, UntrustedError, UsageError
from credenza.training.audit.case import Rows
from credenza.training.audit.drills import Patch
from credenza.training.certified import SourceCertified
from credenza.training.repair.builtin import REPAIRS
from credenza.training.repair.repair import repair
from credenza.training.repair.retrain import retrain
from credenza.training.ridge import RidgeHead
from credenza.training.torch_classifier import TrainedNetwork
from credenza.training.torch_weights import load_network

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.training.conftest import Digits

DRILL = Patch(6, 6, 2)


def suspects(digits: Digits, share: float = 0.2) -> Any:  # noqa: ANN401 - images
    """A fifth of the poison."""
    return digits.train.X[digits.bad[: int(share * len(digits.bad))]]


def test_a_fixed_trigger_is_unlearnt_from_a_few_of_its_carriers(backdoored: Digits) -> None:
    done = repair(backdoored.model.network_, backdoored.known, suspects(backdoored), drills=[DRILL])
    mended = TrainedNetwork(done.network)
    assert backdoored.success(mended) < 0.1
    assert backdoored.accuracy(mended) > backdoored.accuracy(backdoored.model) - 0.03
    assert backdoored.success(backdoored.model) > 0.9, "the given network stays as it is"


def test_a_guess_of_the_class_is_enough_to_unlearn_most_of_it(backdoored: Digits) -> None:
    done = repair(
        backdoored.model.network_,
        backdoored.known,
        method="unlearn",
        target=backdoored.target,
        drills=[DRILL],
    )
    assert backdoored.success(TrainedNetwork(done.network)) < 0.5


def test_suspects_beside_the_class_leave_less_of_it(backdoored: Digits) -> None:
    done = repair(
        backdoored.model.network_,
        backdoored.known,
        suspects(backdoored),
        method="unlearn",
        target=backdoored.target,
        drills=[DRILL],
    )
    mended = TrainedNetwork(done.network)
    assert backdoored.success(mended) < 0.1
    assert backdoored.accuracy(mended) > backdoored.accuracy(backdoored.model) - 0.03


def test_the_report_shows_what_plain_fine_tuning_leaves(backdoored: Digits) -> None:
    done = repair(
        backdoored.model.network_,
        backdoored.known,
        method="fine-tune",
        target=backdoored.target,
        drills=[DRILL],
    )
    left = backdoored.success(TrainedNetwork(done.network))
    assert left > 0.2, "the yardstick should fail here"
    assert any("still succeeds" in one for one in done.report.failures)
    assert done.report.after.attack_success[DRILL.name] == pytest.approx(left, abs=0.25)


@pytest.mark.parametrize("method", REPAIRS.names())
def test_no_repair_calls_a_model_clean_or_touches_the_one_it_was_given(
    method: str, backdoored: Digits
) -> None:
    weights = [one.detach().clone() for one in backdoored.model.network_.parameters()]
    done = repair(
        backdoored.model.network_,
        Rows(backdoored.known.X[:150], backdoored.known.y[:150]),
        suspects(backdoored),
        method=method,
    )
    assert done.report.sentence.endswith("This does not show that the model is clean.")
    assert not hasattr(done.report, "clean")
    for before, after in zip(weights, backdoored.model.network_.parameters(), strict=True):
        assert torch.equal(before, after)


def test_a_repair_is_repeatable_and_leaves_torch_s_randomness_alone(backdoored: Digits) -> None:
    state = torch.get_rng_state()
    done = [
        repair(backdoored.model.network_, backdoored.known, suspects(backdoored)).report
        for _ in range(2)
    ]
    assert done[0] == done[1]
    assert torch.equal(state, torch.get_rng_state())


def test_an_unmeasured_attack_is_a_failure_of_the_report(honest: Digits) -> None:
    done = repair(honest.model.network_, honest.known, method="fine-tune")
    assert any("was not measured" in one for one in done.report.failures)


def test_harm_to_one_class_is_a_failure_that_the_report_shows(honest: Digits) -> None:
    class Amnesia:
        def mend(self, network: Any, evidence: Any) -> Any:  # noqa: ANN401, ARG002 - the protocol
            import copy  # noqa: PLC0415 - one use

            found = copy.deepcopy(network)
            with torch.no_grad():
                found[-1].bias[7] = -100.0
            return found

    done = repair(honest.model.network_, honest.known, method=Amnesia())
    assert any(one.startswith("class 7 fell from") for one in done.report.failures)
    assert any(one.startswith("accuracy fell from") for one in done.report.failures)


def test_a_repair_says_what_it_lacks(honest: Digits) -> None:
    network = honest.model.network_
    with pytest.raises(UsageError, match="there are none"):
        repair(network, honest.known, method="transplant")
    with pytest.raises(UsageError, match="which class the trigger leads to"):
        repair(network, honest.known, method="unlearn")
    with pytest.raises(NotFoundError, match="the known repairs are"):
        repair(network, honest.known, method="exorcism")
    with pytest.raises(UsageError, match="too few to judge"):
        repair(network, Rows(honest.known.X[:3], honest.known.y[:3]), method="fine-tune")


def test_retraining_without_a_source_is_exactly_what_never_having_met_it_gives(
    backdoored: Digits,
) -> None:
    X = backdoored.train.X.reshape(len(backdoored.train.y), -1).astype(np.float64)
    rows = Rows(X, backdoored.train.y, sources=backdoored.train.sources)
    assert rows.sources is not None
    roster = sorted(set(rows.sources))
    fitted = SourceCertified(RidgeHead(1.0), roster=roster).fit(X, rows.y, rows.sources)
    found, changed = retrain(fitted, rows, ["s3"])
    assert changed == 1
    left = rows.sources != "s3"
    anew = SourceCertified(RidgeHead(1.0), roster=roster)
    anew.fit(X[left], rows.y[left], rows.sources[left])
    np.testing.assert_array_equal(found.predict(X), anew.predict(X))
    with pytest.raises(UsageError, match="nothing to excise"):
        retrain(fitted, rows, ["nobody"])
    with pytest.raises(UsageError, match="who sent them"):
        retrain(fitted, Rows(X, rows.y), ["s3"])


def three(classes: int) -> Any:  # noqa: ANN401 - torch is untyped
    return torch.nn.Linear(3, classes)


HERE = f"{__name__}:three"


def test_weights_are_read_as_data_and_nothing_else(tmp_path: Path) -> None:
    layer = three(2)
    torch.save(layer.state_dict(), tmp_path / "weights.pt")
    found = load_network(HERE, tmp_path / "weights.pt", 2)
    assert torch.equal(found.network_.weight, layer.weight)
    torch.save(layer, tmp_path / "module.pt")
    with pytest.raises(UntrustedError, match="not a file of weights"):
        load_network(HERE, tmp_path / "module.pt", 2)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UntrustedError, match="something else than named tensors"):
        load_network(HERE, tmp_path / "list.pt", 2)
    with pytest.raises(UsageError, match="does not fit"):
        load_network(HERE, tmp_path / "weights.pt", 5)


def test_safetensors_are_read_and_forged_headers_refused(tmp_path: Path) -> None:
    body = np.arange(8, dtype="<f4").tobytes()
    header = (
        b'{"__metadata__":{"by":"a test"},"weight":{"dtype":"F32","shape":[2,3],'
        b'"data_offsets":[0,24]},"bias":{"dtype":"F32","shape":[2],"data_offsets":[24,32]}}'
    )
    good = tmp_path / "good.safetensors"
    good.write_bytes(len(header).to_bytes(8, "little") + header + body)
    found = load_network(HERE, good, 2)
    assert found.network_.bias.tolist() == [6.0, 7.0]
    forged = tmp_path / "forged.safetensors"
    for data in (
        (2**60).to_bytes(8, "little") + header,
        len(header).to_bytes(8, "little") + header + body[:20],
        len(header).to_bytes(8, "little") + header.replace(b"F32", b"OBJ") + body,
        b"\x02" + bytes(7) + b"[]",
    ):
        forged.write_bytes(data)
        with pytest.raises(UntrustedError, match="not a file of weights"):
            load_network(HERE, forged, 2)


def test_a_factory_that_makes_no_network_is_named(tmp_path: Path) -> None:
    torch.save(three(2).state_dict(), tmp_path / "weights.pt")
    for factory in ("no_such_module_here:make", "json:dumps", "json:nothing"):
        with pytest.raises(UsageError, match=factory.partition(":")[0]):
            load_network(factory, tmp_path / "weights.pt", 2)

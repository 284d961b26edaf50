"""Weights from a file, without running anything that the file says."""

from __future__ import annotations

import importlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.errors import CredenzaError, UntrustedError, UsageError
from credenza.training.torch_classifier import TrainedNetwork
from credenza.training.torch_network import torch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

HEADER_BYTES_MAX = 16 * 2**20
KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U8": "|u1"}


def load_network(factory: str, weights: Path, classes: int) -> TrainedNetwork:
    """A network made by the caller's own code, with weights that are data only.

    Args:
        factory: ``module:function``; called with the number of classes. It is imported, so
            it must be the caller's: the one thing here that runs code.
        weights: a state dict, as ``.safetensors`` or as ``torch.save`` wrote it. The latter
            is read with torch's restricted loader, which makes tensors and nothing else.
        classes: number of class positions.

    Raises:
        UsageError: the factory cannot be called, or the weights do not fit its network.
        UntrustedError: the file is no state dict, or asks for more than tensors.
    """
    network = _make(factory, classes)
    state = _safetensors(weights) if weights.suffix == ".safetensors" else _restricted(weights)
    try:
        network.load_state_dict(state)
    except RuntimeError as wrong:
        raise UsageError(
            "weights-do-not-fit", f"{weights.name} does not fit {factory}", why=str(wrong)
        ) from wrong
    return TrainedNetwork(network.eval())


def _make(factory: str, classes: int) -> Any:  # noqa: ANN401 - torch is untyped
    module, _, function = factory.partition(":")
    try:
        found = getattr(importlib.import_module(module), function)(classes)
    except CredenzaError:
        raise
    except Exception as wrong:
        raise UsageError(
            "no-factory",
            f"{factory!r} makes no network",
            why=f"{type(wrong).__name__}: {wrong}",
            fix="give module:function, of a function that takes the number of classes",
        ) from wrong
    if not isinstance(found, torch.nn.Module):
        raise UsageError("no-factory", f"{factory!r} makes a {type(found).__name__}, no network")
    return found


def _restricted(path: Path) -> Mapping[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as wrong:
        raise _no_weights(path, f"{type(wrong).__name__}: {wrong}") from wrong
    if not isinstance(state, dict) or not all(torch.is_tensor(one) for one in state.values()):
        raise _no_weights(path, "it holds something else than named tensors")
    return state


def _safetensors(path: Path) -> Mapping[str, Any]:
    """The format's whole reader: a length, a JSON header, and raw bytes."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    if not 2 <= size <= min(HEADER_BYTES_MAX, len(data) - 8):
        raise _no_weights(path, f"its header claims {size} bytes")
    try:
        header = json.loads(data[8 : 8 + size])
        body, found = memoryview(data)[8 + size :], {}
        for name, about in header.items():
            if name == "__metadata__":
                continue
            start, end = about["data_offsets"]
            values = np.frombuffer(body[start:end], KINDS[about["dtype"]])
            found[name] = torch.from_numpy(values.reshape(about["shape"]).copy())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as wrong:
        raise _no_weights(path, f"{type(wrong).__name__}: {wrong}") from wrong
    return found


def _no_weights(path: Path, why: str) -> UntrustedError:
    return UntrustedError(
        "no-weights",
        f"{path.name} is not a file of weights",
        why=why,
        fix="save the state dict: torch.save(network.state_dict(), path), or as safetensors",
    )

"""What a defence may do while a network learns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats


class Defence(Protocol):
    """Weighs rows before an epoch, alters a batch, tempers its gradients."""

    def weigh(self, network: Any, X: Any, y: Any, epoch: int) -> Floats:  # noqa: ANN401 - torch is untyped
        """``(n,)`` weights of the rows in this epoch, 0 to leave one out."""
        ...

    def alter(self, network: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401 - torch is untyped
        """The batch that is learnt from in place of ``inputs``."""
        ...

    def temper(self, network: Any, rows: int) -> None:  # noqa: ANN401 - torch is untyped
        """Change the gradients, in place, after ``rows`` rows and before the step."""
        ...


class Idle:
    """A defence that does nothing; others override the one thing they do."""

    def weigh(self, network: Any, X: Any, y: Any, epoch: int) -> Floats:  # noqa: ANN401, ARG002 - the protocol's signature
        """Every row counts."""
        return np.ones(len(y))

    def alter(self, network: Any, inputs: Any, labels: Any) -> Any:  # noqa: ANN401, ARG002 - the protocol's signature
        """The batch as it is."""
        return inputs

    def temper(self, network: Any, rows: int) -> None:  # noqa: ANN401 - the protocol's signature
        """Gradients as they are."""

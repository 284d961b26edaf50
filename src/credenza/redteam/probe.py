"""What an attacker wants of the model, so that success can be measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from credenza.core.protocols import Attack

if TYPE_CHECKING:
    import pyarrow as pa

    from credenza.core.types import Strings


class ProbedAttack(Attack, Protocol):
    """An attack that says which predictions would mean that it worked."""

    def probe(self, clean: pa.Table) -> tuple[pa.Table, str]:
        """Rows on which the attacker wants one label, and that label.

        The rows come from ``clean`` (held out, untouched), with the trigger stamped if
        there is one; their true label is another. No row may qualify.
        """
        ...


def attack_success(predicted: Strings, target: str) -> float:
    """Share of probe rows that are predicted as the attacker wants; NaN without rows.

    A clean model makes the same mistakes at some rate, so the figure means something
    only beside that of a model trained on untouched rows.

    Args:
        predicted: ``(n,)`` labels the model gives the probe rows.
        target: the label the attacker wants.
    """
    wanted = np.asarray(predicted).astype(str) == target
    return float(wanted.mean()) if len(wanted) else float("nan")

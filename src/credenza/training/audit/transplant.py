"""Guess the trigger from suspect training rows, and try it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.types import Outcome, Silence
from credenza.training.audit.activity import activity, unseen
from credenza.training.audit.case import Check
from credenza.training.audit.drills import Overlay
from credenza.training.audit.spectral import spread
from credenza.training.audit.triggers import bench_of

if TYPE_CHECKING:
    from credenza.core.types import Ints
    from credenza.training.audit.case import Case, Rows

NEIGHBOURS = 5
FAR = 3.0


@dataclass(frozen=True, slots=True)
class Transplant:
    """What suspect rows have that their verified neighbours lack, put on verified rows.

    For each class, the rows that stand out along its spectral signature are compared with
    the nearest verified rows of any class; the part of the mean difference that is sure
    is the guess. If it moves the model, from some class, beyond its baseline, it is a
    trigger that the model learnt from these very rows. Blind to triggers that differ from
    row to row or move with the object, to a class with hardly any suspects, and without
    the training rows.

    Args:
        margin: as for ``triggers``.
        suspects: rows per class the guess is made from.
        rows: verified rows stamped.
        strengths: multiples of the guess, which neighbours and honest suspects dilute.
    """

    margin: float = 0.4
    suspects: int = 50
    rows: int = 400
    strengths: tuple[float, ...] = (1.0, 2.0)
    name: str = "transplant"

    def check(self, case: Case) -> Check | Silence:
        """The guess that moves the model furthest beyond its baseline."""
        if case.train is None or np.asarray(case.train.X).dtype.kind != "f":
            return Silence(self.name, "training rows that are floats were not given")
        bench = bench_of(case, self.rows)
        found = []
        for one in activity(case):
            order = np.argsort(-spread(one)[1], kind="stable")[: self.suspects]
            rows = one.rows[order]
            pattern = guess_trigger(np.asarray(case.train.X)[rows], case.clean)
            for strength in self.strengths:
                drill = Overlay(f"{strength:g} x guess", strength * pattern)
                sure, ours, theirs = (part[:, one.label] for part in bench.excess(drill))
                origin = int(sure.argmax())
                shares = float(ours[origin]), float(theirs[origin])
                found.append((float(sure[origin]), one.label, origin, shares, rows, drill))
        if not found:
            return Silence(self.name, unseen(case))
        sure_most, target, origin, shares, rows, drill = max(found, key=lambda one: one[:3])
        caught = sure_most > self.margin
        exhibits: dict[str, object] = {
            "from": origin,
            "to": target,
            "suspects": len(rows),
            "model": round(shares[0], 4),
            "baseline": round(shares[1], 4),
            "margin": self.margin,
        }
        sentence = (
            "what {suspects} suspect rows of class {to} have in common, put on verified rows, "
            "makes the model call class {from} {to} in {model:.0%}, the baseline in {baseline:.0%}"
        ).format_map(exhibits)
        return Check(
            self.name,
            Outcome.REJECT if caught else Outcome.ADMIT,
            sentence,
            exhibits,
            target if caught else -1,
            tuple(int(row) for row in rows) if caught else (),
            {"guessed trigger": np.abs(drill.pattern).clip(0, 1)} if caught else {},
        )


def guess_trigger(suspects: Any, clean: Rows) -> Any:  # noqa: ANN401 - arrays of any kind
    """One row's shape: the sure part of how suspects differ from verified neighbours.

    Neighbours of any class: a suspect's true class is what is not known. Inputs where the
    mean difference lies within ``FAR`` standard errors of zero are left alone.
    """
    flat = np.asarray(suspects, dtype=np.float64).reshape(len(suspects), -1)
    verified = np.asarray(clean.X, dtype=np.float64).reshape(len(clean.y), -1)
    apart = flat - verified[_neighbours(flat, verified)].mean(axis=1)
    mean = apart.mean(axis=0)
    spread_of_mean = apart.std(axis=0) / np.sqrt(len(apart))
    floor = 0.02 * max(float(np.ptp(verified)), np.finfo(float).tiny)
    sure = np.abs(mean) > FAR * spread_of_mean + floor
    return np.where(sure, mean, 0.0).reshape(np.shape(suspects)[1:])


def _neighbours(rows: Any, among: Any) -> Ints:  # noqa: ANN401 - arrays of any kind
    distance = (among**2).sum(axis=1)[None, :] - 2 * rows @ among.T
    nearest = np.argpartition(distance, min(NEIGHBOURS, len(among) - 1), axis=1)
    return np.asarray(nearest[:, :NEIGHBOURS], dtype=np.int64)

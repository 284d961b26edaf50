"""The steps that plans are made of, in the order in which they are taken."""

from __future__ import annotations

from credenza.response.steps import (
    declare,
    excise,
    hold,
    measures,
    promote,
    rebuild,
    recall,
    release,
    retrain,
    revalidate,
    roll_back,
)
from credenza.response.steps.step import Part

PARTS: tuple[Part, ...] = (
    Part(hold.FreezeSources, hold.propose_freeze),
    Part(hold.HoldSources, hold.propose_hold),
    Part(roll_back.RollBackChannels, roll_back.propose),
    Part(recall.RecallReleases, recall.propose),
    Part(excise.Excise, excise.propose),
    Part(measures.DownWeight, measures.propose_down_weight),
    Part(measures.Cap, measures.propose_cap),
    Part(measures.ExcludeSlice, measures.propose_exclude_slice),
    Part(rebuild.RebuildBaseline, rebuild.propose),
    Part(release.MakeRelease, release.propose),
    Part(retrain.Retrain, retrain.propose),
    Part(revalidate.Revalidate, revalidate.propose),
    Part(declare.DeclareClean, declare.propose),
    Part(promote.PromoteChannels, promote.propose),
)

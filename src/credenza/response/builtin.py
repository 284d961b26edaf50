"""The verbs of playbooks and the validators that credenza ships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.response import verbs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.response.verbs import Verb

VERBS: Mapping[str, Verb] = {
    "check-contained": verbs.check_contained,
    "check-eradicated": verbs.check_eradicated,
    "export-evidence": verbs.export_evidence,
    "freeze-sources": verbs.freeze_sources,
    "hold-sources": verbs.hold_sources,
    "plan-recovery": verbs.plan_recovery,
    "propose-rules": verbs.propose_rules,
    "recall-releases": verbs.recall_releases,
    "reject-held": verbs.reject_held,
}

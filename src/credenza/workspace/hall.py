"""A workspace: the gate, and the answer when something got through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.extras import needs_extra

with needs_extra("gate", "a workspace"):
    from credenza.workspace.gate import Gate

if TYPE_CHECKING:
    from credenza.workspace.incidents import Incidents
    from credenza.workspace.oversight import Oversight
    from credenza.workspace.quarantine import Quarantine
    from credenza.workspace.response import Response
    from credenza.workspace.validations import Validations


class Workspace(Gate):
    """Everything that can be done in a workspace; ``Opened`` says how to get one."""

    @property
    def incidents(self) -> Incidents:
        """Incidents: opened, answered by a playbook, closed, and learnt from."""
        from credenza.workspace.incidents import Incidents  # noqa: PLC0415 - loads the response room

        return Incidents(self, self._stores, self._now)

    @property
    def response(self) -> Response:
        """How far something reached, and the way back: channels, training runs, recoveries."""
        from credenza.workspace.response import Response  # noqa: PLC0415 - loads the response room

        return Response(self, self._stores)

    @property
    def quarantine(self) -> Quarantine:
        """What waits for a person: queues, expiry, decisions on parts of it."""
        from credenza.workspace.quarantine import Quarantine  # noqa: PLC0415 - loads the response room

        return Quarantine(self, self._stores, self._now)

    @property
    def oversight(self) -> Oversight:
        """Figures on the gate itself, and evidence for controls."""
        from credenza.workspace.oversight import Oversight  # noqa: PLC0415 - loads the response room

        return Oversight(self, self._stores, self._now)

    @property
    def validations(self) -> Validations:
        """Independent looks at what is held."""
        from credenza.workspace.validations import Validations  # noqa: PLC0415 - loads the models

        return Validations(self, self._stores)

"""Why a leaver cannot be recorded, beside what delegation says."""

from __future__ import annotations

from registration.contact_rules import Breach
from registration.kept_machines import KeptMachine
from service_base.phrases import N_
from service_base.refusals import Refused


class LeaverNotPossible(Refused):
    """Contact roles would have too few contacts, or machine accounts no custodian. Nothing was
    done."""

    code = "leaver_not_possible"
    template = N_("What the person has here cannot end yet.")

    def __init__(
        self, breaches: tuple[Breach, ...] = (), machines: tuple[KeptMachine, ...] = ()
    ) -> None:
        super().__init__()
        self.breaches, self.machines = breaches, machines

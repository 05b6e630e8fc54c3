"""Why changes of contact roles are refused, beside what delegation says."""

from __future__ import annotations

from typing import ClassVar

from registration.contact_rules import Breach
from service_base.phrases import N_
from service_base.refusals import Invalid, NotFound, ServiceError


class ContactRoleNotFound(NotFound):
    """The organization does not have this contact role."""

    template = N_("there is no contact role {role} for this organization")
    role: str


class ContactNotFound(NotFound):
    """No person has this Person ID, or the organization has no such section."""

    template = N_("there is no such person or section")


class NothingChanged(Invalid):
    """The batch is empty."""

    template = N_("nothing was chosen")


class ContactRulesBroken(ServiceError):
    """The batch breaks these rules; nothing of it was done."""

    code: ClassVar[str] = "contact_rules_broken"

    def __init__(self, breaches: tuple[Breach, ...]) -> None:
        super().__init__("; ".join(f"{one.fault}: {one.role}" for one in breaches))
        self.breaches = breaches

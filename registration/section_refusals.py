"""Why changes of sections are refused, beside what delegation says."""

from __future__ import annotations

from typing import ClassVar

from registration.person_fields import FieldFault
from service_base.phrases import N_
from service_base.refusals import Conflict, NotFound, ServiceError


class SectionNotFound(NotFound):
    """The organization has no such section."""

    template = N_("there is no such section")


class SectionNameTaken(Conflict):
    """Another section of the organization has this name."""

    template = N_("a section has this name already")


class SectionHoldsRoles(Conflict):
    """Contact roles would lose their contact."""

    template = N_("the section holds contact roles, which must be removed first: {roles}")
    roles: tuple[str, ...]


class SectionFieldsInvalid(ServiceError):
    """These fields are refused, each with its fault. Nothing was stored."""

    code: ClassVar[str] = "section_fields_invalid"

    def __init__(self, faults: dict[str, FieldFault]) -> None:
        super().__init__(", ".join(f"{name}: {fault}" for name, fault in faults.items()))
        self.faults = faults

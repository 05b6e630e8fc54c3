"""Why organizations are not registered, beside what delegation says."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict, Invalid


class OrganizationNameInvalid(Invalid):
    """The name is missing, too long or not text."""

    template = N_("the name is required, with at most {most} characters")
    most: int


class OrganizationNumberInvalid(Invalid):
    """An Organization ID has another form."""

    template = N_("an Organization ID has 1 to {most} digits")
    most: int


class OrganizationTaken(Conflict):
    """Another organization has this name or this number."""

    template = N_("the organization {name} ({number}) is registered already")
    name: str
    number: str

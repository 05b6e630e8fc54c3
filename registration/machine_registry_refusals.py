"""Why changes of machine accounts are refused, beside what delegation says."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict, Invalid, NotFound


class MachineNotFound(NotFound):
    """The organization has no such machine account, or it was stopped."""

    template = N_("there is no such machine account")


class DescriptionInvalid(Invalid):
    """A machine account is known by what it does until the gateway has named it."""

    template = N_("describe the program in at most {most} characters")
    most: int


class DescriptionTaken(Conflict):
    """Another machine account of the organization has this description; a form that is sent twice
    makes one account."""

    template = N_("a machine account has this description already")


class NetworksUnchanged(Invalid):
    """The networks are those that are registered."""

    template = N_("these networks are registered already")


class AlreadyCustodian(Conflict):
    """The successor is the custodian."""

    template = N_("{name} is the custodian already")
    name: str

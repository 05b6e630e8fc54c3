"""Why requests for access are refused, beside what delegation says."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict, Invalid, NotFound


class AccessRequestNotFound(NotFound):
    """The organization has no such request for access."""

    template = N_("there is no such request for access")


class RoleNotOffered(NotFound):
    """The organization has no such access role for persons."""

    template = N_("the organization does not have this access role")


class RoleHeld(Conflict):
    """The person has the role."""

    template = N_("you have this access role already")


class AlreadyAsked(Conflict):
    """The person waits for an answer about this role."""

    template = N_("you have requested this access role already; the request is waiting")


class AlreadyDecided(Conflict):
    """Somebody has granted or refused it, or it was closed."""

    template = N_("this request is no longer waiting for an answer")


class RefusalNeedsReason(Invalid):
    """Who refuses says why."""

    template = N_("say in a few words why you refuse")

"""Why appointments are refused, beside what delegation says."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict, Invalid, NotFound


class AppointmentNotFound(NotFound):
    """There is no such appointment, or not for this actor."""

    template = N_("there is no such appointment")


class AlreadyInOffice(Conflict):
    """The person holds this office at this organization."""

    template = N_("{name} holds this role already")
    name: str


class EndBeforeStart(Invalid):
    """An appointment ends after it has begun."""

    template = N_("the end must be in the future")


class ReasonNeedsText(Invalid):
    """The reason "other" needs an explanation."""

    template = N_("say in a few words why")

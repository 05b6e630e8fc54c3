"""Why changes of participations are refused, beside what delegation says."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict, Invalid, NotFound


class ParticipationNotFound(NotFound):
    """The organization has no such participation."""

    template = N_("there is no such participation")


class NothingToApplyFor(Conflict):
    """There is no such market or programme, or the organization takes part or has applied."""

    template = N_("the organization cannot apply for this participation")


class ReasonMissing(Invalid):
    """Who refuses or ends a participation says why."""

    template = N_("enter the reason")


class NotApprovedYet(Conflict):
    """Contact roles are assigned after the IESO has approved the participation (RG-13)."""

    template = N_("contact roles can be assigned when the IESO has approved the participation")


class ContactsMissing(Conflict):
    """Fewer people or sections hold these contact roles than must (CO-04)."""

    template = N_("these contact roles have too few contacts: {roles}")
    roles: tuple[str, ...]

"""Why a unit of work is refused, whatever it was about."""

from __future__ import annotations

from service_base.phrases import N_
from service_base.refusals import Conflict


class ChangedMeanwhile(Conflict):
    """Somebody else changed the record after it was shown. Nothing was kept."""

    code = "changed_meanwhile"
    template = N_(
        "This record has changed since you opened it. Check the new values, then try again."
    )

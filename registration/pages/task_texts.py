"""What tasks ask for, in words."""

from __future__ import annotations

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from registration.delegation_facts import Tier
from registration.delegation_texts import TIERS
from registration.models import Task

#: Each text names values of the task's data.
TEXTS = complete(
    ("push.refused", "push.waits", "office.vacant"),
    {
        "push.refused": _("The gateway refused a change: %(words)s"),
        "push.waits": _("Changes have been waiting for the gateway: %(words)s"),
        "office.vacant": _("Nobody holds this role, fill it: %(office)s"),
    },
)


def text_of(task: Task) -> str:
    """The text of a task; of one from another release its kind."""
    data = dict(task.data)
    if data.get("office") in list(Tier):
        data["office"] = gettext(TIERS[Tier(data["office"])])
    return TEXTS.of(task.kind, **data)

"""What tasks ask for, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.languages import is_french
from hosted_pages.texts import complete
from registration import custody_alarms, waiting_requests
from registration.delegation_facts import Tier
from registration.delegation_texts import TIERS
from registration.gateway_comparison import MORE, TASK
from registration.gateway_drift import DriftKind, DriftValue
from registration.market_participations import DECIDE, Step
from registration.models import Task

#: Each text names values of the task's data.
TEXTS = complete(
    (
        "push.refused",
        "push.waits",
        "office.vacant",
        waiting_requests.ASKED,
        custody_alarms.KIND,
        DECIDE,
        *Step,
        MORE,
        *(f"{TASK}.{kind}" for kind in DriftKind),
    ),
    {
        "push.refused": _("The gateway refused a change: %(words)s"),
        "push.waits": _("Changes have been waiting for the gateway: %(words)s"),
        "office.vacant": _("Nobody holds this role, fill it: %(office)s"),
        waiting_requests.ASKED: _("%(person)s asks for access: %(role)s"),
        custody_alarms.KIND: _(
            "%(person)s has nothing left here but the custody of %(account)s. Hand it over or stop "
            "it."
        ),
        DECIDE: _("Decide on the participation applied for: %(market)s"),
        Step.CONNECTIVITY: _("Confirm connectivity to IESO information systems: %(market)s"),
        Step.CONTACTS: _("Assign contact roles: %(market)s"),
        "drift.missing": _("The gateway does not have the account %(account)s."),
        "drift.extra": _("Only the gateway has the account %(account)s."),
        "drift.open": _("The account %(account)s has ended here, and is open at the gateway."),
        "drift.values": _("The account %(account)s differs at the gateway: %(words)s."),
        "drift.role_groups": _(
            "The access of %(account)s at %(organization)s differs at the gateway. %(words)s"
        ),
        "drift.no_organization": _("The gateway does not have the organization %(organization)s."),
        "drift.organization": _(
            "The organization %(organization)s differs at the gateway: %(words)s."
        ),
        "drift.extra_organization": _("Only the gateway has the organization %(organization)s."),
        MORE: _("The gateway has %(count)s more differences."),
    },
)
DRIFT_VALUES = complete(
    DriftValue,
    {
        DriftValue.HOLDER: _("person"),
        DriftValue.KIND: _("kind of account"),
        DriftValue.NAME: _("name"),
        DriftValue.EMAIL: _("e-mail address"),
        DriftValue.PHONE: _("phone number"),
        DriftValue.SUSPENDED: _("suspension"),
        DriftValue.NETWORKS: _("networks"),
        DriftValue.SECOND_ACCOUNT: _("second account"),
        DriftValue.STATUS: _("state"),
        DriftValue.PARTICIPATIONS: _("participations"),
        DriftValue.OFFICERS: _("representatives"),
    },
)
#: By the name in the data, the sentence about these role groups.
ROLE_GROUPS = {
    "only_gateway": _("Only at the gateway: %(names)s."),
    "only_registration": _("Missing at the gateway: %(names)s."),
    "other_times": _("Another start or end at the gateway: %(names)s."),
}


def text_of(task: Task) -> str:
    """The text of a task; of one from another release its kind."""
    data = dict(task.data)
    if data.get("office") in list(Tier):
        data["office"] = gettext(TIERS[Tier(data["office"])])
    if is_french():
        data |= {name: data[f"{name}_fr"] for name in ("market", "role") if data.get(f"{name}_fr")}
    if task.kind.startswith(f"{TASK}."):
        is_access = task.kind == f"{TASK}.{DriftKind.ROLE_GROUPS}"
        data["words"] = access_words(data) if is_access else value_words(data)
    return TEXTS.of(task.kind, **data)


def value_words(data: Mapping[str, Any]) -> str:
    """The values that differ."""
    return ", ".join(DRIFT_VALUES.of(one) for one in data.get("values", ()))


def access_words(data: Mapping[str, Any]) -> str:
    """The role groups that differ, as sentences."""
    return " ".join(
        str(text) % {"names": ", ".join(data[name])}
        for name, text in ROLE_GROUPS.items()
        if data.get(name)
    )

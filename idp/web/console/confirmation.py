"""The confirmation page before a console action that affects many people or cannot be undone.

It shows what the action does, how many it affects and how to undo it, and asks for a reason. The
gate asks for the confirmation before the view runs, so no view can skip it (docs/decisions/0036).

The page works without JavaScript. The first POST shows it; its form sends the same POST again with
the confirmation. A confirmation is valid for 15 minutes, for one operator, one action with its
values, and the state that the page showed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Response, g, render_template, request
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import Account, Client
from idp.policy.console import MAX_DETAILS, MAX_TICKET, ActReason
from idp.policy.names import printable

#: How long a confirmation is valid, in seconds. It includes the time to verify a fresh factor.
LIFETIME = 900
_PURPOSE = "confirmation"

REASONS = complete(
    ActReason,
    {
        ActReason.REQUEST_OF_HOLDER: _("The account holder asked for it"),
        ActReason.REQUEST_OF_PARTICIPANT: _("The participant asked for it"),
        ActReason.COMPROMISE: _("A compromise is known or suspected"),
        ActReason.LEFT_ORGANIZATION: _("The person left the organization"),
        ActReason.CHANGE_OF_DUTIES: _("The person’s duties changed"),
        ActReason.SUPERSEDED: _("It was replaced or is no longer needed"),
        ActReason.CORRECTION: _("A mistake is corrected"),
        ActReason.MAINTENANCE: _("Planned maintenance"),
        ActReason.OTHER: _("Another reason (describe it below)"),
    },
)


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What the page says about one action, and what its confirmation covers."""

    title: str
    #: The person or object that the action affects.
    about: str
    consequences: list[str]
    #: How to undo the action; empty if it cannot be undone.
    undo: str
    button: str
    #: The address of "Cancel".
    back: str
    #: Differs when the state that the page describes has changed; the answer is then a 409.
    version: str
    #: The form values of the action, sent again with the confirmation.
    fields: Mapping[str, str] = field(default_factory=dict)
    is_dangerous: bool = True
    #: The text that the operator must type to confirm; empty if none.
    to_type: str = ""
    type_label: str = ""
    account: Account | None = None
    client: Client | None = None
    #: The initial value of the ticket field.
    ticket: str = ""
    #: Whether the service records the reason and the ticket in its own event.
    is_recorded: bool = False


@dataclass(frozen=True)
class Act:
    """A confirmed action. ``effect`` takes the values of the URL and returns the effect, or the
    response that refuses the action. ``applies`` returns whether this form needs confirmation."""

    effect: Callable[..., Effect | BaseResponse]
    applies: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Confirmation:
    """The reason, details and ticket that the operator entered."""

    reason: str
    details: str
    ticket: str


def ask(act: Act, operator: Account, values: Mapping[str, Any]) -> BaseResponse | None:
    """The confirmation page (200, 400 for a faulty answer, 409 if the state has changed), or the
    response that refuses the action. None if this request confirms the action or needs no
    confirmation."""
    if not act.applies():
        return None
    effect = act.effect(**values)
    if not isinstance(effect, Effect):
        return effect
    sent = request.form.get("confirmation", "")
    if not sent:
        return _page(effect, operator)
    if not _is_current(effect, operator, sent):
        return _page(effect, operator, status=409)
    answer = Confirmation(
        request.form.get("reason", ""),
        request.form.get("details", "").strip(),
        request.form.get("ticket", "").strip(),
    )
    if error := _fault(effect, answer):
        return _page(effect, operator, error=error, status=400)
    g.confirmed = (effect, answer)
    return None


def entered() -> Confirmation:
    """What the operator entered in this request, for the view of the confirmed action."""
    answer: Confirmation = g.confirmed[1]
    return answer


def record(answer: BaseResponse) -> None:
    """Record the confirmed action of this request if it succeeded, in the same transaction."""
    confirmed = g.pop("confirmed", None)
    if confirmed is None or answer.status_code >= 400:
        return
    effect, answered = confirmed
    if not effect.is_recorded:
        events.record(
            current.work(),
            AuditAction.CONSOLE_CONFIRMED,
            account=effect.account,
            client=effect.client,
            act=(request.endpoint or "").removeprefix("console."),
            about=effect.about,
            why=answered.reason,
            details=answered.details,
            ticket=answered.ticket,
            **effect.fields,
        )


def _fault(effect: Effect, answer: Confirmation) -> str:
    if answer.reason not in list(ActReason):
        return str(gettext("Choose a reason."))
    if not _is_line(answer.ticket, MAX_TICKET):
        return str(gettext("Enter a ticket reference on one line."))
    if answer.details and not _is_line(answer.details, MAX_DETAILS):
        return str(gettext("Describe the reason on one line, in at most 500 characters."))
    if answer.reason == ActReason.OTHER and not answer.details:
        return str(gettext("Describe the reason."))
    if effect.to_type and request.form.get("typed", "").strip() != effect.to_type:
        return str(gettext("To confirm, enter %(text)s.", text=effect.to_type))
    return ""


def _is_line(text: str, longest: int) -> bool:
    return bool(text) and len(text) <= longest and printable(text)


def _is_current(effect: Effect, operator: Account, sent: str) -> bool:
    issued, _dot, digest = sent.partition(".")
    if not (issued.isascii() and issued.isdigit() and len(issued) < 12):
        return False
    age = int(current.work().now.timestamp()) - int(issued)
    covered = _covered(effect, operator, issued)
    return 0 <= age < LIFETIME and current.work().vault.matches(_PURPOSE, covered, digest)


def _issue(effect: Effect, operator: Account) -> str:
    work = current.work()
    issued = str(int(work.now.timestamp()))
    return f"{issued}.{work.vault.digest(_PURPOSE, _covered(effect, operator, issued))}"


def _covered(effect: Effect, operator: Account, issued: str) -> str:
    fields = sorted(effect.fields.items())
    return json.dumps([operator.subject, issued, request.path, effect.version, fields])


def _page(effect: Effect, operator: Account, *, error: str = "", status: int = 200) -> Response:
    body = render_template(
        "console/confirm.html",
        effect=effect,
        confirmation=_issue(effect, operator),
        action=request.path,
        reasons=[(str(reason), REASONS.of(reason)) for reason in ActReason],
        typed={"ticket": effect.ticket}
        | {name: request.form.get(name, "") for name in ("reason", "details")}
        | {name: request.form[name] for name in ("ticket",) if name in request.form},
        error=error,
        is_stale=status == 409,
    )
    return Response(body, status=status)

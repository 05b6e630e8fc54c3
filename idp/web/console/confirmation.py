"""The page before an act that reaches far or cannot be undone: what it does, to how many, why, and
how it is undone. The gate asks for it before the view, so that no view can do without.

The page works without JavaScript: the first POST shows it, its own form sends the POST again with
the confirmation. A confirmation is good for one operator, one act with its values, the state that
the page showed, and a quarter of an hour.
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

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.models import Account, Client
from idp.policy.console import MAX_DETAILS, MAX_TICKET, ActReason
from idp.policy.names import printable
from idp.web.texts import complete

#: Seconds from the page to its answer; a fresh factor can be asked for in between.
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
    """What the page says about one act, and what its confirmation covers."""

    title: str
    #: Whom or what it concerns.
    about: str
    consequences: list[str]
    #: How it is undone; empty when it cannot be.
    way_back: str
    button: str
    #: Where "Cancel" leads.
    back: str
    #: Changes when the state that the page describes changes.
    version: str
    #: The values of the act that its form sends again.
    fields: Mapping[str, str] = field(default_factory=dict)
    is_dangerous: bool = True
    #: What has to be typed once more; empty: nothing.
    to_type: str = ""
    type_label: str = ""
    account: Account | None = None
    client: Client | None = None
    #: What the field of the ticket proposes.
    ticket: str = ""
    #: Whether the service writes reason and ticket into an event of its own.
    is_recorded: bool = False


@dataclass(frozen=True)
class Act:
    """An act that is confirmed. ``effect`` takes the values of the address and returns what the
    page says, or the response that refuses the act. ``applies`` says whether this form orders it.
    """

    effect: Callable[..., Effect | BaseResponse]
    applies: Callable[[], bool] = lambda: True


@dataclass(frozen=True)
class Confirmation:
    """What the operator answered."""

    reason: str
    details: str
    ticket: str


def ask(act: Act, operator: Account, values: Mapping[str, Any]) -> BaseResponse | None:
    """The page, or why the act is refused; None when this request confirms it."""
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


def given() -> Confirmation:
    """The answer of this request, for the view of a confirmed act."""
    answer: Confirmation = g.confirmed[1]
    return answer


def record(answer: BaseResponse) -> None:
    """Record a confirmed act that was carried out, in its own transaction."""
    confirmed = g.pop("confirmed", None)
    if confirmed is None or answer.status_code >= 400:
        return
    effect, said = confirmed
    if not effect.is_recorded:
        events.record(
            current.work(),
            AuditAction.CONSOLE_CONFIRMED,
            account=effect.account,
            client=effect.client,
            act=(request.endpoint or "").removeprefix("console."),
            about=effect.about,
            why=said.reason,
            details=said.details,
            ticket=said.ticket,
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

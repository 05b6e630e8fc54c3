"""Which operator may open which page: one table, asked before every view (N72).

A route without an entry is denied to everyone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, cast

from flask import Blueprint, Response, g, redirect, request, url_for
from flask.typing import RouteCallable
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.audit import events
from idp.audit.actions import AuditAction
from idp.directory import held_role_groups
from idp.directory.directory_refusals import Forbidden
from idp.helpdesk.helpdesk_refusals import ConsoleRefusal, ForbiddenBecause
from idp.models import Account
from idp.policy.console import ACCESS, AGENT, ANY, AUDITOR, ConsoleRole
from idp.policy.local_path import safe_path
from idp.web import error_responses, interrupted_forms
from idp.web.console import confirmation, factor_check
from idp.web.console.confirmation import Act

_HELP = frozenset((AGENT, ACCESS))
_MANAGE = frozenset((ACCESS,))
_AUDIT = frozenset((AUDITOR,))
#: Auditors can read what Access Management can change.
_READ = _MANAGE | _AUDIT

#: The roles that may use each endpoint of the console. ``policy.console`` has further conditions of
#: the actions.
ROUTES: dict[str, frozenset[ConsoleRole]] = {
    "console.home": ANY,
    "console.people": ANY,
    "console.export_people": _READ,
    "console.account": ANY,
    "console.account_tab": ANY,
    "console.verify_caller": _HELP,
    "console.deny_caller": _HELP,
    "console.send_code": _HELP,
    "console.check_code": _HELP,
    "console.act": _HELP,
    "console.new_account": _MANAGE,
    "console.correct_person": _MANAGE,
    "console.change_custodian": _MANAGE,
    "console.end_session": _HELP,
    "console.remove_machine_key": _MANAGE,
    "console.clients": _READ,
    "console.new_client": _MANAGE,
    "console.client": _READ,
    "console.update_client": _MANAGE,
    "console.upload_logo": _MANAGE,
    "console.set_logo": _MANAGE,
    "console.rotate_secret": _MANAGE,
    "console.disable_client": _MANAGE,
    "console.enable_client": _MANAGE,
    "console.end_old_secret": _MANAGE,
    "console.initial_tokens": _READ,
    "console.issue_initial_token": _MANAGE,
    "console.revoke_initial_token": _MANAGE,
    "console.proposals": _MANAGE,
    "console.confirm_proposal": _MANAGE,
    "console.withdraw_proposal": _MANAGE,
    "console.groups": _READ,
    "console.group": _READ,
    "console.add_member": _MANAGE,
    "console.new_group": _MANAGE,
    "console.set_rule": _MANAGE,
    "console.describe_group": _MANAGE,
    "console.grant": _MANAGE,
    "console.revoke": _MANAGE,
    "console.participants": _READ,
    "console.participant": _READ,
    "console.set_contact": _MANAGE,
    "console.keys": _READ,
    "console.rotate_key": _MANAGE,
    "console.revoke_key": _MANAGE,
    "console.messages": _MANAGE,
    "console.retry_message": _MANAGE,
    "console.settings": _READ,
    "console.alarms": _READ,
    "console.confirm_mass_change": _MANAGE,
    "console.trail": _AUDIT,
    "console.export_trail": _AUDIT,
    "console.verify_trail": _AUDIT,
    "console.report": _AUDIT,
    "console.export_report": _AUDIT,
}


@dataclass(frozen=True)
class Operator:
    """The signed-in operator and the console roles of the account."""

    account: Account
    roles: frozenset[ConsoleRole]

    def may_open(self, endpoint: str) -> bool:
        """Whether a role of the operator may use the endpoint."""
        return bool(self.roles & ROUTES.get(endpoint, frozenset()))


class GatedBlueprint(Blueprint):
    """A blueprint that checks role, confirmation and fresh factor before every view. No view can be
    added without these checks. ``acts`` are the confirmed actions by endpoint. Raises TypeError for
    a route without a name or view."""

    def __init__(self, *args: Any, acts: Mapping[str, Act], **options: Any) -> None:
        super().__init__(*args, **options)
        self._acts = acts

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: Any,
    ) -> None:
        """As Flask's, with the gate around the view."""
        if endpoint is None or view_func is None:
            raise TypeError("a route of the console has a name and a view")
        act = self._acts.get(f"console.{endpoint}")
        gated = _gated(cast("Callable[..., BaseResponse]", view_func), act)
        super().add_url_rule(rule, endpoint, gated, provide_automatic_options, **options)


def _gated(view: Callable[..., BaseResponse], act: Act | None) -> Callable[..., BaseResponse]:
    """The view after these checks, in order: the role, the confirmation, a fresh factor."""

    @wraps(view)
    def gated(**values: Any) -> BaseResponse:
        try:
            if (earlier := _refusal() or _confirmation(act, values) or _proof()) is not None:
                return earlier
            answer = view(**values)
            confirmation.record(answer)
            return answer
        except Forbidden as refusal:
            # Nothing of what was begun is kept, but that it was tried.
            current.work().rollback()
            return forbid(ForbiddenBecause.TARGET, refusal.account)

    gated.needs_session = True  # type: ignore[attr-defined]
    return gated


def operator() -> Operator:
    """The operator of this request; there is one in every view of the console."""
    return cast(Operator, g.operator)


def _refusal() -> BaseResponse | None:
    """The response if the operator may not open this page; None otherwise."""
    session = current.browser_session()
    if session is None and request.method == "POST":
        return interrupted_forms.sign_in_first()
    if session is None:
        here = safe_path(request.full_path.rstrip("?"))
        return redirect(url_for("login.signin", next=here), code=303)
    work = current.work()
    found = Operator(session.account, held_role_groups.console_roles(work, session.account))
    if not found.may_open(request.endpoint or ""):
        return forbid(ForbiddenBecause.ROLE)
    account = session.account
    work.origin = replace(work.origin, actor=account.username, person_id=account.person_id)
    g.operator = found
    return None


def _confirmation(act: Act | None, values: Mapping[str, Any]) -> BaseResponse | None:
    """The page to confirm an action; None if this request confirms it, or needs no confirmation."""
    if act is None or request.method != "POST":
        return None
    return confirmation.ask(act, operator().account, values)


def _proof() -> BaseResponse | None:
    """The page that asks for a fresh factor, if the change needs one."""
    session = current.browser_session()
    return factor_check.ask(session) if session is not None else None


def forbid(why: ForbiddenBecause, about: Account | None = None) -> Response:
    """403, and an audit event: the operator lacks the permission (N74)."""
    session = current.browser_session()
    events.record(
        current.work(),
        AuditAction.CONSOLE_REFUSED,
        reason=ConsoleRefusal.FORBIDDEN,
        account=about or (session.account if session else None),
        session=session,
        page=request.endpoint,
        action=(request.view_args or {}).get("action"),
        by=session.account.username if session else None,
        why=str(why),
    )
    return error_responses.page(403)

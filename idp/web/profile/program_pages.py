"""Programs of a machine account, for its custodian: their networks and credentials, and which check
failed (MA-06, MA-09)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from flask_babel import lazy_gettext as _
from werkzeug.wrappers import Response as BaseResponse

from hosted_pages.texts import complete
from idp import current
from idp.audit import trail
from idp.clients import registry
from idp.directory import held_role_groups
from idp.errors import Conflict, Invalid, NotFound
from idp.machines import (
    machine_accounts,
    machine_diagnosis,
    machine_keys,
    machine_refusals,
    registered_networks,
)
from idp.machines.machine_diagnosis import CheckName
from idp.machines.machine_refusals import MachineRefusal
from idp.models import Account, AccountKind, BrowserSession, Event
from idp.policy.addresses import address_of
from idp.policy.registered_values import DEFAULT_KEY_DAYS, MAX_KEY_DAYS
from idp.web.guard import needs_session
from idp.web.profile.factor_pages import needs_proof

P = ParamSpec("P")
RECENT = 20
MAX_KEY_TEXT = 4000


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/settings/programs", "programs", programs)
    for path, name, view in (
        ("/settings/programs/test", "test_program", test_program),
        ("/settings/programs/former/end", "end_former", end_former),
        ("/settings/programs/keys/<kid>/remove", "remove_key", remove_key),
    ):
        pages.add_url_rule(path, name, view, methods=["POST"])
    pages.add_url_rule("/settings/programs/keys", "add_key", add_key, methods=["GET", "POST"])


def of_machine(
    view: Callable[Concatenate[BrowserSession, P], BaseResponse],
) -> Callable[Concatenate[BrowserSession, P], BaseResponse]:
    """Only a machine account has programs; for others there is no such page."""

    @wraps(view)
    def checked(session: BrowserSession, /, *args: P.args, **kwargs: P.kwargs) -> BaseResponse:
        if session.account.kind != AccountKind.MACHINE:
            abort(404)
        return view(session, *args, **kwargs)

    return checked


@needs_session
@of_machine
def programs(session: BrowserSession) -> BaseResponse:
    """The page."""
    return _page(session.account)


@needs_session
@of_machine
def test_program(session: BrowserSession) -> BaseResponse:
    """Which check a program at an address would fail. Nothing is counted or changed."""
    work, account = current.work(), session.account
    ip, service = request.form.get("ip", "").strip(), request.form.get("service", "")
    if address_of(ip) is None:
        return _page(account, ip=ip, service=service, error=gettext("Enter a valid IP address."))
    client = registry.find(work, service) if service else None
    checks = machine_diagnosis.diagnose(work, account, ip, client)
    return _page(account, ip=ip, service=service, checks=checks)


@needs_proof
@of_machine
def add_key(session: BrowserSession) -> BaseResponse:
    """Register a public key."""
    if request.method != "POST":
        return _key_page(days=str(DEFAULT_KEY_DAYS))
    form = request.form
    days = form.get("days", "")
    try:
        machine_keys.add(
            current.work(),
            session.account,
            form.get("key", "")[:MAX_KEY_TEXT],
            label=form.get("label", ""),
            days=int(days) if days.isascii() and days.isdecimal() else 0,
        )
    except (Invalid, Conflict):
        text = form.get("key", "")[:MAX_KEY_TEXT]
        return _key_page(days=days, label=form.get("label", ""), key=text, has_failed=True)
    flash(gettext("The key is registered."))
    return _home()


def _key_page(*, days: str, label: str = "", key: str = "", has_failed: bool = False) -> Response:
    body = render_template(
        "program_key.html",
        days=days,
        label=label,
        key=key,
        has_failed=has_failed,
        most=MAX_KEY_DAYS,
    )
    return Response(body, status=400 if has_failed else 200)


@needs_session
@of_machine
def remove_key(session: BrowserSession, kid: str) -> BaseResponse:
    """End a key; always possible, without a proof."""
    try:
        machine_keys.revoke(current.work(), session.account, kid)
    except NotFound:
        abort(404)
    flash(gettext("The key was removed. Its tokens are no longer valid."))
    return _home()


@needs_session
@of_machine
def end_former(session: BrowserSession) -> BaseResponse:
    """End the old password before its time."""
    machine_accounts.end_former_password(current.work(), session.account)
    flash(gettext("The previous password no longer works."))
    return _home()


def _home() -> BaseResponse:
    return redirect(url_for("profile.programs"), code=303)


def _page(
    account: Account,
    *,
    ip: str = "",
    service: str = "",
    checks: list[machine_diagnosis.Check] | None = None,
    error: str = "",
) -> BaseResponse:
    work = current.work()
    until = account.former_password_until
    body = render_template(
        "programs.html",
        networks=registered_networks.of(work, account),
        keys=machine_keys.of(work, account),
        now=work.now,
        former_until=until if until is not None and until > work.now else None,
        applications=[
            (row.client_id, row.name) for row in held_role_groups.accessible_clients(work, account)
        ],
        uses=[_use(event) for event in trail.recent_machine_refusals(work, account, RECENT)],
        ip=ip,
        service=service,
        checks=[(_check_words(check), check.is_met, _detail(check)) for check in checks or ()],
        error=error,
    )
    return Response(body, status=400 if error else 200)


def _use(event: Event) -> dict[str, object]:
    return {
        "at": event.at,
        "ip": event.ip or "",
        "service": event.client_id or "",
        "reason": reason_words(event.reason or ""),
    }


CHECKS = complete(
    CheckName,
    {
        CheckName.KIND: _("Account type"),
        CheckName.STATE: _("Account status"),
        CheckName.PASSWORD_OR_KEY: _("Password or key"),
        CheckName.NETWORK: _("Registered network"),
        CheckName.LOCK: _("Lock after failed attempts"),
        CheckName.APPLICATION: _("Application"),
        CheckName.ROLE_GROUP: _("Role group for the application"),
    },
)


def _check_words(check: machine_diagnosis.Check) -> str:
    """The name of a check."""
    return CHECKS.of(check.name)


def _detail(check: machine_diagnosis.Check) -> str:
    """The name in a result of the diagnosis, which needs no translation."""
    is_name = check.name in ("network", "application", "role group")
    return check.detail if is_name and check.is_met else ""


_NOT_ACTIVE = _("The account was not active.")
REFUSALS = complete(
    MachineRefusal,
    {
        MachineRefusal.NO_CREDENTIALS: _("The program sent no password and no signed assertion."),
        MachineRefusal.UNKNOWN_ACCOUNT: _("Unknown account"),
        MachineRefusal.NETWORK_NOT_REGISTERED: _("The address is not in a registered network."),
        MachineRefusal.WRONG_PASSWORD: _("The password was incorrect."),
        MachineRefusal.NO_PASSWORD: _("The account has no password."),
        MachineRefusal.WRONG_KEY: _(
            "The signature was invalid, had expired or was already used, or the key is not "
            "registered."
        ),
        MachineRefusal.UNKNOWN_APPLICATION: _("The application does not exist."),
        MachineRefusal.NO_ROLE_GROUP: _("The account has no role group for this application."),
        MachineRefusal.THROTTLED: _(
            "There were too many failed attempts from this address. Wait and try again."
        ),
    }
    | dict.fromkeys(machine_refusals.OF_STATE.values(), _NOT_ACTIVE),
)


def reason_words(reason: str) -> str:
    """Why a program was refused."""
    return REFUSALS.of(reason)

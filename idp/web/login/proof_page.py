"""The page where a second factor is proved: at a sign-in, at a step-up, before a change in
settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, redirect, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.credentials import one_time_codes
from idp.credentials.one_time_codes import CodePurpose
from idp.errors import CodeNotSent
from idp.factors import authenticators, factor_codes, passkeys, recovery_codes
from idp.factors.passkeys import Ceremony, Fault
from idp.mfa.assurance import FactorKind
from idp.models import Account, Authenticator
from idp.web import factor_words

#: How many reasons the page shows.
SHOWN_REASONS = 3
SENT = (FactorKind.SMS, FactorKind.EMAIL)


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Which factor to verify, for whom, and where the page's forms go."""

    account: Account
    #: Binds codes and challenges to this session or sign-in.
    flow: str
    action: str
    hidden: dict[str, str]
    reasons: tuple[str, ...]
    needs_strong: bool = False
    needs_passkey: bool = False
    #: Another form was sent and waits for the proof: its fields are kept on the page.
    waiting: bool = False
    #: The target of the link that cancels; empty: no such link.
    back: str = ""
    #: Whether the page asks to remember the browser (a sign-in that does not do so yet).
    offers_remember: bool = False
    #: Called after a wrong code or passkey.
    failed: Callable[[], None] = lambda: None


#: The fields of this page's own forms.
OWN_FIELDS = ("csrf_token", "proof", "method", "code", "credential", "do")


def kept_fields(demand: Demand) -> list[tuple[str, str]]:
    """The hidden fields of the page's forms, including those of a form that continues
    afterwards."""
    fields = list(demand.hidden.items())
    if demand.waiting:
        typed = request.form.items(multi=True)
        fields += [("proof", "1"), *((k, v) for k, v in typed if k not in OWN_FIELDS)]
    return fields


def serve(demand: Demand) -> tuple[str, ...] | BaseResponse:
    """Show the page, send a code, or check the input. Returns the verified factor, as values of
    ``amr``, or a response."""
    rows = _acceptable(demand)
    if request.method != "POST":
        return _page(demand, rows, _chosen(rows, request.args.get("method", "")))
    chosen = _chosen(rows, request.form.get("method", ""))
    if demand.waiting and (request.form.get("do") == "show" or "proof" not in request.form):
        return _page(demand, rows, chosen)
    if request.form.get("do") == "send":
        return _send(demand, rows, chosen)
    proved = _check(demand)
    if isinstance(proved, tuple):
        return proved
    if proved is not Fault.LATE:
        demand.failed()
    error = factor_words.passkey_fault(proved)
    return _page(demand, rows, chosen, wrong=not error, error=error)


def send_first(account: Account, flow: str, *, needs_strong: bool) -> None:
    """Send the code of the factor that the page offers first, if it is one that is sent. If too
    many were sent, the page says so when the person asks for another one."""
    rows = authenticators.acceptable(current.work(), account, needs_strong=needs_strong)
    if rows and rows[0].kind in SENT:
        try:
            factor_codes.send(current.work(), account, rows[0], flow)
        except CodeNotSent:
            return


def _acceptable(demand: Demand) -> list[Authenticator]:
    work = current.work()
    rows = authenticators.acceptable(work, demand.account, needs_strong=demand.needs_strong)
    return [row for row in rows if not demand.needs_passkey or row.kind == FactorKind.PASSKEY]


def _chosen(rows: list[Authenticator], public_id: str) -> Authenticator | None:
    return next((row for row in rows if row.public_id == public_id), rows[0] if rows else None)


def _send(demand: Demand, rows: list[Authenticator], chosen: Authenticator | None) -> BaseResponse:
    if chosen is None or chosen.kind not in SENT:
        return _page(demand, rows, chosen)
    try:
        factor_codes.send(current.work(), demand.account, chosen, demand.flow)
    except CodeNotSent as refusal:
        return _page(demand, rows, chosen, error=factor_words.not_sent(refusal.limit))
    if demand.waiting:
        return _page(demand, rows, chosen)
    return redirect(_address(demand, chosen), code=303)


def _address(demand: Demand, row: Authenticator) -> str:
    joint = "&" if "?" in demand.action else "?"
    query = "&".join(f"{k}={v}" for k, v in ({**demand.hidden, "method": row.public_id}).items())
    return f"{demand.action}{joint}{query}"


def _check(demand: Demand) -> tuple[str, ...] | Fault:
    work, account = current.work(), demand.account
    answer = request.form.get("credential", "")
    if answer:
        found = passkeys.verify(work, Ceremony.FACTOR, demand.flow, answer, account)
        return found if isinstance(found, Fault) else found[1]
    if demand.needs_passkey:
        return Fault.WRONG
    typed = request.form.get("code", "")
    return factor_codes.check(work, account, typed, demand.flow) or Fault.WRONG


def _page(
    demand: Demand,
    rows: list[Authenticator],
    chosen: Authenticator | None,
    *,
    wrong: bool = False,
    error: str = "",
) -> Response:
    work, account = current.work(), demand.account
    kind = str(chosen.kind) if chosen else "recovery"
    options = ""
    if kind == FactorKind.PASSKEY:
        options = passkeys.request_options(work, Ceremony.FACTOR, demand.flow, account)
    body = render_template(
        "prove.html",
        demand=demand,
        fields=kept_fields(demand),
        reasons=factor_words.reasons(demand.reasons, SHOWN_REASONS),
        kind=kind,
        chosen=chosen,
        where=authenticators.masked_destination(chosen, account) if chosen else "",
        is_sent=chosen is not None and _is_sent(demand, chosen),
        options=options,
        others=[
            (row, factor_words.title(row, account), row.kind in SENT, _address(demand, row))
            for row in rows
            if chosen is None or row.id != chosen.id
        ],
        by_paper=not demand.needs_passkey and recovery_codes.count_unused(work, account) > 0,
        wrong=wrong,
        error=error,
    )
    return Response(body, status=400 if wrong or error else 200)


def _is_sent(demand: Demand, row: Authenticator) -> bool:
    """Whether a code of this factor was sent in this flow and is still valid."""
    if row.kind not in SENT:
        return False
    work = current.work()
    digest = one_time_codes.flow_digest(work, CodePurpose.FACTOR, demand.flow)
    last = one_time_codes.latest(work, CodePurpose.FACTOR, digest)
    if last is None or last.used_at or last.superseded_at or last.expires_at <= work.now:
        return False
    return last.destination == row.destination

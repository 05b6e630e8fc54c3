"""The pages where a factor is set up, in enrolment and in settings (MF-08, AC-06)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import segno
from flask import Response, redirect, render_template, request
from flask_babel import gettext
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.errors import CodeNotSent
from idp.factors import authenticators, factor_codes, passkeys
from idp.factors.factor_refusals import TooManyFactors
from idp.mfa import totp
from idp.mfa.assurance import FactorKind
from idp.models import Account, Authenticator
from idp.policy.phone_number import Fault, for_sms, in_country, masked
from idp.web import factor_words, i18n


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a factor is set up, and for whom."""

    account: Account
    #: Binds codes and challenges to this session or sign-in.
    flow: str
    #: The address of this page, and of the page around it.
    here: str
    back: str
    #: Hidden fields of its forms.
    hidden: dict[str, str]


def serve(place: Place, kind: FactorKind) -> Authenticator | BaseResponse:
    """Show the page or process its form. Returns the factor once it is confirmed."""
    if request.method != "POST":
        return _page(place, kind)
    try:
        if request.form.get("do") == "begin":
            return _BEGIN[kind](place)
        return _confirm(place, kind)
    except TooManyFactors as refusal:
        fault = gettext(
            "You have %(n)s verification methods, and more are not possible. Remove one first.",
            n=refusal.most,
        )
        return _page(place, kind, error=fault)


def _begin_app(place: Place) -> BaseResponse:
    factor_codes.start_app_enrolment(current.work(), place.account, request.form.get("name", ""))
    return redirect(place.here, code=303)


def _begin_texts(place: Place) -> BaseResponse:
    typed, country = request.form.get("number", ""), request.form.get("country", "")
    number = for_sms(in_country(typed, country), current.runtime().settings.sms_countries)
    if isinstance(number, Fault):
        return _page(place, FactorKind.SMS, error=factor_words.number_fault(number))
    return _send(place, FactorKind.SMS, number)


def _begin_mails(place: Place) -> BaseResponse:
    return _send(place, FactorKind.EMAIL, "")


def _send(place: Place, kind: FactorKind, number: str) -> BaseResponse:
    work = current.work()
    try:
        factor_codes.start_sent_code_enrolment(work, place.account, kind, place.flow, number=number)
    except CodeNotSent as refusal:
        return _page(place, kind, error=factor_words.not_sent(refusal.limit))
    return redirect(place.here, code=303)


def _begin_passkey(place: Place) -> BaseResponse:
    return redirect(place.here, code=303)


_BEGIN: dict[FactorKind, Callable[[Place], BaseResponse]] = {
    FactorKind.TOTP: _begin_app,
    FactorKind.SMS: _begin_texts,
    FactorKind.EMAIL: _begin_mails,
    FactorKind.PASSKEY: _begin_passkey,
}


def _confirm(place: Place, kind: FactorKind) -> Authenticator | BaseResponse:
    work, account = current.work(), place.account
    if kind is FactorKind.PASSKEY:
        answer, name = request.form.get("credential", ""), request.form.get("name", "")
        made = passkeys.register(work, account, place.flow, answer, name)
        if isinstance(made, Authenticator):
            return made
        fault = gettext("The passkey was not set up. Try again or choose another method.")
        return _page(place, kind, error=factor_words.passkey_fault(made, otherwise=fault))
    row = authenticators.pending(work, account, kind)
    if row is None:
        return _page(place, kind, error=gettext("Your request has expired. Start again."))
    typed = request.form.get("code", "")
    if factor_codes.confirm(work, account, row, typed, place.flow):
        return row
    return _page(place, kind, error=factor_words.wrong_code())


def _page(place: Place, kind: FactorKind, *, error: str = "") -> Response:
    work, account = current.work(), place.account
    row = authenticators.pending(work, account, kind)
    anew = request.args.get("anew") == "1" and request.method != "POST"
    values: dict[str, object] = {"begun": None if anew else row}
    if kind is FactorKind.PASSKEY:
        values["options"] = passkeys.creation_options(work, account, place.flow)
    elif kind is FactorKind.TOTP and row is not None:
        values |= _app(row, account)
    elif kind is FactorKind.SMS:
        values["countries"] = i18n.countries(work.settings.sms_countries)
        values["country"] = request.form.get("country", "")
        values["number"] = request.form.get("number", "")
        values["where"] = masked(row.destination) if row else ""
    elif kind is FactorKind.EMAIL:
        values["where"] = account.person.email
    body = render_template(
        "set_up.html",
        place=place,
        kind=str(kind),
        title=factor_words.kind(kind),
        error=error,
        **values,
    )
    return Response(body, status=400 if error else 200)


def _app(row: Authenticator, account: Account) -> dict[str, object]:
    secret = factor_codes.secret(current.work(), row)
    issuer = passkeys.site(current.work()).name
    address = totp.uri(secret, username=account.username, issuer=issuer)
    picture = segno.make(address, error="m").svg_inline(
        scale=5, border=4, dark="#000000", light="#ffffff", omitsize=True, title=gettext("QR code")
    )
    return {
        "picture": Markup(picture),  # noqa: S704 - made here, of our own address
        "key": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
    }

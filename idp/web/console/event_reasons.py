"""Why something was refused, in words: the reasons of events of the audit trail."""

from __future__ import annotations

from itertools import chain

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from idp.audit.actions import AlarmReason, AuditAction
from idp.credentials.credential_refusals import (
    CodeRefusal,
    LinkRefusal,
    NotSent,
    PasswordRefusal,
)
from idp.factors.factor_refusals import FactorRefusal
from idp.helpdesk.helpdesk_refusals import CallerRefusal, ConsoleRefusal
from idp.machines.machine_refusals import MachineRefusal
from idp.mfa.passkey_ceremony import PasskeyRefusal
from idp.models import AccountState, Event
from idp.recovery.recovery_refusals import RecoveryRefusal
from idp.signin.signin_refusals import SignInRefusal
from idp.web.console import labels

#: Why accounts are refused by their state: ``labels`` has the words of the states.
OF_STATE = frozenset(f"account_{state}" for state in AccountState)
#: The refusals of people, programs, links and codes, and the reasons of alarms. Those of sign-ins
#: are in ``labels``; those of protocols are codes of their standards.
REASONS = complete(
    chain(
        AlarmReason, CallerRefusal, CodeRefusal, ConsoleRefusal, FactorRefusal, LinkRefusal,
        MachineRefusal, NotSent, PasskeyRefusal, PasswordRefusal, RecoveryRefusal,
    ),
    {
        "no_credentials": _("No credentials given"),
        "unknown_account": _("Unknown account"),
        "network_not_registered": _("Network not registered"),
        "wrong_password": _("Incorrect password"),
        "no_password": _("No password set"),
        "wrong_key": _("Incorrect key"),
        "throttled": _("Too many failed attempts before"),
        "unknown_application": _("Unknown application"),
        "no_role_group": _("No role group of the application"),
        "unknown_flow": _("No code was sent for this page"),
        "wrong_code": _("Incorrect code"),
        "code_over": _("Code expired, replaced or tried too often"),
        "code_used": _("Code already used"),
        "too_many_codes": _("Too many codes"),
        "wrong_answer": _("Incorrect answer"),
        "wrong_current": _("Incorrect current password"),
        "link_unknown": _("Unknown link"),
        "link_elsewhere": _("Link opened in another browser"),
        "link_expired": _("Link expired"),
        "link_used": _("Link already used"),
        "link_superseded": _("Link replaced by a newer one"),
        "bad_address": _("Address not accepted"),
        "too_little_matched": _("Too few correct answers"),
        "denied": _("The caller is not the account holder"),
        "recently_denied": _("Shortly before, the caller was not the account holder"),
        "not_the_holder": _("The account holder did not call"),
        "forbidden": _("Not allowed for this operator"),
        "too_many_requests": _("Too many requests"),
        "failed": _("A fault in the gateway"),
        "too_long": _("Passkey answer too long"),
        "malformed": _("Passkey answer not readable"),
        "cross_origin": _("Passkey used on another website"),
        "not_verified": _("Passkey not verified"),
        "counter_fell": _("Passkey possibly copied"),
        "backup_eligibility_changed": _("Passkey properties changed"),
        "challenge_unknown": _("Passkey answers another page"),
        "challenge_expired": _("Passkey used on an expired page"),
        "challenge_used": _("Passkey answer already used"),
        "known_already": _("Passkey already registered"),
        "not_agreed": _("Automatic passkeys turned off"),
        "not_just_signed_in": _("No sign-in with a verification method shortly before"),
        "one_added_already": _("A passkey was already added after this sign-in"),
        "too_many_factors": _("Too many verification methods"),
        "unknown_passkey": _("Unknown passkey"),
        "passkey_of_another": _("Passkey of another account"),
        "wrong_user_handle": _("Passkey of another person"),
        "forged": _("Forged records found"),
        "head_lost": _("End of the log missing"),
        "not_sealed": _("Not sealed in time"),
        "clock_differs": _("The clock differs from that of the database"),
        "events_of_the_future": _("Events have times in the future"),
        "too_many_failures": _("Too many refused sign-ins"),
        "cookie_copied": _("Cookie used in another browser"),
        "mass_change": _("Too many accounts changed"),
        "broken": _("Integrity check failed"),
    },
    without=OF_STATE,
)  # fmt: skip


def event_reason(event: Event) -> str:
    """Why it was refused; empty if it was not."""
    reason = event.reason or ""
    if event.name == AuditAction.SIGNIN_REFUSED and reason in list(SignInRefusal):
        return labels.refused(event)
    if reason in OF_STATE:
        was = labels.state(reason.removeprefix("account_"))
        return str(gettext("The account was %(state)s", state=was))
    return REASONS.of(reason) if reason in REASONS else in_words(reason)


def in_words(code: str) -> str:
    """The code as words, if there is no text for it."""
    return code.replace("_", " ")

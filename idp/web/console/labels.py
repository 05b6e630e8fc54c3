"""Names of states, reasons and actions in plain words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext

from idp.errors import Refused
from idp.helpdesk.account_status import SignInBlock
from idp.models import Account, Event
from idp.policy.console import Fact
from idp.web import factor_words
from idp.web.i18n import eastern


def state(name: str) -> str:
    """An account's state."""
    known: dict[str, str] = {
        "pending": gettext("pending activation"),
        "active": gettext("active"),
        "locked": gettext("locked"),
        "reset_required": gettext("password reset required"),
        "suspended": gettext("suspended"),
        "deactivated": gettext("deactivated"),
    }
    return known.get(name, name)


def assessment(event: Event) -> dict[str, Any]:
    """A decision of the risk engine, for the page: reasons in words, features with weights."""
    data = event.data
    bounds = data.get("thresholds", {})
    return {
        "asked": data.get("decision") == "prompt",
        "reasons": factor_words.reasons(data["reasons"]) if data.get("reasons") else [],
        "rule": data.get("rule", ""),
        "score": data.get("score"),
        "band": data.get("band", ""),
        "medium": bounds.get("medium", ""),
        "high": bounds.get("high", ""),
        "model": data.get("model", ""),
        "evidence": data.get("evidence", []),
        "hits": data.get("hits", []),
    }


def refused(reason: str | None) -> str:
    """Why a sign-in was refused; the person saw none of it."""
    known: dict[str, str] = {
        "wrong_password": gettext("Incorrect password"),
        "no_password": gettext("No password set"),
        "throttled": gettext(
            "Correct password, but the account was locked after too many failed attempts"
        ),
        "temporary_password_used": gettext("Temporary password already used"),
        "account_reset_required": gettext("Password reset required"),
        "wrong_passkey": gettext("Passkey not accepted"),
        "late_passkey": gettext("Passkey used on an expired page"),
        "changed_passkey": gettext("Passkey properties changed"),
        "network_denied": gettext("Blocked network"),
    }
    if reason in known:
        return known[reason]
    was = state((reason or "").removeprefix("account_"))
    return str(gettext("Correct password, but the account was %(state)s", state=was))


def kind(name: str) -> str:
    """An account's kind."""
    known: dict[str, str] = {
        "personal": gettext("personal account"),
        "machine": gettext("machine account"),
        "email": gettext("e-mail account"),
    }
    return known.get(name, name)


def second(account: Account) -> str:
    """Why it is beside the person's first account, and where it acts; empty for all others."""
    if not account.second_reason:
        return ""
    only = account.second_participant
    if only is None:
        return str(gettext("no reason given"))
    return str(
        gettext(
            "for transmission rights, only for %(name)s (%(number)s)",
            name=only.name,
            number=only.number,
        )
    )


def function(name: str) -> str:
    """What a contact is for a participant."""
    known: dict[str, str] = {
        "authorized_representative": gettext("Authorized Representative"),
        "primary_contact": gettext("Primary Contact"),
        "rights_administrator": gettext("Rights Administrator"),
    }
    return known.get(name, name)


def fact(name: Fact) -> str:
    """What the caller was asked."""
    known: dict[str, str] = {
        Fact.USERNAME: gettext("Gave the user name"),
        Fact.EMAIL: gettext("Gave the registered e-mail address"),
        Fact.PERSON_ID: gettext("Gave the Person ID"),
        Fact.ORGANIZATION: gettext("Named the organization"),
        Fact.CALLBACK: gettext("Answered a call to the registered phone number"),
    }
    return known[name]


def action(name: str) -> str:
    """What an action does, on its button."""
    known: dict[str, str] = {
        "reset-mail": gettext("Send a reset e-mail"),
        "temporary-password": gettext("Issue a temporary password"),
        "unlock": gettext("Unlock"),
        "resend-activation": gettext("Resend the activation e-mail"),
        "reset-factors": gettext("Reset verification methods"),
        "end-sessions": gettext("End all sessions"),
        "lock": gettext("Lock"),
        "suspend": gettext("Suspend"),
        "restore": gettext("Reactivate"),
        "deactivate": gettext("Deactivate"),
    }
    return known[name]


def done(name: str) -> str:
    """That an action was carried out."""
    known: dict[str, str] = {
        "reset-mail": gettext("We sent a reset e-mail. The current password no longer works."),
        "unlock": gettext("The account is unlocked."),
        "resend-activation": gettext(
            "We sent a new activation e-mail. The previous link no longer works."
        ),
        "reset-factors": gettext(
            "The verification methods were removed. We sent an e-mail to choose a new password."
        ),
        "end-sessions": gettext("All sessions were ended. No browsers are remembered."),
        "lock": gettext("The account is locked."),
        "suspend": gettext("The account is suspended."),
        "restore": gettext("The account was reactivated."),
        "deactivate": gettext("The account is deactivated."),
    }
    return known[name]


def refusal(error: Refused) -> str:
    """Why an action was not carried out."""
    known: dict[str, str] = {
        "caller": gettext("Verify the caller first."),
        "reason": gettext("Enter a reason and a ticket reference, each on one line."),
    }
    if error.detail in known:
        return known[error.detail]
    return str(
        gettext("The account status has changed and no longer allows this action. Reload the page.")
    )


def obstacle(entry: SignInBlock) -> str:
    """One reason why an account cannot sign in, as a sentence."""
    since, until = eastern(entry.since), eastern(entry.until)
    detail = _reason(entry.detail)
    known: dict[str, str] = {
        "never_activated": gettext(
            "Not activated, and there is no activation link. Issue a temporary password."
        ),
        "activation_waiting": gettext(
            "Not activated. The activation link sent on %(since)s expires on %(until)s.",
            since=since, until=until,
        ),
        "activation_expired": gettext(
            "Not activated. The activation link expired on %(until)s. Issue a temporary "
            "password.",
            until=until,
        ),
        "too_many_failures": gettext(
            "Locked since %(since)s after too many failed attempts%(where)s. Unlocks "
            "automatically on %(until)s.",
            since=since, until=until, where=_where(entry.detail),
        ),
        "renewal_due": gettext(
            "The password expired on %(since)s. The account holder must choose a new one at "
            "the next sign-in.",
            since=since,
        ),
        "temporary_waiting": gettext(
            "A temporary password was issued and expires on %(until)s.", until=until
        ),
        "temporary_expired": gettext(
            "The temporary password expired on %(until)s. Issue a new one.", until=until
        ),
        "temporary_used": gettext(
            "The temporary password was used on %(until)s, but no new password was chosen. "
            "Issue a new one.",
            until=until,
        ),
        "reset_waiting": gettext(
            "Password reset required since %(since)s. The reset link expires on %(until)s.",
            since=since, until=until,
        ),
        "reset_expired": gettext(
            "Password reset required since %(since)s. The reset link expired on %(until)s.",
            since=since, until=until,
        ),
        "reset_required": gettext("Password reset required since %(since)s.", since=since),
        "locked": gettext("Locked since %(since)s%(why)s.", since=since, why=detail),
        "suspended": gettext("Suspended since %(since)s%(why)s.", since=since, why=detail),
        "deactivated": gettext("Deactivated since %(since)s%(why)s.", since=since, why=detail),
    }  # fmt: skip
    return known[entry.kind]


def _reason(name: str) -> str:
    return gettext(" by an operator") if name == "operator" else ""


def _where(scope: str) -> str:
    known: dict[str, str] = {
        "browser": gettext(" in a remembered browser"),
        "network": gettext(" from the account holder's usual network"),
    }
    return known.get(scope, "")

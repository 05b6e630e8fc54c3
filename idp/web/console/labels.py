"""Names of states, reasons and actions in plain words."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext

from idp.desk.account_status import Obstacle
from idp.errors import Refused
from idp.models import Account, Event
from idp.policy.console import Fact
from idp.web import factor_words
from idp.web.i18n import eastern


def state(name: str) -> str:
    """An account's state."""
    known: dict[str, str] = {
        "pending": gettext("waiting to be activated"),
        "active": gettext("active"),
        "locked": gettext("locked"),
        "reset_required": gettext("new password required"),
        "suspended": gettext("suspended"),
        "deactivated": gettext("closed for good"),
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
        "wrong_password": gettext("Wrong password"),
        "no_password": gettext("No password was set yet"),
        "throttled": gettext("Right password, but locked after too many wrong ones"),
        "temporary_password_used": gettext("Temporary password used a second time"),
        "account_reset_required": gettext("A new password was required"),
        "wrong_passkey": gettext("Passkey that does not hold"),
        "late_passkey": gettext("Passkey used on a page that was open too long"),
        "changed_passkey": gettext("Passkey that is another kind of key than before"),
        "network_denied": gettext("Network that is kept out"),
    }
    if reason in known:
        return known[reason]
    was = state((reason or "").removeprefix("account_"))
    return str(gettext("Right password, but the account was: %(state)s", state=was))


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
        return str(gettext("without a stated reason"))
    return str(
        gettext(
            "for transmission rights, acts for %(name)s (%(number)s) only",
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
        Fact.USERNAME: gettext("Named the user name"),
        Fact.EMAIL: gettext("Named the registered e-mail address"),
        Fact.PERSON_ID: gettext("Knew the Person ID"),
        Fact.ORGANIZATION: gettext("Knew the organization"),
        Fact.CALLBACK: gettext("Answered when called back at the registered telephone"),
    }
    return known[name]


def action(name: str) -> str:
    """What an action does, on its button."""
    known: dict[str, str] = {
        "reset-mail": gettext("Send a reset mail"),
        "temporary-password": gettext("Give a temporary password"),
        "unlock": gettext("Unlock"),
        "resend-activation": gettext("Send the activation mail again"),
        "reset-factors": gettext("Reset the second factor"),
        "end-sessions": gettext("End all sessions"),
        "lock": gettext("Lock"),
        "suspend": gettext("Suspend"),
        "restore": gettext("End the suspension"),
        "deactivate": gettext("Close for good"),
    }
    return known[name]


def done(name: str) -> str:
    """That an action was carried out."""
    known: dict[str, str] = {
        "reset-mail": gettext("The reset mail is on its way; the old password no longer works."),
        "unlock": gettext("The account is unlocked."),
        "resend-activation": gettext("The activation mail is on its way; the earlier link ended."),
        "reset-factors": gettext(
            "The second factor is gone, and a mail to choose a new password is on its way."
        ),
        "end-sessions": gettext("All sessions are ended, and no browser is remembered."),
        "lock": gettext("The account is locked."),
        "suspend": gettext("The account is suspended."),
        "restore": gettext("The suspension is over."),
        "deactivate": gettext("The account is closed for good."),
    }
    return known[name]


def refusal(error: Refused) -> str:
    """Why an action was not carried out."""
    known: dict[str, str] = {
        "caller": gettext("Verify the caller first."),
        "reason": gettext("Enter a reason and a ticket reference, each in one line."),
    }
    if error.detail in known:
        return known[error.detail]
    return str(gettext("The state of the account does not allow this now. Reload the page."))


def obstacle(entry: Obstacle) -> str:
    """One reason why an account cannot sign in, as a sentence."""
    since, until = eastern(entry.since), eastern(entry.until)
    detail = _reason(entry.detail)
    known: dict[str, str] = {
        "never_activated": gettext(
            "Never activated, and no activation link is open. Give a temporary password."
        ),
        "activation_waiting": gettext(
            "Not activated yet: the mail of %(since)s can be opened until %(until)s.",
            since=since, until=until,
        ),
        "activation_expired": gettext(
            "Not activated: the link expired on %(until)s. Only a temporary password helps.",
            until=until,
        ),
        "too_many_failures": gettext(
            "Locked since %(since)s after too many wrong passwords%(where)s; opens by itself at "
            "%(until)s.",
            since=since, until=until, where=_where(entry.detail),
        ),
        "renewal_due": gettext(
            "The password is due for renewal since %(since)s; a new one is asked for at sign-in.",
            since=since,
        ),
        "temporary_waiting": gettext(
            "A temporary password waits to be used, until %(until)s.", until=until
        ),
        "temporary_expired": gettext(
            "The temporary password was not used in time (until %(until)s).", until=until
        ),
        "temporary_used": gettext(
            "The temporary password was used on %(until)s, but no new password was chosen. Give "
            "another one.",
            until=until,
        ),
        "reset_waiting": gettext(
            "A new password is required since %(since)s; the link can be opened until %(until)s.",
            since=since, until=until,
        ),
        "reset_expired": gettext(
            "A new password is required since %(since)s; the link expired on %(until)s.",
            since=since, until=until,
        ),
        "reset_required": gettext("A new password is required since %(since)s.", since=since),
        "locked": gettext("Locked since %(since)s%(why)s.", since=since, why=detail),
        "suspended": gettext("Suspended since %(since)s%(why)s.", since=since, why=detail),
        "deactivated": gettext("Closed for good since %(since)s%(why)s.", since=since, why=detail),
    }  # fmt: skip
    return known[entry.kind]


def _reason(name: str) -> str:
    return gettext(" by an operator") if name == "operator" else ""


def _where(scope: str) -> str:
    known: dict[str, str] = {
        "browser": gettext(" in a remembered browser"),
        "network": gettext(" from the holder's usual network"),
    }
    return known.get(scope, "")

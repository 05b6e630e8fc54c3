"""Names of states, reasons and actions in plain words."""

from __future__ import annotations

from typing import Any, assert_never

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.languages import eastern
from hosted_pages.texts import complete
from idp.directory.state_reasons import StateReason
from idp.errors import ActionNotPossible, CallerNotVerified, ReasonMissing
from idp.helpdesk.account_status import SignInBlock, SignInBlockKind
from idp.models import Account, AccountKind, AccountState, ContactFunction, Event
from idp.policy.console import ConsoleAction, Fact
from idp.signin import signin_refusals
from idp.signin.signin_refusals import SignInRefusal
from idp.web import factor_words
from idp.web.console import prompt_reason_texts

STATES = complete(
    AccountState,
    {
        AccountState.PENDING: _("pending activation"),
        AccountState.ACTIVE: _("active"),
        AccountState.LOCKED: _("locked"),
        AccountState.RESET_REQUIRED: _("password reset required"),
        AccountState.SUSPENDED: _("suspended"),
        AccountState.DEACTIVATED: _("deactivated"),
    },
)

#: The drawings of the package, by name.
ICONS = {
    "auction": _("Auctions"),
    "capacity": _("Capacity"),
    "compliance": _("Compliance"),
    "disagreement": _("Disagreements"),
    "dispatch": _("Dispatch"),
    "exchange": _("Exchange of information"),
    "forecast": _("Forecasts"),
    "forms": _("Forms"),
    "market": _("Market"),
    "meter": _("Metering"),
    "outage": _("Outages"),
    "prudential": _("Prudential support"),
    "registration": _("Registration"),
    "reports": _("Reports"),
    "resources": _("Resources"),
    "services": _("Web services"),
    "workspaces": _("Workspaces"),
}


def state(name: str) -> str:
    """An account's state."""
    return STATES.of(name)


def standing(account: Account, *, is_ready: bool) -> str:
    """The state of an account; an active account with incomplete setup is shown as such."""
    if account.state == AccountState.ACTIVE and not is_ready:
        return str(gettext("setup not finished"))
    return state(account.state)


def assessment(event: Event) -> dict[str, Any]:
    """A decision of the risk engine, for the page: reasons in words, features with weights."""
    data = event.data
    bounds = data.get("thresholds", {})
    return {
        "asked": data.get("decision") == "prompt",
        "reasons": prompt_reason_texts.reasons(data.get("reasons", [])),
        "no_prompt_reasons": [
            factor_words.NO_PROMPT_REASONS.of(code) for code in data.get("no_prompt_reasons", [])
        ],
        "rule": data.get("rule", ""),
        "score": data.get("score"),
        "band": data.get("band", ""),
        "medium": bounds.get("medium", ""),
        "high": bounds.get("high", ""),
        "model": data.get("model", ""),
        "evidence": prompt_reason_texts.evidence(data.get("evidence", [])),
        "hits": data.get("hits", []),
    }


_OF_STATE = set(signin_refusals.OF_STATE.values()) - {SignInRefusal.ACCOUNT_RESET_REQUIRED}
REFUSALS = complete(
    SignInRefusal,
    {
        SignInRefusal.UNKNOWN_ACCOUNT: _("Unknown account"),
        SignInRefusal.WRONG_PASSWORD: _("Incorrect password"),
        SignInRefusal.NO_PASSWORD: _("No password set"),
        SignInRefusal.THROTTLED: _(
            "Correct password, but the account was locked after too many failed attempts"
        ),
        SignInRefusal.TEMPORARY_PASSWORD_USED: _("Temporary password already used"),
        SignInRefusal.ACCOUNT_RESET_REQUIRED: _("Password reset required"),
        SignInRefusal.WRONG_PASSKEY: _("Passkey not accepted"),
        SignInRefusal.LATE_PASSKEY: _("Passkey used on an expired page"),
        SignInRefusal.CHANGED_PASSKEY: _("Passkey properties changed"),
        SignInRefusal.NETWORK_DENIED: _("Blocked network"),
    },
    without=_OF_STATE,
)


def refused(event: Event) -> str:
    """Why a sign-in was refused. The person did not see this reason."""
    reason = event.reason or ""
    if reason not in _OF_STATE:
        return REFUSALS.of(reason)
    was = state(reason.removeprefix("account_"))
    match event.data.get("method"):
        case "passkey":
            return str(gettext("Correct passkey, but the account was %(state)s", state=was))
        case "password":
            return str(gettext("Correct password, but the account was %(state)s", state=was))
        case _:
            # An event of an older release does not say which of the two was used.
            return str(gettext("The account was %(state)s", state=was))


KINDS = complete(
    AccountKind,
    {
        AccountKind.PERSONAL: _("personal account"),
        AccountKind.MACHINE: _("machine account"),
        AccountKind.EMAIL: _("e-mail account"),
    },
)


def kind(name: str) -> str:
    """An account's kind."""
    return KINDS.of(name)


def second(account: Account) -> str:
    """The reason and the participant of a second account; empty for all others."""
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


FUNCTIONS = complete(
    ContactFunction,
    {
        ContactFunction.AUTHORIZED_REPRESENTATIVE: _("Authorized Representative"),
        ContactFunction.PRIMARY_CONTACT: _("Primary Contact"),
        ContactFunction.RIGHTS_ADMINISTRATOR: _("Rights Administrator"),
    },
)


def function(name: str) -> str:
    """The role of a contact."""
    return FUNCTIONS.of(name)


FACTS = complete(
    Fact,
    {
        Fact.USERNAME: _("Gave the user name"),
        Fact.EMAIL: _("Gave the registered e-mail address"),
        Fact.PERSON_ID: _("Gave the Person ID"),
        Fact.ORGANIZATION: _("Named the organization"),
        Fact.CALLBACK: _("Answered a call to the registered phone number"),
    },
)


def fact(name: Fact) -> str:
    """What the agent asks the caller."""
    return FACTS.of(name)


ACTIONS = complete(
    ConsoleAction,
    {
        ConsoleAction.RESET_MAIL: _("Send a reset e-mail"),
        ConsoleAction.TEMPORARY_PASSWORD: _("Issue a temporary password"),
        ConsoleAction.UNLOCK: _("Unlock"),
        ConsoleAction.RESEND_ACTIVATION: _("Resend the activation e-mail"),
        ConsoleAction.RESET_FACTORS: _("Reset verification methods"),
        ConsoleAction.END_SESSIONS: _("End all sessions"),
        ConsoleAction.LOCK: _("Lock"),
        ConsoleAction.SUSPEND: _("Suspend"),
        ConsoleAction.RESTORE: _("Reactivate"),
        ConsoleAction.DEACTIVATE: _("Deactivate"),
    },
)


def action(name: str) -> str:
    """The button of an action."""
    return ACTIONS.of(name)


DONE = complete(
    ConsoleAction,
    {
        ConsoleAction.RESET_MAIL: _(
            "We sent a reset e-mail. The current password no longer works."
        ),
        ConsoleAction.UNLOCK: _("The account is unlocked."),
        ConsoleAction.RESEND_ACTIVATION: _(
            "We sent a new activation e-mail. The previous link no longer works."
        ),
        ConsoleAction.RESET_FACTORS: _(
            "The verification methods were removed. We sent an e-mail to choose a new password."
        ),
        ConsoleAction.END_SESSIONS: _("All sessions were ended. No browsers are remembered."),
        ConsoleAction.LOCK: _("The account is locked."),
        ConsoleAction.SUSPEND: _("The account is suspended."),
        ConsoleAction.RESTORE: _("The account was reactivated."),
        ConsoleAction.DEACTIVATE: _("The account is deactivated."),
    },
    without=(ConsoleAction.TEMPORARY_PASSWORD,),
)


def done(name: str) -> str:
    """The message after an action."""
    return DONE.of(name)


def refusal(error: ActionNotPossible | CallerNotVerified | ReasonMissing) -> str:
    """Why an action was not carried out."""
    match error:
        case CallerNotVerified():
            text = gettext("Verify the caller first.")
        case ReasonMissing():
            text = gettext("Enter a reason and a ticket reference, each on one line.")
        case ActionNotPossible():
            text = gettext(
                "The account status has changed and no longer allows this action. Reload the page."
            )
        case _:
            assert_never(error)
    return str(text)


OBSTACLES = complete(
    SignInBlockKind,
    {
        SignInBlockKind.NEVER_ACTIVATED: _(
            "Not activated, and there is no activation link. Issue a temporary password."
        ),
        SignInBlockKind.ACTIVATION_WAITING: _(
            "Not activated. The activation link sent on %(since)s expires on %(until)s."
        ),
        SignInBlockKind.ACTIVATION_EXPIRED: _(
            "Not activated. The activation link expired on %(until)s. Issue a temporary password."
        ),
        SignInBlockKind.TOO_MANY_FAILURES: _(
            "Locked since %(since)s after too many failed attempts%(where)s. Unlocks "
            "automatically on %(until)s."
        ),
        SignInBlockKind.RENEWAL_DUE: _(
            "The password expired on %(since)s. The account holder must choose a new one at "
            "the next sign-in."
        ),
        SignInBlockKind.TEMPORARY_WAITING: _(
            "A temporary password was issued and expires on %(until)s."
        ),
        SignInBlockKind.TEMPORARY_EXPIRED: _(
            "The temporary password expired on %(until)s. Issue a new one."
        ),
        SignInBlockKind.TEMPORARY_USED: _(
            "The temporary password was used on %(until)s, but no new password was chosen. "
            "Issue a new one."
        ),
        SignInBlockKind.RESET_WAITING: _(
            "Password reset required since %(since)s. The reset link expires on %(until)s."
        ),
        SignInBlockKind.RESET_EXPIRED: _(
            "Password reset required since %(since)s. The reset link expired on %(until)s."
        ),
        SignInBlockKind.RESET_REQUIRED: _("Password reset required since %(since)s."),
        SignInBlockKind.LOCKED: _("Locked since %(since)s%(why)s."),
        SignInBlockKind.SUSPENDED: _("Suspended since %(since)s%(why)s."),
        SignInBlockKind.DEACTIVATED: _("Deactivated since %(since)s%(why)s."),
    },
)


def obstacle(entry: SignInBlock) -> str:
    """One reason why an account cannot sign in, as a sentence."""
    return OBSTACLES.of(
        entry.kind,
        since=eastern(entry.since),
        until=eastern(entry.until),
        why=_reason(entry.detail),
        where=_where(entry.detail),
    )


def _reason(name: str) -> str:
    return gettext(" by an operator") if name == StateReason.OPERATOR else ""


def _where(scope: str) -> str:
    known: dict[str, str] = {
        "browser": gettext(" in a remembered browser"),
        "network": gettext(" from the account holder's usual network"),
    }
    return known.get(scope, "")

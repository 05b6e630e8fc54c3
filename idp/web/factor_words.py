"""Display texts for factors: their names, why one is required, and what went wrong."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from idp.errors import SendLimit
from idp.factors import authenticators, passkeys
from idp.mfa.assurance import FactorKind
from idp.mfa.prompt_reasons import NoPromptReason, PromptReason
from idp.models import Account, Authenticator
from idp.policy.phone_number import Fault

KINDS = complete(
    FactorKind,
    {
        FactorKind.PASSKEY: _("Passkey"),
        FactorKind.TOTP: _("Authenticator app"),
        FactorKind.SMS: _("Text message"),
        FactorKind.EMAIL: _("E-mail code"),
    },
)


def kind(name: str) -> str:
    """The name of a kind of factor."""
    return KINDS.of(name)


PASSKEY_FAULTS = complete(
    passkeys.Fault,
    {
        passkeys.Fault.LATE: _(
            "This page was open for more than five minutes. Use your passkey again."
        ),
        passkeys.Fault.CHANGED: _(
            "This passkey has changed since you set it up, so we no longer accept it. Use "
            "another method. Then remove the passkey in Settings and set it up again."
        ),
    },
    # The page has a text of its own.
    without=(passkeys.Fault.WRONG,),
)


def passkey_fault(fault: passkeys.Fault, *, otherwise: str = "") -> str:
    """What happened to a passkey and what to do, if the account holder can do something."""
    return PASSKEY_FAULTS.of(fault) if fault in PASSKEY_FAULTS else otherwise


HELP = complete(
    FactorKind,
    {
        FactorKind.PASSKEY: _(
            "Use your fingerprint, face or PIN, or a security key. This is the fastest and "
            "most secure method. You can sign in without a password."
        ),
        FactorKind.TOTP: _("An app on your phone shows a code, even without a connection."),
        FactorKind.SMS: _("We send a code to your mobile number."),
        FactorKind.EMAIL: _("We send a code to your registered e-mail address."),
    },
)


def help_of(name: str) -> str:
    """What a factor needs and does, for the page where the person chooses one."""
    return HELP.of(name)


def title(row: Authenticator, account: Account) -> str:
    """One factor as its holder knows it: name or kind, and where codes go."""
    where = authenticators.masked_destination(row, account)
    return f"{row.name or kind(row.kind)} {where}".strip()


PROMPT_REASONS = complete(
    PromptReason,
    {
        PromptReason.OPERATOR_CHANGE: _(
            "This change affects security, so you must have verified your identity in the last "
            "15 minutes. What you entered is kept."
        ),
        PromptReason.NEW_DEVICE: _("You have not used this browser before."),
        PromptReason.FORGOTTEN_DEVICE: _(
            "This browser is no longer remembered, or you signed out everywhere."
        ),
        PromptReason.STOLEN_DEVICE: _("This browser is different from the one we remember."),
        PromptReason.FIRST_SIGN_IN: _("This is your first sign-in."),
        PromptReason.YOUNG_ACCOUNT: _(
            "Your account is new. During the first days we also ask for a code until you have "
            "signed in with one in this browser and from this network."
        ),
        PromptReason.DORMANT_ACCOUNT: _("You have not signed in for a long time."),
        PromptReason.NEW_COUNTRY: _("You have not signed in from this country before."),
        PromptReason.IMPOSSIBLE_TRAVEL: _(
            "Your last sign-in was too far away to travel from in this time."
        ),
        PromptReason.AFTER_NEW_PASSWORD: _("Your password was changed."),
        PromptReason.AFTER_UNLOCK: _("Your account was unlocked."),
        PromptReason.AFTER_FACTOR_CHANGE: _("Your verification methods were changed."),
        PromptReason.AFTER_COPIED_PASSKEY: _("One of your passkeys may have been copied."),
        PromptReason.NEW_NETWORK: _("You do not usually sign in from this network."),
        PromptReason.NEW_BROWSER: _("You do not usually use this type of browser."),
        PromptReason.UNUSUAL_HOUR: _("You do not usually sign in at this time."),
        PromptReason.FAILURES_BEFORE: _(
            "There were recent failed sign-in attempts for your account."
        ),
        PromptReason.FAILURES_OF_NETWORK: _(
            "There were many failed sign-in attempts from this network."
        ),
        PromptReason.LISTED_NETWORK: _("This network has a history of abuse."),
        PromptReason.UNLIKE_YOU: _("This sign-in is different from your usual ones."),
        PromptReason.NOT_REMEMBERED: _("You did not ask us to remember this browser."),
        PromptReason.ALWAYS: _("Your access requires extra verification every time you sign in."),
        PromptReason.DUE: _("We ask for extra verification once a month in each browser."),
        PromptReason.ENROLMENT: _("You have not finished setting up extra verification."),
        PromptReason.STEP_UP: _("The application requires extra verification."),
    },
    # The holder can do nothing about it.
    without=(PromptReason.NOT_ASSESSED,),
)


def reasons(codes: Iterable[str], most: int = 10) -> list[str]:
    """Why a factor is required: each reason once, the most important first, at most so many.
    Reasons that do not help the account holder are omitted."""
    texts = list(dict.fromkeys(PROMPT_REASONS.of(code) for code in codes if code in PROMPT_REASONS))
    return texts[:most] or [gettext("Extra verification protects your account.")]


NO_PROMPT_REASONS = complete(
    NoPromptReason,
    {
        NoPromptReason.PASSKEY: _("The account holder signed in with a passkey."),
        NoPromptReason.LOW_RISK: _("The risk is low."),
        NoPromptReason.REMEMBERED_BROWSER: _("The browser was remembered."),
        NoPromptReason.RECENT_FACTOR: _(
            "Extra verification was completed in the same browser less than 30 days before."
        ),
        NoPromptReason.NO_FACTOR_SET_UP: _("The account has no verification method yet."),
    },
)


def wrong_code() -> str:
    """A code of six digits was not right."""
    return str(
        gettext("That code is incorrect or has expired. Check the code or request a new one.")
    )


_TOO_MANY = _("You have requested too many codes. Wait an hour or use another method.")
NOT_SENT = complete(
    SendLimit,
    {
        SendLimit.WAIT: _("We just sent a code. Wait a minute before you request another one."),
        SendLimit.TEXTS_COUNTRY: _(
            "We cannot send text messages to this country. Use another method."
        ),
        SendLimit.MAILS_ACCOUNT: _TOO_MANY,
        SendLimit.TEXTS_ACCOUNT: _TOO_MANY,
        SendLimit.TEXTS_NUMBER: _TOO_MANY,
        SendLimit.TEXTS_NUMBER_ACCOUNTS: _TOO_MANY,
        SendLimit.TEXTS_NETWORK: _TOO_MANY,
        SendLimit.TEXTS_ALL: _TOO_MANY,
        SendLimit.CALLS_ACCOUNT: _TOO_MANY,
    },
)


def not_sent(limit: SendLimit) -> str:
    """Why no code was sent, and what to do."""
    return NOT_SENT.of(limit)


NUMBER_FAULTS = complete(
    Fault,
    {
        Fault.NOT_A_NUMBER: _(
            "That is not a valid phone number. Include the area code, such as 416 555 0123, or "
            "start with + and the country code."
        ),
        Fault.EXTENSION: _("We cannot send text messages to an extension. Enter a mobile number."),
        Fault.NO_TEXTS: _("This number cannot receive text messages. Enter a mobile number."),
        Fault.COUNTRY: _("We cannot send text messages to this country. Use another method."),
    },
)


def number_fault(fault: Fault) -> str:
    """What is wrong with a phone number."""
    return NUMBER_FAULTS.of(fault)

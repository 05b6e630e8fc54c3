"""Factors in words: their names, why one is asked for, what went wrong."""

from __future__ import annotations

from collections.abc import Iterable

from flask_babel import gettext

from idp.factors import authenticators, passkeys
from idp.mfa.assurance import FactorKind
from idp.models import Account, Authenticator
from idp.policy.phone_number import Fault


def kind(name: str) -> str:
    """What a factor is."""
    words: dict[str, str] = {
        FactorKind.PASSKEY: gettext("Passkey"),
        FactorKind.TOTP: gettext("Authenticator app"),
        FactorKind.SMS: gettext("Text message"),
        FactorKind.EMAIL: gettext("E-mail code"),
    }
    return words[name]


def passkey_fault(fault: passkeys.Fault, *, otherwise: str = "") -> str:
    """What happened to a passkey and what to do, where its holder can do something."""
    words: dict[passkeys.Fault, str] = {
        passkeys.Fault.LATE: gettext(
            "This page was open for more than five minutes. Use your passkey again."
        ),
        passkeys.Fault.CHANGED: gettext(
            "This passkey has changed since you set it up, so we no longer accept it. Use "
            "another method. Then remove the passkey in Settings and set it up again."
        ),
    }
    return words.get(fault, otherwise)


def help_of(name: str) -> str:
    """What it needs and does, for whoever chooses one."""
    words: dict[str, str] = {
        FactorKind.PASSKEY: gettext(
            "Use your fingerprint, face or PIN, or a security key. This is the fastest and "
            "most secure method. You can sign in without a password."
        ),
        FactorKind.TOTP: gettext("An app on your phone shows a code, even without a connection."),
        FactorKind.SMS: gettext("We send a code to your mobile number."),
        FactorKind.EMAIL: gettext("We send a code to your registered e-mail address."),
    }
    return words[name]


def title(row: Authenticator, account: Account) -> str:
    """One factor as its holder knows it: name or kind, and where codes go."""
    where = authenticators.masked_destination(row, account)
    return f"{row.name or kind(row.kind)} {where}".strip()


def reasons(codes: Iterable[str], most: int = 10) -> list[str]:
    """Why a factor is asked for, each reason once, the weightiest first, at most so many; what
    does not help the holder is left out."""
    words: dict[str, str] = {
        "operator_change": gettext(
            "This change affects security, so you must have verified your identity in the last "
            "15 minutes. What you entered is kept."
        ),
        "new_device": gettext("You have not used this browser before."),
        "forgotten_device": gettext(
            "This browser is no longer remembered, or you signed out everywhere."
        ),
        "stolen_device": gettext("This browser is different from the one we remember."),
        "first_sign_in": gettext("This is your first sign-in."),
        "young_account": gettext(
            "Your account is new. We always ask for a code during the first days."
        ),
        "dormant_account": gettext("You have not signed in for a long time."),
        "new_country": gettext("You have not signed in from this country before."),
        "impossible_travel": gettext(
            "Your last sign-in was too far away to travel from in this time."
        ),
        "after_new_password": gettext("Your password was changed."),
        "after_unlock": gettext("Your account was unlocked."),
        "after_factor_change": gettext("Your verification methods were changed."),
        "after_copied_passkey": gettext("One of your passkeys may have been copied."),
        "new_network": gettext("You do not usually sign in from this network."),
        "new_browser": gettext("You do not usually use this type of browser."),
        "unusual_hour": gettext("You do not usually sign in at this time."),
        "failures_before": gettext("There were recent failed sign-in attempts for your account."),
        "failures_of_network": gettext(
            "There were many failed sign-in attempts from this network."
        ),
        "listed_network": gettext("This network has a history of abuse."),
        "unlike_you": gettext("This sign-in is different from your usual ones."),
        "not_remembered": gettext("You did not ask us to remember this browser."),
        "always": gettext("Your access requires extra verification every time you sign in."),
        "due": gettext("We ask for extra verification once a month in each browser."),
        "enrolment": gettext("You have not finished setting up extra verification."),
        "step_up": gettext("The application requires extra verification."),
    }
    told = list(dict.fromkeys(words[code] for code in codes if code in words))
    return told[:most] or [gettext("Extra verification protects your account.")]


def wrong_code() -> str:
    """A code of six digits was not right."""
    return str(
        gettext("That code is incorrect or has expired. Check the code or request a new one.")
    )


def refusal(detail: str) -> str:
    """Why no code was sent, and what to do."""
    words: dict[str, str] = {
        "wait": gettext("We just sent a code. Wait a minute before you request another one."),
        "texts_country": gettext(
            "We cannot send text messages to this country. Use another method."
        ),
    }
    many: str = gettext("You have requested too many codes. Wait an hour or use another method.")
    return words.get(detail, many)


def number_fault(fault: Fault) -> str:
    """What is wrong with a telephone number."""
    words: dict[str, str] = {
        Fault.NOT_A_NUMBER: gettext(
            "That is not a valid phone number. Include the area code, such as 416 555 0123, or "
            "start with + and the country code."
        ),
        Fault.EXTENSION: gettext(
            "We cannot send text messages to an extension. Enter a mobile number."
        ),
        Fault.NO_TEXTS: gettext("This number cannot receive text messages. Enter a mobile number."),
        Fault.COUNTRY: gettext("We cannot send text messages to this country. Use another method."),
    }
    return words[fault]

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
            "This page was open for more than five minutes, so the passkey was not looked at. "
            "Use it again now."
        ),
        passkeys.Fault.CHANGED: gettext(
            "This passkey has changed since it was set up: whether it can be copied to other "
            "devices is not as it was. It does not count any more. Use another way, then remove "
            "it in Settings and set it up again."
        ),
    }
    return words.get(fault, otherwise)


def help_of(name: str) -> str:
    """What it needs and does, for whoever chooses one."""
    words: dict[str, str] = {
        FactorKind.PASSKEY: gettext(
            "Your fingerprint, face or PIN on this device or a security key. The safest and the "
            "quickest: it replaces the password too."
        ),
        FactorKind.TOTP: gettext("An app on your telephone shows a code; it needs no reception."),
        FactorKind.SMS: gettext("A code comes to your mobile number."),
        FactorKind.EMAIL: gettext("A code comes to your registered e-mail address."),
    }
    return words[name]


def title(row: Authenticator, account: Account) -> str:
    """One factor as its holder knows it: name or kind, and where codes go."""
    where = authenticators.shown_destination(row, account)
    return f"{row.name or kind(row.kind)} {where}".strip()


def reasons(codes: Iterable[str], most: int = 10) -> list[str]:
    """Why a factor is asked for, each reason once, the weightiest first, at most so many; what
    does not help the holder is left out."""
    words: dict[str, str] = {
        "operator_change": gettext(
            "This change reaches far: it needs a second step within the last 15 minutes. What you "
            "entered is kept."
        ),
        "new_device": gettext("This is a browser that we have not seen you use."),
        "forgotten_device": gettext("This browser was forgotten, or signed out everywhere."),
        "stolen_device": gettext("This browser does not look like the one we know."),
        "first_sign_in": gettext("This is your first sign-in."),
        "young_account": gettext("Your account is new: in its first days a code is always asked."),
        "dormant_account": gettext("You have not signed in for a long time."),
        "new_country": gettext("You have not signed in from this country before."),
        "impossible_travel": gettext("Your last sign-in was too far away for the time between."),
        "after_new_password": gettext("Your password was changed."),
        "after_unlock": gettext("Your account was unlocked."),
        "after_factor_change": gettext("Your extra verification was changed."),
        "after_copied_passkey": gettext("A passkey of yours may have been copied."),
        "new_network": gettext("You do not usually sign in from this network."),
        "new_browser": gettext("You do not usually use this kind of browser."),
        "unusual_hour": gettext("You do not usually sign in at this hour."),
        "failures_before": gettext("There were wrong passwords for your account just now."),
        "failures_of_network": gettext("There were many wrong passwords from this network."),
        "listed_network": gettext("This network is known for misuse."),
        "unlike_you": gettext("This sign-in differs from your usual ones."),
        "not_remembered": gettext("You did not ask us to remember this browser."),
        "always": gettext("For what you may do, a second step is needed at every sign-in."),
        "due": gettext("In each browser the second step is needed once a month."),
        "enrolment": gettext("Your extra verification is not complete yet."),
        "step_up": gettext("The application needs more certainty that it is you."),
    }
    told = list(dict.fromkeys(words[code] for code in codes if code in words))
    return told[:most] or [gettext("A second step shows that it is really you.")]


def wrong_code() -> str:
    """A code of six digits was not right."""
    return str(
        gettext("This code does not fit, or its time is over. Check it, or ask for a new one.")
    )


def refusal(detail: str) -> str:
    """Why no code was sent, and what to do."""
    words: dict[str, str] = {
        "wait": gettext(
            "A code was sent just now. It can take a minute; then you can ask for another one."
        ),
        "texts_country": gettext("Text messages cannot be sent to this country. Use another way."),
    }
    many: str = gettext("Too many codes were sent. Wait an hour, or use another way.")
    return words.get(detail, many)


def number_fault(fault: Fault) -> str:
    """What is wrong with a telephone number."""
    words: dict[str, str] = {
        Fault.NOT_A_NUMBER: gettext(
            "This is no telephone number. Enter it with its area code, such as 416 555 0123, or "
            "with + and the country in front."
        ),
        Fault.EXTENSION: gettext(
            "A text message cannot reach an extension. Enter a mobile number."
        ),
        Fault.NO_TEXTS: gettext("This number cannot receive text messages. Enter a mobile number."),
        Fault.COUNTRY: gettext("Text messages cannot be sent to this country. Use another way."),
    }
    return words[fault]

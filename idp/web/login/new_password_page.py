"""The page on which a password is chosen, shared by activation, recovery and settings."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, render_template, request
from flask_babel import gettext

from idp import current
from idp.credentials import passwords
from idp.models import Account, AccountKind
from idp.policy.password import Rule, rules

#: Hours for which programs of a machine account may go on using the old password.
OVERLAPS = (0, 1, 24, 168)


@dataclass(frozen=True)
class RuleText:
    """A rule and its words; ``rule`` and ``value`` are the same stable id."""

    value: str
    text: str

    @property
    def rule(self) -> str:
        return self.value


def chosen(account: Account) -> tuple[str, tuple[str, ...]]:
    """The new password, and its faults if the two entries differ: all of them, so that a person can
    correct everything at once."""
    password = request.form.get("password", "")
    if password == request.form.get("again", ""):
        return password, ()
    return password, (
        *passwords.quick_violations(current.work(), account, password),
        "mismatch",
    )


def page(
    account: Account,
    *,
    purpose: str,
    action: str,
    flow: str = "",
    errors: tuple[str, ...] = (),
    question: str = "",
) -> Response:
    """The form with every rule, the broken ones named; with the security question where it is
    asked too."""
    owner = passwords.owner(account)
    policy = passwords.policy(current.work())
    body = render_template(
        "set_password.html",
        purpose=purpose,
        username=account.username,
        names=" ".join(name for name in owner.names if name),
        email=owner.email,
        rules=[RuleText(rule, text_of(rule)) for rule in rules(policy)],
        min_length=policy.min_length,
        max_length=policy.max_length,
        errors=[RuleText(rule, _fault(rule, purpose)) for rule in errors],
        action=action,
        flow=flow,
        question=question,
        overlaps=_overlaps() if account.kind == AccountKind.MACHINE and purpose == "change" else (),
        overlap=request.form.get("overlap", ""),
        ask_current=purpose in ("change", "temporary", "renewal"),
    )
    return Response(body, status=400 if errors else 200)


def _overlaps() -> list[tuple[str, str]]:
    words = (
        gettext("No, end it now"),
        gettext("For an hour"),
        gettext("For a day"),
        gettext("For a week"),
    )
    return [(str(hours), text) for hours, text in zip(OVERLAPS, words, strict=True)]


def _fault(rule: str, purpose: str) -> str:
    if rule == "current" and purpose == "temporary":
        return str(gettext("The temporary password is incorrect or has expired."))
    return text_of(rule)


def text_of(rule: str) -> str:
    """A rule in words."""
    policy = passwords.policy(current.work())
    words: dict[str, str] = {
        Rule.TOO_SHORT: gettext("At least %(n)s characters", n=policy.min_length),
        Rule.TOO_LONG: gettext("At most %(n)s characters", n=policy.max_length),
        Rule.NO_UPPER: gettext("An uppercase letter"),
        Rule.NO_LOWER: gettext("A lowercase letter"),
        Rule.NO_DIGIT: gettext("A digit"),
        Rule.NO_SPECIAL: gettext("A special character, such as ! # $ % * - ?"),
        Rule.FORBIDDEN_CHARACTER: gettext("None of these: & \\ < > ' \" and curly quotes"),
        Rule.WHITE_SPACE: gettext("No spaces or invisible characters"),
        Rule.CONTROL_CHARACTER: gettext("Only printable characters"),
        Rule.CONTAINS_USER_NAME: gettext("No part of your user name or e-mail address"),
        Rule.CONTAINS_NAME: gettext("None of your names"),
        Rule.COMMON: gettext("Not a common or leaked password, or a variation of one"),
        Rule.REUSED: gettext("Not one of your last %(n)s passwords", n=policy.history),
        "mismatch": gettext("Both passwords match"),
        "current": gettext("The current password is incorrect."),
        "answer": gettext(
            "The answer to your security question is incorrect. After several incorrect "
            "answers, no answer is accepted for an hour. If you need help, call Customer "
            "Relations."
        ),
    }
    return words[rule]

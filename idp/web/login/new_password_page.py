"""The page on which a password is chosen, shared by activation, recovery and settings."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response, render_template, request
from flask_babel import get_locale, gettext
from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from idp import current
from idp.credentials import passwords
from idp.credentials.credential_refusals import EntryFault
from idp.directory import conditions_of_use
from idp.models import Account, AccountKind
from idp.policy.password import Policy, Rule, rules
from idp.web import conditions_text

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
    shown = request.form.get("conditions", "")
    if is_first(account) and shown != conditions_text.conditions_version():
        return password, (EntryFault.CONDITIONS,)
    if password == request.form.get("again", ""):
        return password, ()
    return password, (
        *passwords.quick_violations(current.work(), account, password),
        EntryFault.MISMATCH,
    )


def is_first(account: Account) -> bool:
    """Whether this password activates the account: with it, the conditions of use are accepted."""
    return account.activated_at is None


def accept_conditions(account: Account) -> None:
    """Store that the holder accepted the conditions that the page showed."""
    conditions_of_use.accept(
        current.work(),
        account,
        conditions_text.conditions_version(),
        language=str(get_locale() or "en"),
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
        brief=_brief(policy),
        rules=[RuleText(rule, text_of(rule)) for rule in rules(policy)],
        min_length=policy.min_length,
        max_length=policy.max_length,
        errors=[RuleText(rule, _fault(rule, purpose)) for rule in errors],
        action=action,
        flow=flow,
        question=question,
        overlaps=_overlaps() if account.kind == AccountKind.MACHINE and purpose == "change" else (),
        overlap=request.form.get("overlap", ""),
        conditions_version=conditions_text.conditions_version() if is_first(account) else "",
        ask_current=purpose in ("change", "temporary", "renewal"),
    )
    return Response(body, status=400 if errors else 200)


def _brief(policy: Policy) -> str:
    """What a password is made of, in one sentence."""
    text = (
        gettext(
            "Use at least %(count)s characters, with an uppercase letter, a lowercase letter, a"
            " digit and a special character.",
            count=policy.min_length,
        )
        if policy.require_special
        else gettext(
            "Use at least %(count)s characters, with an uppercase letter, a lowercase letter and a"
            " digit.",
            count=policy.min_length,
        )
    )
    return str(text)


def _overlaps() -> list[tuple[str, str]]:
    words = (
        gettext("No, end it now"),
        gettext("For an hour"),
        gettext("For a day"),
        gettext("For a week"),
    )
    return [(str(hours), text) for hours, text in zip(OVERLAPS, words, strict=True)]


def _fault(rule: str, purpose: str) -> str:
    if rule == EntryFault.CURRENT and purpose == "temporary":
        return str(gettext("The temporary password is incorrect or has expired."))
    return text_of(rule)


RULES = complete(
    Rule,
    {
        Rule.TOO_SHORT: _("At least %(n)s characters"),
        Rule.TOO_LONG: _("At most %(n)s characters"),
        Rule.NO_UPPER: _("An uppercase letter"),
        Rule.NO_LOWER: _("A lowercase letter"),
        Rule.NO_DIGIT: _("A digit"),
        Rule.NO_SPECIAL: _("A special character, such as ! # $ % * - ?"),
        Rule.FORBIDDEN_CHARACTER: _("None of these: & \\ < > ' \" and curly quotes"),
        Rule.WHITE_SPACE: _("No spaces or invisible characters"),
        Rule.CONTROL_CHARACTER: _("Only printable characters"),
        Rule.CONTAINS_USER_NAME: _("No part of your user name or e-mail address"),
        Rule.CONTAINS_NAME: _("None of your names"),
        Rule.COMMON: _("Not a common or leaked password, or a variation of one"),
        Rule.REUSED: _("Not one of your last %(n)s passwords"),
    },
)
FAULTS = complete(
    EntryFault,
    {
        EntryFault.MISMATCH: _("Both passwords match"),
        EntryFault.CONDITIONS: _("The conditions of use have changed. Read them again."),
        EntryFault.CURRENT: _("The current password is incorrect."),
        EntryFault.ANSWER: _(
            "The answer to your security question is incorrect. After several incorrect "
            "answers, no answer is accepted for an hour. If you need help, call Customer "
            "Relations."
        ),
    },
)


def text_of(rule: str) -> str:
    """A rule in words."""
    if rule in FAULTS:
        return FAULTS.of(rule)
    policy = passwords.policy(current.work())
    number = {
        Rule.TOO_SHORT: policy.min_length,
        Rule.TOO_LONG: policy.max_length,
        Rule.REUSED: policy.history,
    }
    return RULES.of(rule, n=number[Rule(rule)]) if rule in number else RULES.of(rule)

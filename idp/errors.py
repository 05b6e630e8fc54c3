"""The refusals of the gateway that belong to no package of their own, and those that every service
has (``service_base.refusals``).

The sentence of a refusal is built from the template of its class: in English for programs, commands
and the log, and in the language of the page for people (``idp.web.refusal_texts``).
"""

from __future__ import annotations

from enum import StrEnum

from service_base.refusals import (
    Collision,
    ConfigurationError,
    Conflict,
    DatabaseNotReady,
    Invalid,
    NotFound,
    Overloaded,
    Refusal,
    Refused,
    ServiceError,
    Unstorable,
    fields_of,
)

__all__ = [
    "ActionNotPossible", "CallerNotVerified", "CodeNotSent", "Collision", "ConfigurationError",
    "Conflict", "DatabaseNotReady", "Invalid", "NoRecoveryPhone", "NotFound", "Overloaded",
    "ReasonMissing", "Refusal", "Refused", "SendLimit", "ServiceError", "Unstorable", "fields_of",
]  # fmt: skip


class SendLimit(StrEnum):
    """Which limit kept a code from being sent."""

    #: Less than half a minute after the last one.
    WAIT = "wait"
    MAILS_ACCOUNT = "mails_account"
    TEXTS_ACCOUNT = "texts_account"
    TEXTS_NUMBER = "texts_number"
    TEXTS_NUMBER_ACCOUNTS = "texts_number_accounts"
    TEXTS_NETWORK = "texts_network"
    TEXTS_COUNTRY = "texts_country"
    TEXTS_ALL = "texts_all"
    #: Codes for callers, by either way.
    CALLS_ACCOUNT = "calls_account"


class CodeNotSent(Refused):
    """A one-time code was not sent: ``limit`` says which limit is reached."""

    code = "code_not_sent"
    template = "the limit {limit} is reached"
    limit: SendLimit


class NoRecoveryPhone(Refused):
    """A text message was asked for, and the account has no recovery telephone."""

    code = "no_recovery_phone"
    template = "the account has no recovery phone"


class ActionNotPossible(Refused):
    """The state of the account does not allow what an operator ordered."""

    code = "action_not_possible"
    template = "{username} is {state}; this action is not available"
    action: str
    username: str
    state: str


class CallerNotVerified(Refused):
    """An operator acts for a caller who was not verified."""

    code = "caller_not_verified"
    template = "verify the caller in the console first"


class ReasonMissing(Refused):
    """An operator's action needs a reason and a ticket reference, one line each."""

    code = "reason_missing"
    template = "enter the reason and the ticket reference on one line each"

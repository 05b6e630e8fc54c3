"""Refusals have names. Public text is separate from the detail that goes to the log."""

from __future__ import annotations

from enum import StrEnum


class GatewayError(Exception):
    """Base of every refusal the services raise; ``detail`` is for the log only."""

    code = "refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.code)
        self.detail = detail


class ConfigurationError(GatewayError):
    """The settings are unsafe or incomplete; the process must not start."""

    code = "configuration"


class DatabaseNotReady(GatewayError):
    """The database lacks tables that this release needs; ``detail`` says what to run."""

    code = "database"


class NotFound(GatewayError):
    """The named thing does not exist."""

    code = "not_found"


class Conflict(GatewayError):
    """The thing exists already, or the change collides with another."""

    code = "conflict"


class Collision(GatewayError):
    """The database found that another change came first: a unique or foreign key does not hold. The
    transaction is lost; nothing of it was kept."""

    code = "collision"


class Unstorable(GatewayError):
    """The database refused a value: out of range, or against a check. Nothing was kept."""

    code = "unstorable"


class Invalid(GatewayError):
    """A value from outside is invalid; ``detail`` says which and why."""

    code = "invalid"


class Refused(GatewayError):
    """The rules forbid the change."""

    code = "refused"


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

    def __init__(self, limit: SendLimit) -> None:
        super().__init__(str(limit))
        self.limit = limit


class NoRecoveryPhone(Refused):
    """A text message was asked for, and the account has no recovery telephone."""

    code = "no_recovery_phone"


class ActionNotPossible(Refused):
    """The state of the account does not allow what an operator ordered."""

    code = "action_not_possible"

    def __init__(self, action: str, state: str) -> None:
        super().__init__(f"{action}: the account is {state}")
        self.action, self.state = action, state


class CallerNotVerified(Refused):
    """An operator acts for a caller who was not verified."""

    code = "caller_not_verified"


class ReasonMissing(Refused):
    """An operator's action needs a reason and a ticket reference, one line each."""

    code = "reason_missing"


class Overloaded(GatewayError):
    """There is more to do than can be done in time; nothing was done, try again later."""

    code = "overloaded"

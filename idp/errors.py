"""Refusals have names. Public text is separate from the detail that goes to the log."""

from __future__ import annotations


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
    """A value from outside does not fit; ``detail`` says which and why."""

    code = "invalid"


class Refused(GatewayError):
    """The rules forbid the change."""

    code = "refused"


class Overloaded(GatewayError):
    """There is more to do than can be done in time; nothing was done, try again later."""

    code = "overloaded"

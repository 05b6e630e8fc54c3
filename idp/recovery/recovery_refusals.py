"""Why a request for help with signing in is not answered by a link or a code."""

from __future__ import annotations

from enum import StrEnum

from idp.models import AccountState


class RecoveryRefusal(StrEnum):
    """Why no link or code was sent. The page that took the request says the same in every case."""

    UNKNOWN_ACCOUNT = "unknown_account"
    TOO_MANY_REQUESTS = "too_many_requests"
    #: A fault in the gateway; the log has it.
    FAILED = "failed"
    ACCOUNT_PENDING = "account_pending"
    ACCOUNT_ACTIVE = "account_active"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_RESET_REQUIRED = "account_reset_required"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_DEACTIVATED = "account_deactivated"


#: By the state of the account; a state without a refusal is found at import.
OF_STATE = {state: RecoveryRefusal(f"account_{state}") for state in AccountState}

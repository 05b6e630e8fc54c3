"""Why programs are refused."""

from __future__ import annotations

from enum import StrEnum

from idp.models import AccountState


class MachineRefusal(StrEnum):
    """Why a program was refused: the first check that failed."""

    NO_CREDENTIALS = "no_credentials"
    UNKNOWN_ACCOUNT = "unknown_account"
    NETWORK_NOT_REGISTERED = "network_not_registered"
    WRONG_PASSWORD = "wrong_password"
    NO_PASSWORD = "no_password"
    WRONG_KEY = "wrong_key"
    #: The password was right, but too many wrong ones came before.
    THROTTLED = "throttled"
    ACCOUNT_PENDING = "account_pending"
    ACCOUNT_ACTIVE = "account_active"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_RESET_REQUIRED = "account_reset_required"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    UNKNOWN_APPLICATION = "unknown_application"
    NO_ROLE_GROUP = "no_role_group"


#: By the state of the account; a state without a refusal is found at import.
OF_STATE = {state: MachineRefusal(f"account_{state}") for state in AccountState}
#: Other credentials would not help; only a caller with valid credentials gets one of these.
ABOUT_APPLICATION = (MachineRefusal.UNKNOWN_APPLICATION, MachineRefusal.NO_ROLE_GROUP)

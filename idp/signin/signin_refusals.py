"""Why sign-ins are refused."""

from __future__ import annotations

from enum import StrEnum

from idp.factors.passkeys import Fault
from idp.models import AccountState


class SignInRefusal(StrEnum):
    """Why a sign-in was refused. Its person sees none of it."""

    UNKNOWN_ACCOUNT = "unknown_account"
    WRONG_PASSWORD = "wrong_password"
    NO_PASSWORD = "no_password"
    #: The password was right, but too many wrong ones came before.
    THROTTLED = "throttled"
    TEMPORARY_PASSWORD_USED = "temporary_password_used"
    WRONG_PASSKEY = "wrong_passkey"
    LATE_PASSKEY = "late_passkey"
    CHANGED_PASSKEY = "changed_passkey"
    NETWORK_DENIED = "network_denied"
    #: The password or passkey was right, but the account was in this state.
    ACCOUNT_PENDING = "account_pending"
    ACCOUNT_ACTIVE = "account_active"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    #: Whatever was sent.
    ACCOUNT_RESET_REQUIRED = "account_reset_required"


#: By the state of the account, and by what is wrong with a passkey; a gap is found at import.
OF_STATE = {state: SignInRefusal(f"account_{state}") for state in AccountState}
OF_PASSKEY = {fault: SignInRefusal(f"{fault}_passkey") for fault in Fault}

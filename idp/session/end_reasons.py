"""Why sessions and grants ended."""

from __future__ import annotations

from enum import StrEnum

from idp.models import AccountState


class EndReason(StrEnum):
    """Why a session or a grant ended, as both tables store it."""

    SIGNED_OUT = "signed_out"
    #: Unused for too long, or at its end in any case.
    EXPIRED = "expired"
    #: Another person signed in with the same browser, or more accounts than it may have.
    REPLACED = "replaced"
    #: Its cookie came from a browser that does not have the key it is bound to.
    COOKIE_COPIED = "cookie_copied"
    ENDED_BY_HOLDER = "ended_by_holder"
    ENDED_BY_OPERATOR = "ended_by_operator"
    PASSWORD_CHANGED = "password_changed"
    ACCESS_REVOKED = "access_revoked"
    CONSENT_REVOKED = "consent_revoked"
    CLIENT_DISABLED = "client_disabled"
    NETWORKS_CHANGED = "networks_changed"
    MACHINE_KEY_REMOVED = "machine_key.removed"
    #: The database was restored from a backup.
    RESTORED = "restored"
    #: Revoked by its client (RFC 7009).
    REVOKED_BY_CLIENT = "revoked_by_client"
    #: Somebody presented what had been used already, or what another client was given.
    CODE_REUSED = "code_reused"
    CODE_OF_OTHER_CLIENT = "code_of_other_client"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"
    REFRESH_TOKEN_OF_OTHER_CLIENT = "refresh_token_of_other_client"
    #: The account came into a state in which it has no sessions.
    ACCOUNT_PENDING = "account_pending"
    ACCOUNT_ACTIVE = "account_active"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_RESET_REQUIRED = "account_reset_required"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_DEACTIVATED = "account_deactivated"


#: By the state that ended them; a state without a reason is found at import.
OF_STATE = {state: EndReason(f"account_{state}") for state in AccountState}

"""Why accounts are in their states."""

from __future__ import annotations

from enum import StrEnum


class StateReason(StrEnum):
    """Why an account is in its state, as the column ``state_reason`` holds it."""

    ACTIVATED = "activated"
    OPERATOR = "operator"
    #: An operator ended the suspension, or the database was restored from a backup.
    RESTORED = "restored"
    UNLOCKED = "unlocked"
    RESET_MAIL = "reset_mail"
    FACTORS_RESET = "factors_reset"
    TEMPORARY_PASSWORD = "temporary_password"
    CUSTODIAN_CHANGED = "custodian_changed"
    #: The holder said "this was not me".
    DISOWNED = "disowned"
    PASSWORD_REPLACED = "password_replaced"
    END_DATE = "end_date"
    #: Registration pushed it (SCIM).
    REGISTRATION = "registration"
    DEMO = "demo"

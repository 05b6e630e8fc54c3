"""The recorded changes that receivers of security events are told of (CAEP 1.0)."""

from __future__ import annotations

from collections.abc import Mapping

from idp.audit.actions import AuditAction

#: Changes of credentials: ``credential_type`` (None: the factor that the event names),
#: ``change_type``, and the reason for administrators.
CREDENTIALS: Mapping[AuditAction, tuple[str | None, str, str]] = {
    AuditAction.PASSWORD_SET: ("password", "update", "The password was set."),
    AuditAction.TEMPORARY_PASSWORD_ISSUED: (
        "password", "create", "A temporary password was issued.",
    ),
    AuditAction.FACTOR_ADDED: (None, "create", "A verification method was added."),
    AuditAction.FACTOR_REMOVED: (None, "delete", "A verification method was removed."),
    AuditAction.FACTORS_RESET: (
        "all-factors", "revoke", "All verification methods were removed.",
    ),
    AuditAction.RECOVERY_CODES_MADE: ("recovery-codes", "create", "Recovery codes were created."),
    AuditAction.QUESTION_SET: ("security-question", "update", "The security question was set."),
    AuditAction.PHONE_CHANGED: ("phone-sms", "update", "The recovery phone was changed."),
    AuditAction.MACHINE_KEY_ADDED: ("public-key", "create", "A key of a program was added."),
    AuditAction.MACHINE_KEY_REMOVED: ("public-key", "delete", "A key of a program was removed."),
}  # fmt: skip
#: ``credential_type`` of each kind of factor.
FACTORS = {"totp": "app", "sms": "phone-sms", "email": "email", "passkey": "passkey"}
#: Changes of what tokens contain.
CLAIMS: Mapping[AuditAction, str] = {
    AuditAction.ROLE_GROUP_ASSIGNED: "A role group was granted.",
    AuditAction.ROLE_GROUP_REVOKED: "A role group was revoked.",
    AuditAction.ROLE_GROUP_TERMS: "The validity of a role group changed.",
    AuditAction.PERSON_UPDATED: "The details of the person changed.",
    AuditAction.PROFILE_PREFERENCES: "The preferences of the account changed.",
}
ALL = CREDENTIALS.keys() | CLAIMS.keys()

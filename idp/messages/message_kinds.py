"""The kinds of message. A kind names its templates and is stored with the message, so its value is
never changed."""

from __future__ import annotations

from enum import StrEnum


class MailKind(StrEnum):
    """What a mail is about."""

    ACCESS_CHANGED = "access_changed"
    ACCOUNT_CREATED = "account_created"
    ACCOUNT_DEACTIVATED = "account_deactivated"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_RESTORED = "account_restored"
    ACCOUNT_RESTORED_RESET = "account_restored_reset"
    ACCOUNT_SUSPENDED = "account_suspended"
    ACCOUNT_UNLOCKED = "account_unlocked"
    ACTIVATION_FINISHED = "activation_finished"
    ACTIVATION_REMINDER = "activation_reminder"
    ADDRESS_CHANGED = "address_changed"
    BROWSER_SUSPECT = "browser_suspect"
    CALLER_CODE = "caller_code"
    CONTACT_ADDED = "contact_added"
    CONTACT_ENDED = "contact_ended"
    CONTACT_VACANT = "contact_vacant"
    CUSTODIAN_CHANGED = "custodian_changed"
    CUSTODIAN_LEFT = "custodian_left"
    ENROL_CODE = "enrol_code"
    FACTOR_ADDED = "factor_added"
    FACTOR_CHANGED = "factor_changed"
    FACTOR_CODE = "factor_code"
    FACTOR_FAILED = "factor_failed"
    FACTOR_REMOVED = "factor_removed"
    FACTORS_RESET = "factors_reset"
    HOLDER_ACCESS_CHANGED = "holder_access_changed"
    HOLDER_ACCOUNT_ENDED = "holder_account_ended"
    HOLDER_NOT_ACTIVATED = "holder_not_activated"
    MACHINE_DORMANT = "machine_dormant"
    MACHINE_KEY_ADDED = "machine_key_added"
    MACHINE_KEY_ENDS = "machine_key_ends"
    NETWORKS_CHANGED = "networks_changed"
    NOT_ACTIVATED = "not_activated"
    PASSKEY_COPIED = "passkey_copied"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a name
    PASSWORD_RESET_BY_AGENT = "password_reset_by_agent"  # noqa: S105 - a name
    PASSWORD_RESET_LINK = "password_reset_link"  # noqa: S105 - a name
    PROFILE_CHANGED = "profile_changed"
    QUESTION_CHANGED = "question_changed"
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_MADE = "recovery_codes_made"
    RECOVERY_NOT_POSSIBLE = "recovery_not_possible"
    RECOVERY_PHONE_CHANGED = "recovery_phone_changed"
    RENEWAL_REMINDER = "renewal_reminder"
    SESSION_COPIED = "session_copied"
    SESSION_ENDED = "session_ended"
    SESSIONS_ENDED = "sessions_ended"
    SETUP_CODE = "setup_code"
    SIGNIN_FROM_NEW_BROWSER = "signin_from_new_browser"
    SIGNIN_LOCKED = "signin_locked"
    TEMPORARY_PASSWORD_ISSUED = "temporary_password_issued"  # noqa: S105 - a name
    UNLOCK_LINK = "unlock_link"


class TextMessageKind(StrEnum):
    """What a text message is about: one short text without a subject, with a code."""

    CALLER_CODE = "sms_caller_code"
    FACTOR_CODE = "sms_factor_code"
    PHONE_CODE = "sms_phone_code"
    RESET_CODE = "sms_reset_code"
    SETUP_CODE = "sms_setup_code"
    UNLOCK_CODE = "sms_unlock_code"


class NotificationKind(StrEnum):
    """What is sent to an application; it has no template."""

    BACK_CHANNEL_LOGOUT = "logout"
    CREDENTIAL_CHANGE = "credential_change"
    SESSION_REVOKED = "session_revoked"
    STREAM_VERIFICATION = "stream_verification"
    TOKEN_CLAIMS_CHANGE = "token_claims_change"  # noqa: S105 - a name


MessageKind = MailKind | TextMessageKind | NotificationKind
KINDS: tuple[MessageKind, ...] = (*MailKind, *TextMessageKind, *NotificationKind)
#: Sent first: the user waits for a code at a page, and for a link at the mailbox.
CODES: tuple[MessageKind, ...] = (
    *TextMessageKind,
    MailKind.CALLER_CODE,
    MailKind.ENROL_CODE,
    MailKind.FACTOR_CODE,
    MailKind.SETUP_CODE,
)
LINKS: tuple[MessageKind, ...] = (MailKind.PASSWORD_RESET_LINK, MailKind.UNLOCK_LINK)

"""Display texts for the kinds of message."""

from __future__ import annotations

from flask_babel import lazy_gettext as _

from hosted_pages.texts import complete
from idp.messages.message_kinds import KINDS, MailKind, NotificationKind, TextMessageKind

TEXTS = complete(
    KINDS,
    {
        MailKind.ACCESS_CHANGED: _("Access changed"),
        MailKind.ACCOUNT_CREATED: _("Activation link"),
        MailKind.ACCOUNT_DEACTIVATED: _("Account deactivated"),
        MailKind.ACCOUNT_LOCKED: _("Account locked"),
        MailKind.ACCOUNT_RESTORED: _("Account reactivated"),
        MailKind.ACCOUNT_RESTORED_RESET: _("Account reactivated, with a reset link"),
        MailKind.ACCOUNT_SUSPENDED: _("Account suspended"),
        MailKind.ACCOUNT_UNLOCKED: _("Account unlocked"),
        MailKind.ACTIVATION_FINISHED: _("Account activated"),
        MailKind.ACTIVATION_REMINDER: _("Activation reminder"),
        MailKind.ADDRESS_CHANGED: _("E-mail address changed"),
        MailKind.BROWSER_SUSPECT: _("Unusual sign-in"),
        MailKind.CALLER_CODE: _("Code to verify a caller"),
        MailKind.CONTACT_ADDED: _("Contact appointed"),
        MailKind.CONTACT_ENDED: _("Contact removed"),
        MailKind.CONTACT_VACANT: _("Contact missing"),
        MailKind.CUSTODIAN_CHANGED: _("New custodian"),
        MailKind.CUSTODIAN_LEFT: _("No longer custodian"),
        MailKind.ENROL_CODE: _("Code before setup"),
        MailKind.FACTOR_ADDED: _("Verification method added"),
        MailKind.FACTOR_CHANGED: _("Verification methods changed"),
        MailKind.FACTOR_CODE: _("Verification code"),
        MailKind.FACTOR_FAILED: _("Incorrect verification code"),
        MailKind.FACTOR_REMOVED: _("Verification method removed"),
        MailKind.FACTORS_RESET: _("Verification methods reset"),
        MailKind.HOLDER_ACCESS_CHANGED: _("To contacts: access changed"),
        MailKind.HOLDER_ACCOUNT_ENDED: _("To contacts: account suspended or deactivated"),
        MailKind.HOLDER_NOT_ACTIVATED: _("To contacts: account not activated"),
        MailKind.MACHINE_DORMANT: _("Machine account not used"),
        MailKind.MACHINE_KEY_ADDED: _("Machine account key added"),
        MailKind.MACHINE_KEY_ENDS: _("Machine account key expires soon"),
        MailKind.NETWORKS_CHANGED: _("Registered networks changed"),
        MailKind.NOT_ACTIVATED: _("Recovery requested before activation"),
        MailKind.PASSKEY_COPIED: _("Passkey may have been copied"),
        MailKind.PASSWORD_CHANGED: _("Password changed"),
        MailKind.PASSWORD_RESET_BY_AGENT: _("Reset link sent by an operator"),
        MailKind.PASSWORD_RESET_LINK: _("Reset link"),
        MailKind.PROFILE_CHANGED: _("Profile changed"),
        MailKind.QUESTION_CHANGED: _("Security question changed"),
        MailKind.RECOVERY_CODE_USED: _("Recovery code used"),
        MailKind.RECOVERY_CODES_MADE: _("Recovery codes created"),
        MailKind.RECOVERY_NOT_POSSIBLE: _("Recovery not possible"),
        MailKind.RECOVERY_PHONE_CHANGED: _("Recovery phone changed"),
        MailKind.RENEWAL_REMINDER: _("Password expires soon"),
        MailKind.SESSION_COPIED: _("Session used in another browser"),
        MailKind.SESSION_ENDED: _("Session ended"),
        MailKind.SESSIONS_ENDED: _("Sessions ended"),
        MailKind.SETUP_CODE: _("Code to set up a verification method"),
        MailKind.SIGNIN_FROM_NEW_BROWSER: _("Sign-in from a new browser"),
        MailKind.SIGNIN_LOCKED: _("Sign-in blocked"),
        MailKind.TEMPORARY_PASSWORD_ISSUED: _("Temporary password issued"),
        MailKind.UNLOCK_LINK: _("Unlock link"),
        TextMessageKind.CALLER_CODE: _("Text message: code to verify a caller"),
        TextMessageKind.FACTOR_CODE: _("Text message: verification code"),
        TextMessageKind.PHONE_CODE: _("Text message: code for the recovery phone"),
        TextMessageKind.RESET_CODE: _("Text message: reset code"),
        TextMessageKind.SETUP_CODE: _("Text message: code to set up text messages"),
        TextMessageKind.UNLOCK_CODE: _("Text message: unlock code"),
        NotificationKind.BACK_CHANNEL_LOGOUT: _("Back-channel logout"),
        NotificationKind.CREDENTIAL_CHANGE: _("Security event: password or verification method"),
        NotificationKind.SESSION_REVOKED: _("Security event: session ended"),
        NotificationKind.STREAM_VERIFICATION: _("Security event: test of the stream"),
        NotificationKind.TOKEN_CLAIMS_CHANGE: _("Security event: claims changed"),
    },
)


def kind(name: str) -> str:
    """What a message is about."""
    return TEXTS.of(name)

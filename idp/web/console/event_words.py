"""Display texts for the audit trail: the names of events, and the names and values of their data.

An event without a text is an error at import.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _

from hosted_pages.languages import eastern
from hosted_pages.texts import Texts, complete
from idp.audit.actions import AuditAction
from idp.policy.console import ConsoleAction
from idp.policy.search_terms import fold
from idp.web.console import labels
from idp.web.console.event_reasons import in_words

#: The events of console actions, which are displayed by the label of their action.
OF_ACTION = {f"console.{action}": action for action in ConsoleAction}
EVENTS = complete(
    AuditAction,
    {
        AuditAction.ACCESS_EXPORTED: _("Access report downloaded"),
        AuditAction.ACCOUNTS_EXPORTED: _("List of people downloaded"),
        AuditAction.ACCOUNT_CREATED: _("Account created"),
        AuditAction.ACCOUNT_DISOWNED: _("Account holder reported a change as not theirs"),
        AuditAction.ACCOUNT_SECOND: _("Second account allowed"),
        AuditAction.ACCOUNT_STATE: _("Account status changed"),
        AuditAction.ACCOUNT_UNLOCKED: _("Account unlocked"),
        AuditAction.ALARM_GUESSING: _("Alarm: password guessing"),
        AuditAction.ALARM_MASS_CHANGE: _("Alarm: mass change stopped"),
        AuditAction.ALARM_CLOCK: _("Alarm: clocks differ"),
        AuditAction.ALARM_SESSION_COPIED: _("Alarm: copied session"),
        AuditAction.ALARM_UNSEALED: _("Alarm: audit log not sealed"),
        AuditAction.AUTHORIZE_GRANTED: _("Application access granted"),
        AuditAction.AUTHORIZE_REFUSED: _("Application access refused"),
        AuditAction.BROWSER_COPIED: _("Cookie of a browser copied"),
        AuditAction.BROWSER_FORGOTTEN: _("Browser forgotten"),
        AuditAction.CALLERS_COUNTED: _("Total of sampled events"),
        AuditAction.CALLER_CODE_SENT: _("Code sent to verify the caller"),
        AuditAction.CALLER_DISOWNED: _("Account holder is not the caller"),
        AuditAction.CALLER_VERIFIED: _("Caller verified"),
        AuditAction.CLIENT_CREATED: _("Application registered"),
        AuditAction.CLIENT_DISABLED: _("Application disabled"),
        AuditAction.CLIENT_ENABLED: _("Application enabled"),
        AuditAction.CLIENT_OLD_SECRET_ENDED: _("Previous application secret ended"),
        AuditAction.CLIENT_PROPOSAL_CONFIRMED: _("Proposal confirmed"),
        AuditAction.CLIENT_PROPOSAL_EXPIRED: _("Proposal expired"),
        AuditAction.CLIENT_PROPOSAL_WITHDRAWN: _("Proposal withdrawn"),
        AuditAction.CLIENT_PROPOSED: _("Application change proposed"),
        AuditAction.CLIENT_REFUSED: _("Application authentication refused"),
        AuditAction.CLIENT_REGISTRATION_DELETED: _("Application deleted its registration"),
        AuditAction.CLIENT_REGISTRATION_REFUSED: _("Registration of an application refused"),
        AuditAction.CLIENT_ROLE_GROUPS: _("Role groups of an application changed"),
        AuditAction.CLIENT_SECRET_ROTATED: _("New application secret issued"),
        AuditAction.CLIENT_UPDATED: _("Application changed"),
        AuditAction.CODE_REDEEMED: _("Authorization code redeemed"),
        AuditAction.CONDITIONS_ACCEPTED: _("Conditions of use accepted"),
        AuditAction.CONSENT_GIVEN: _("Consent given"),
        AuditAction.CONSENT_REVOKED: _("Consent withdrawn"),
        AuditAction.CONSOLE_CONFIRMED: _("Operator action confirmed"),
        AuditAction.CONSOLE_REFUSED: _("Console access refused"),
        AuditAction.CUSTODIAN_CHANGED: _("Custodian changed"),
        AuditAction.ENROLMENT_FINISHED: _("Setup completed"),
        AuditAction.ENROLMENT_PROVED: _("Identity confirmed for setup"),
        AuditAction.EVENT_STREAM_CHANGED: _("Stream of security events changed"),
        AuditAction.EVENT_STREAM_CREATED: _("Stream of security events created"),
        AuditAction.EVENT_STREAM_DELETED: _("Stream of security events deleted"),
        AuditAction.FACTORS_RESET: _("Verification methods reset"),
        AuditAction.FACTOR_ADDED: _("Verification method added"),
        AuditAction.FACTOR_AUTOMATIC_SET: _("Automatic passkeys turned on or off"),
        AuditAction.FACTOR_CHECKED: _("Verification method used"),
        AuditAction.FACTOR_CODE_SENT: _("Verification code sent"),
        AuditAction.FACTOR_PREFERRED: _("Preferred verification method set"),
        AuditAction.FACTOR_REMOVED: _("Verification method removed"),
        AuditAction.FACTOR_RENAMED: _("Verification method renamed"),
        AuditAction.GRANT_REVOKED: _("Application access revoked"),
        AuditAction.INITIAL_TOKEN_ISSUED: _("Initial access token issued"),
        AuditAction.INITIAL_TOKEN_REVOKED: _("Initial access token revoked"),
        AuditAction.INITIAL_TOKEN_USED: _("Application registered itself"),
        AuditAction.KEY_CREATED: _("Signing key created"),
        AuditAction.KEY_REVOKED: _("Signing key revoked"),
        AuditAction.KEY_ROTATED: _("Signing key replaced"),
        AuditAction.LINK_REFUSED: _("Mailed link refused"),
        AuditAction.LINK_SENT: _("Link sent by e-mail"),
        AuditAction.LINK_SPENT: _("Mailed link used"),
        AuditAction.MACHINE_KEY_ADDED: _("Machine account key added"),
        AuditAction.MACHINE_KEY_REMOVED: _("Machine account key removed"),
        AuditAction.MACHINE_REFUSED: _("Machine account refused"),
        AuditAction.MESSAGE_RETRIED: _("Message queued again"),
        AuditAction.NETWORKS_SET: _("Registered networks changed"),
        AuditAction.NOTICE_FAILED: _("Notice could not be sent"),
        AuditAction.PARTICIPANT_CONTACT_ADDED: _("Participant contact appointed"),
        AuditAction.PARTICIPANT_CONTACT_ENDED: _("Participant contact ended"),
        AuditAction.PARTICIPANT_ENDED: _("Participant ended"),
        AuditAction.PARTICIPANT_PARTICIPATIONS: _("Participations changed"),
        AuditAction.PARTICIPANT_REGISTERED: _("Participant registered"),
        AuditAction.PARTICIPANT_RENAMED: _("Participant renamed"),
        AuditAction.PARTICIPANT_RESTORED: _("Participant restored"),
        AuditAction.PARTICIPANT_VACANCY: _("Participant function vacant"),
        AuditAction.PASSWORD_CONFIRMED: _("Password confirmed"),
        AuditAction.PASSWORD_OVERLAP: _("Previous password still accepted for a time"),
        AuditAction.PASSWORD_OVERLAP_ENDED: _("Previous password ended"),
        AuditAction.PASSWORD_SET: _("Password set"),
        AuditAction.PERSON_UPDATED: _("Person details changed"),
        AuditAction.PHONE_CHANGED: _("Recovery phone changed"),
        AuditAction.PHONE_CODE_SENT: _("Code sent to the recovery phone"),
        AuditAction.PROFILE_PREFERENCES: _("Preferences changed"),
        AuditAction.QUESTION_ANSWERED: _("Security question answered"),
        AuditAction.QUESTION_SET: _("Security question set"),
        AuditAction.RECOVERY_CODES_MADE: _("Recovery codes created"),
        AuditAction.REMINDER_FAILED: _("Reminder could not be sent"),
        AuditAction.RESET_REQUESTED: _("Password reset requested"),
        AuditAction.ROLE_GROUP_ASSIGNED: _("Role group granted"),
        AuditAction.ROLE_GROUP_CREATED: _("Role group created"),
        AuditAction.ROLE_GROUP_DESCRIBED: _("Description of a role group changed"),
        AuditAction.ROLE_GROUP_PARTICIPATION: _("Required participation changed"),
        AuditAction.ROLE_GROUP_REVOKED: _("Role group revoked"),
        AuditAction.ROLE_GROUP_RULE: _("Extra verification rule changed"),
        AuditAction.ROLE_GROUP_TERMS: _("Validity of a role group changed"),
        AuditAction.SCIM_CREATED: _("Registration: account created"),
        AuditAction.SCIM_DELETED: _("Registration: account deactivated"),
        AuditAction.SCIM_ENDING: _("Registration: end of an account set"),
        AuditAction.SCIM_GROUP_CREATED: _("Registration: group created"),
        AuditAction.SCIM_GROUP_DELETED: _("Registration: group removed"),
        AuditAction.SCIM_GROUP_UPDATED: _("Registration: group changed"),
        AuditAction.SCIM_MASS_CHANGE_CONFIRMED: _("Mass change confirmed"),
        AuditAction.SCIM_PARTICIPANT_CREATED: _("Registration: participant created"),
        AuditAction.SCIM_PARTICIPANT_DELETED: _("Registration: participant removed"),
        AuditAction.SCIM_PARTICIPANT_UPDATED: _("Registration: participant changed"),
        AuditAction.SCIM_REFUSED: _("Registration: change refused"),
        AuditAction.SCIM_STALE: _("Registration: outdated change refused"),
        AuditAction.SCIM_SUSPENDED: _("Registration: account suspended"),
        AuditAction.SCIM_UPDATED: _("Registration: account changed"),
        AuditAction.SESSION_BOUND: _("Session bound to the computer"),
        AuditAction.SESSION_ENDED: _("Session ended"),
        AuditAction.SESSION_SWITCHED: _("Switched to another account"),
        AuditAction.SIGNIN_ASSESSED: _("Sign-in risk assessed"),
        AuditAction.SIGNIN_LOCKED: _("Sign-in blocked after failed attempts"),
        AuditAction.SIGNIN_REFUSED: _("Sign-in refused"),
        AuditAction.SIGNIN_SUCCEEDED: _("Signed in"),
        AuditAction.TEMPORARY_PASSWORD_ISSUED: _("Temporary password issued"),
        AuditAction.TEMPORARY_PASSWORD_USED: _("Temporary password used"),
        AuditAction.TEXT_REFUSED: _("Text message not sent"),
        AuditAction.TOKEN_ISSUED: _("Token issued"),
        AuditAction.TOKEN_REFUSED: _("Token refused"),
        AuditAction.TOKEN_REVOKED: _("Token revoked"),
        AuditAction.TRAIL_ARCHIVED: _("Audit log archived"),
        AuditAction.TRAIL_EXPORTED: _("Audit log downloaded"),
        AuditAction.TRAIL_FORGED: _("Alarm: forged records in the audit log"),
        AuditAction.TRAIL_HEAD_LOST: _("Alarm: end of the audit log missing"),
        AuditAction.TRAIL_RESTORED: _("Backup restored"),
        AuditAction.TRAIL_VERIFIED: _("Audit log integrity checked"),
        AuditAction.UNLOCK_REQUESTED: _("Unlock requested"),
        AuditAction.VALUES_REENCRYPTED: _("Stored values encrypted with the new key"),
    },
    without=OF_ACTION,
)
GROUPS = {
    "signin.": _("All sign-ins"),
    "console.": _("All actions of operators"),
    "scim.": _("All changes by registration"),
    "client.": _("All changes of applications"),
    "role_group.": _("All changes of role groups"),
    "alarm.": _("All alarms"),
}
#: A field without a text is displayed by its name.
FIELDS = Texts(
    {
        "about": _("about"),
        "act": _("action"),
        "action": _("action"),
        "after": _("new value"),
        "alg": _("algorithm"),
        "amr": _("methods used"),
        "assignments": _("role groups revoked"),
        "at": _("at"),
        "audience": _("audience"),
        "before": _("previous value"),
        "bound": _("limit"),
        "by": _("operator"),
        "ceremony": _("purpose"),
        "channel": _("sent by"),
        "clients": _("applications"),
        "count": _("number"),
        "custodian_of": _("custodian of"),
        "detail": _("detail"),
        "details": _("details"),
        "device_ip": _("address of the device"),
        "event": _("event"),
        "events": _("events"),
        "evidence": _("evidence"),
        "existing_session": _("existing session"),
        "factor": _("verification method"),
        "facts": _("facts given"),
        "failures": _("refused sign-ins"),
        "faults": _("faults"),
        "filter": _("filter"),
        "first": _("first record"),
        "format": _("format"),
        "function": _("function"),
        "grant_type": _("grant type"),
        "group": _("role group"),
        "hits": _("rules met"),
        "hours": _("hours"),
        "initial_token": _("initial access token"),
        "issued_to": _("issued to"),
        "kid": _("key ID"),
        "kind": _("type"),
        "label": _("name"),
        "last": _("last record"),
        "line": _("line of the file"),
        "link": _("link"),
        "locale": _("language"),
        "last_network": _("network of the last sign-in"),
        "lost": _("changes lost"),
        "message": _("message"),
        "method": _("method"),
        "model": _("model"),
        "network": _("network"),
        "networks": _("networks"),
        "new_browser": _("new browser"),
        "no_prompt_reasons": _("not asked for because"),
        "old_secret_until": _("previous secret until"),
        "page": _("page"),
        "participant": _("participant"),
        "participation": _("participation"),
        "path": _("path"),
        "person_id": _("Person ID"),
        "proposal": _("proposal"),
        "proposed_by": _("proposed by"),
        "purpose": _("purpose"),
        "pusher": _("registration client"),
        "reason": _("reason"),
        "reasons": _("reasons"),
        "registered": _("registered"),
        "request_number": _("request number"),
        "requested_by": _("requested by"),
        "rule": _("rule"),
        "scope": _("scope"),
        "score": _("score"),
        "band": _("band"),
        "second": _("reason for the second account"),
        "second_factor": _("extra verification"),
        "sent": _("sent"),
        "seq": _("record"),
        "sequence": _("sequence number"),
        "set": _("set"),
        "settings": _("settings"),
        "since": _("since"),
        "source": _("source"),
        "state": _("status"),
        "subject": _("about"),
        "taken": _("accounts changed"),
        "thresholds": _("thresholds"),
        "ticket": _("ticket"),
        "token_type": _("token type"),
        "notified": _("people informed"),
        # The field name in earlier releases.
        "told": _("people informed"),
        "until": _("until"),
        "uses": _("registrations"),
        "valid_from": _("valid from"),
        "valid_until": _("valid until"),
        "why": _("reason given"),
        "zone": _("time zone"),
        "id": _("ID"),
    }
)


def event_name(name: str) -> str:
    """The display name of an event."""
    if name in OF_ACTION:
        return str(gettext("Operator: %(action)s", action=labels.action(OF_ACTION[name])))
    return EVENTS.of(name)


def choices() -> list[tuple[str, str]]:
    """The options of the event filter, as value and text: groups of events (by name prefix), then
    all events sorted by their text."""
    found = [(str(name), event_name(name)) for name in AuditAction]
    groups = [(prefix, str(text)) for prefix, text in GROUPS.items()]
    return groups + sorted(found, key=lambda pair: fold(pair[1]))


def field_name(name: str) -> str:
    """The display name of a field in the data of an event."""
    return FIELDS.of(name) if name in FIELDS else in_words(name)


def plain_value(found: Any) -> str:
    """A value in the data of an event as plain text, including lists and mappings. Times are in
    Eastern Time."""
    if found is None or found in ("", [], {}):
        return "–"
    if isinstance(found, bool):
        return str(gettext("yes") if found else gettext("no"))
    if isinstance(found, Mapping):
        colon = gettext(":")
        return ", ".join(f"{field_name(k)}{colon} {plain_value(v)}" for k, v in found.items())
    if isinstance(found, list):
        separator = "; " if any(isinstance(entry, Mapping) for entry in found) else ", "
        return separator.join(plain_value(entry) for entry in found)
    return _moment(found) if isinstance(found, str) else str(found)


def _moment(text: str) -> str:
    """An ISO 8601 time in the format of the page; any other text unchanged."""
    if len(text) < len("2026-11-27T00:00") or "T" not in text:
        return text
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return eastern(found) if found.tzinfo else text

"""The labels of form fields, for a page that lists what was entered in another form.

A field without a label is listed by its value alone. ``tests/web/test_interrupted_forms`` checks
that every field that a person fills in has a label.
"""

from __future__ import annotations

from flask_babel import lazy_gettext as _

LABELS = {
    "access_token_alg": _("Access token signing algorithm"),
    "access_token_format": _("Access token format"),
    "account_kinds": _("Account types with access"),
    "alg": _("Algorithm"),
    "allowed_origins": _("Allowed CORS origins"),
    "audience": _("Access token audience"),
    "auth_method": _("Client authentication method"),
    "authorization_response_alg": _("Authorization response signing algorithm (JARM)"),
    "backchannel_logout_uri": _("Back-channel logout URI"),
    "certificate_bound_tokens": _("Bind access tokens to the certificate of the application"),
    "channel": _("Send the code by"),
    "client_id": _("Client ID"),
    "conditions": _("Conditions of use"),
    "country": _("Country"),
    "description": _("Description"),
    "description_fr": _("Description in French"),
    "details": _("Details"),
    "dpop_bound_access_tokens": _("Require tokens bound to a key (DPoP)"),
    "email": _("E-mail"),
    "fact": _("Correct answers"),
    "family_name": _("Last name"),
    "function": _("Function"),
    "given_name": _("First name"),
    "exchange_audiences": _("Audiences for which it may exchange tokens that it receives"),
    "grant_types": _("Grant types"),
    "group": _("Role group"),
    "home_url": _("Tile link"),
    "icon": _("Drawing"),
    "id_token_alg": _("ID token signing algorithm"),
    "ip": _("Network address"),
    "is_resource_server": _("Can introspect tokens issued for its audience"),
    "frontchannel_logout_session_required": _("Send iss and sid to the front-channel logout URI"),
    "frontchannel_logout_uri": _("Front-channel logout URI"),
    "jwks_uri": _("Key set URI (jwks_uri)"),
    "key": _("Key"),
    "keys": _("Keys"),
    "kind": _("Account type"),
    "label": _("Name"),
    "locale": _("Language"),
    "logo": _("Logo"),
    "middle_name": _("Middle name"),
    "minimum_acr": _("Minimum level of assurance"),
    "name": _("Name"),
    "name_fr": _("Name in French"),
    "networks": _("Networks"),
    "new_key": _("Add a public key"),
    "number": _("Phone number"),
    "overlap": _("Keep the previous password valid for programs"),
    "overlap_hours": _("Keep the previous secret valid for (hours)"),
    "participant": _("Participant"),
    "participation": _("Required participation"),
    "person_id": _("Person ID"),
    "phone": _("Phone"),
    "post_logout_redirect_uris": _("Post-logout redirect URIs"),
    "preferred_name": _("Preferred name"),
    "push_account_kind": _("Account type"),
    "push_default_participant": _("Default participant"),
    "push_person_id": _("Standard attribute for the Person ID"),
    "question": _("Security question"),
    "reason": _("Reason"),
    "redirect_uris": _("Redirect URIs"),
    "remember": _("Remember me"),
    "require_pkce": _("Require PKCE"),
    "require_pushed_requests": _("Require pushed authorization requests"),
    "role_groups": _("Visible role groups"),
    "rule": _("Extra verification"),
    "scopes": _("Allowed scopes"),
    "second_factor": _("Extra verification"),
    "second_participant": _("Participant of the second account"),
    "ticket": _("Ticket reference"),
    "tls_subject": _("Value of the certificate field"),
    "tls_subject_field": _("Certificate field that names the application"),
    "token_endpoint_audience": _("Accept the token endpoint as aud in client assertions"),
    "trusted": _("First-party application (do not ask for consent)"),
    "typed": _("To confirm"),
    "username": _("Username"),
    "uses_popups": _("Opens sign-in in a pop-up window"),
    "valid_from": _("Valid from (optional)"),
    "valid_until": _("Valid until, inclusive (optional)"),
    "zoneinfo": _("Time zone"),
}
#: Fields that people press or that a page fills in.
UNSHOWN = frozenset({"flow", "next", "method", "do", "step", "change", "choice", "decision"})


def shown(typed: list[list[str]]) -> list[tuple[str, str]]:
    """The label and the value of each field; the label is empty if there is none."""
    return [(str(LABELS.get(name, "")), value) for name, value in typed if name not in UNSHOWN]

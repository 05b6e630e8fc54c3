"""``gateway client``: the registry of relying parties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from idp.cli import proposal_commands
from idp.cli.common import as_json, choice, show_json, show_list, show_record, unit_of_work
from idp.cli.operator import as_operator
from idp.mfa.second_factor_rule import Rule
from idp.policy.registered_values import (
    ENCRYPTION_ALGS,
    ENCRYPTION_ENCS,
    MAX_OVERLAP_HOURS,
    OVERLAP_HOURS,
    SIGNING_ALGS,
    AccountKind,
    AuthMethod,
    TlsSubjectField,
)
from idp.policy.scopes import (
    ACRS,
    GRANT_TYPES,
    PERSON_ID_ATTRIBUTES,
    PUSHED_KINDS,
    PushOperation,
)

if TYPE_CHECKING:
    from idp.transaction import UnitOfWork

Command = Callable[..., Any]
_LISTS: dict[str, tuple[str, str, list[str] | None]] = {
    "grant_types": ("--grant-type", "Grant type. Repeat for several.", list(GRANT_TYPES)),
    "scopes": ("--scope", "Allowed scope. Default: by grant type. Repeat for several.", None),
    "redirect_uris": ("--redirect-uri", "Redirect URI. Repeat for several.", None),
    "post_logout_redirect_uris": ("--post-logout-redirect-uri", "Repeat for several.", None),
    "allowed_origins": ("--origin", "Allowed CORS origin. Repeat for several.", None),
    "exchange_audiences": (
        "--exchange-audience",
        "Audience for which it may exchange tokens that it receives (RFC 8693). Repeat for "
        "several.",
        None,
    ),
    "account_kinds": (
        "--account-kind",
        "Allowed account type. Default: personal and machine. Repeat for several.",
        list(AccountKind),
    ),
    "push_operations": (
        "--push-operation",
        "Allowed SCIM operation. Default: all. Repeat for several.",
        list(PushOperation),
    ),
    "push_participants": (
        "--push-participant",
        "Participant for SCIM. Default: all; 'every' resets to all. Repeat for several.",
        None,
    ),
}
_TEXTS = {
    "name": ("--name", "Display name."),
    "description": ("--description", "Tile description."),
    "name_fr": ("--name-fr", "French display name. Empty for the display name."),
    "description_fr": ("--description-fr", "French tile description."),
    "logo": ("--logo", "Logo: PNG or SVG file, or icon:NAME. 'none' removes it."),
    "home_url": ("--home-url", "Tile link."),
    "backchannel_logout_uri": (
        "--backchannel-logout-uri",
        "Back-channel logout URI. Empty for none.",
    ),
    "event_push_uri": (
        "--event-push-uri",
        "URI to which security events are pushed (RFC 8935). Empty for none.",
    ),
    "frontchannel_logout_uri": (
        "--frontchannel-logout-uri",
        "Front-channel logout URI, on the host of a redirect URI. Empty for none.",
    ),
    "jwks_uri": (
        "--jwks-uri",
        "Where the client publishes its keys. Replaces --key-file, and the reverse.",
    ),
    "tls_subject": (
        "--tls-subject",
        "Value of the certificate field for tls_client_auth. Empty for none.",
    ),
    "sector_identifier": (
        "--sector-identifier",
        "Host name: pairwise subjects for the clients of this sector. Permanent. Empty: public.",
    ),
    "audience": ("--audience", "Access token audience (aud). Empty for the gateway."),
    "push_default_participant": (
        "--push-default-participant",
        "Default participant for SCIM. Empty for none.",
    ),
}
_CHOICES: dict[str, tuple[str, str, list[str]]] = {
    "auth_method": (
        "--auth-method",
        "Client authentication method. client_secret: in the header or the body. After a change to "
        "client_secret_jwt, create a new secret.",
        list(AuthMethod),
    ),
    "tls_subject_field": (
        "--tls-subject-field",
        "Certificate field that names the client, for tls_client_auth.",
        ["none", *TlsSubjectField],
    ),
    "id_token_alg": ("--id-token-alg", "ID token algorithm.", list(SIGNING_ALGS)),
    "authorization_response_alg": (
        "--authorization-response-alg",
        "Algorithm of signed authorization responses (JARM).",
        list(SIGNING_ALGS),
    ),
    "userinfo_alg": (
        "--userinfo-alg",
        "Algorithm of signed userinfo. Default: plain JSON.",
        ["none", *SIGNING_ALGS],
    ),
    "id_token_encryption_alg": (
        "--id-token-encryption-alg",
        "Encryption of ID tokens and logout tokens, with a key of the client. Default: none.",
        ["none", *ENCRYPTION_ALGS],
    ),
    "id_token_encryption_enc": (
        "--id-token-encryption-enc",
        "Encryption of their content. Default: A256GCM.",
        list(ENCRYPTION_ENCS),
    ),
    "userinfo_encryption_alg": (
        "--userinfo-encryption-alg",
        "Encryption of signed userinfo, with a key of the client. Default: none.",
        ["none", *ENCRYPTION_ALGS],
    ),
    "userinfo_encryption_enc": (
        "--userinfo-encryption-enc",
        "Encryption of its content. Default: A256GCM.",
        list(ENCRYPTION_ENCS),
    ),
    "introspection_alg": (
        "--introspection-alg",
        "Algorithm of introspection as a JWT (RFC 9701).",
        list(SIGNING_ALGS),
    ),
    "access_token_alg": (
        "--access-token-alg",
        "Access token algorithm.",
        list(SIGNING_ALGS),
    ),
    "access_token_format": ("--access-token-format", "Access token format.", ["jwt", "opaque"]),
    "minimum_acr": ("--minimum-acr", "Minimum level of assurance.", ["none", *ACRS]),
    "second_factor": (
        "--second-factor",
        "Extra verification rule. Default: the rule of the environment.",
        ["default", *Rule],
    ),
    "push_person_id": (
        "--push-person-id",
        "Standard attribute for the Person ID (Okta, Entra), or the gateway extension.",
        ["extension", *PERSON_ID_ATTRIBUTES],
    ),
    "push_account_kind": (
        "--push-account-kind",
        "Account type with --push-person-id. Default: personal.",
        list(PUSHED_KINDS),
    ),
}
_FLAGS = {
    "token_endpoint_audience": (
        "--token-endpoint-audience/--issuer-audience",
        "Accepted aud of client assertions. Token endpoint: for older libraries.",
    ),
    "certificate_bound_tokens": (
        "--certificate-bound-tokens/--no-certificate-bound-tokens",
        "Bind access tokens to the certificate of the client (RFC 8705).",
    ),
    "require_pkce": (
        "--require-pkce/--no-require-pkce",
        "Require PKCE. Turn off for legacy clients only.",
    ),
    "require_pushed_requests": (
        "--require-pushed-requests/--no-require-pushed-requests",
        "Accept authorization requests only if they were pushed (RFC 9126).",
    ),
    "dpop_bound_access_tokens": (
        "--dpop-bound-access-tokens/--no-dpop-bound-access-tokens",
        "Issue only tokens that are bound to a key of the client (DPoP, RFC 9449).",
    ),
    "fapi2_security_profile": (
        "--fapi2-security-profile/--no-fapi2-security-profile",
        "Enforce the FAPI 2.0 Security Profile. Needs private_key_jwt or a certificate. Sets PKCE, "
        "pushed requests, bound tokens and ES256.",
    ),
    "frontchannel_logout_session_required": (
        "--frontchannel-logout-session/--no-frontchannel-logout-session",
        "Send iss and sid to the front-channel logout URI.",
    ),
    "trusted": ("--trusted/--not-trusted", "First-party client: do not ask for consent."),
    "uses_popups": ("--popups/--no-popups", "Opens sign-in in a pop-up window."),
    "is_resource_server": (
        "--resource-server/--no-resource-server",
        "Can introspect tokens for its audience.",
    ),
}


def _client_options(command: Command) -> Command:
    """The options for the fields of ClientData; None means "not given"."""
    for name, (flag, text, choices) in (*_LISTS.items(), *_CHOICES.items()):
        kind = choice(choices) if choices else click.STRING
        several = name in _LISTS
        command = click.option(flag, name, type=kind, multiple=several, help=text)(command)
    for name, (flag, text) in _TEXTS.items():
        command = click.option(flag, name, help=text)(command)
    for name, (flag, text) in _FLAGS.items():
        command = click.option(flag, name, default=None, help=text)(command)
    return _key_option(command)


def _key_option(command: Command) -> Command:
    return click.option(
        "--key-file",
        "key_files",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        multiple=True,
        help="Public key (PEM or JWK) for private_key_jwt, or certificate (PEM) for "
        "self_signed_tls_client_auth. A JWK with use enc is for encryption. Repeat for several.",
    )(command)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options given; ``none``, ``default``, ``extension`` and ``every`` reset a value. The logo
    is its content, which ``_with_logo`` stores."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if files := given.pop("key_files", ()):
        from idp.credentials.assertions import client_key

        given["keys"] = tuple(client_key(file.read_text()) for file in files)
        given.setdefault("jwks_uri", "")
    elif given.get("jwks_uri"):
        given["keys"] = ()
    if "logo" in given:
        from idp.clients import logos

        given["logo"] = None if given["logo"] == "none" else logos.read(given["logo"])
    if given.get("minimum_acr") == "none":
        given["minimum_acr"] = None
    for name in (
        "tls_subject_field",
        "userinfo_alg",
        "id_token_encryption_alg",
        "userinfo_encryption_alg",
    ):
        if given.get(name) == "none":
            given[name] = ""
    if given.get("second_factor") == "default":
        given["second_factor"] = ""
    if given.get("push_person_id") == "extension":
        given["push_person_id"] = ""
    if "every" in given.get("push_participants", ()):
        given["push_participants"] = ()
    return given


def _with_logo(work: UnitOfWork, given: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(given.get("logo"), bytes):
        return given
    from idp.clients import logos

    return given | {"logo": logos.store(work, given["logo"])}


@click.group()
def client() -> None:
    """Relying parties and other OAuth clients."""


@client.command()
@click.option("--client-id", help="Client ID. Random if omitted.")
@_client_options
@as_operator()
@as_json
def create(client_id: str | None, as_json: bool, **options: Any) -> None:
    """Register a client. The secret is shown only once."""
    from idp.clients import client_data, client_proposals

    given = _given(options)
    if "name" not in given:
        raise click.UsageError("--name is required")
    with unit_of_work() as work:
        data = client_data.of_new_client(_with_logo(work, given))
        outcome = client_proposals.create(work, data, client_id=client_id)
        record = proposal_commands.result(work, outcome)
    proposal_commands.show_result(record, as_json=as_json, done="client_id      {}")


@client.command()
@click.argument("client_id")
@_client_options
@as_operator()
@as_json
def update(client_id: str, as_json: bool, **options: Any) -> None:
    """Change a client. Options that you omit stay the same. A list replaces the current list."""
    from idp.clients import client_data, client_proposals, registry

    given = _given(options)
    if not given:
        raise click.UsageError("Nothing to change. Use at least one option.")
    with unit_of_work() as work:
        row = registry.get(work, client_id)
        data = replace(client_data.current_data(row), **_with_logo(work, given))
        outcome = client_proposals.update(work, row, data)
        record = proposal_commands.result(work, outcome)
    if outcome.proposal is not None:
        proposal_commands.show_result(record, as_json=as_json, done="")
        return
    del record["client_secret"]
    show_json(record) if as_json else show_record(record)


@client.command()
@click.argument("client_id")
@as_json
def show(client_id: str, as_json: bool) -> None:
    """Show a client and its role groups."""
    from idp.clients import client_data, client_secrets, logos, registry

    with unit_of_work() as work:
        row = registry.get(work, client_id)
        record = client_data.describe(row) | {
            "logo_uri": f"{work.settings.issuer}{logos.path_of(row.logo)}" if row.logo else "",
            "role_groups": [group.name for group in row.role_groups],
            "old_secret_until": client_secrets.old_secret_expires_at(work, row),
        }
    show_json(record) if as_json else show_record(record)


@client.command("list")
@as_json
def list_clients(as_json: bool) -> None:
    """List all clients."""
    from idp.clients import client_data, registry

    columns = ("client_id", "name", "auth_method", "grant_types", "trusted", "disabled")
    with unit_of_work() as work:
        records = map(client_data.describe, registry.list_clients(work))
        show_list(columns, records, as_json=as_json, empty="No clients.")


@client.command("rotate-secret")
@click.argument("client_id")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, MAX_OVERLAP_HOURS),
    default=OVERLAP_HOURS,
    show_default=True,
    help="Hours for which the previous secret still works. 0 ends it now.",
)
@as_operator()
@as_json
def rotate_secret(client_id: str, overlap_hours: int, as_json: bool) -> None:
    """Create a new client secret. The previous one works during the overlap."""
    from idp.clients import client_proposals, registry

    with unit_of_work() as work:
        row = registry.get(work, client_id)
        outcome = client_proposals.rotate_secret(work, row, overlap_hours=overlap_hours)
        record = proposal_commands.result(work, outcome)
    proposal_commands.show_result(record, as_json=as_json, done="")


@client.command("end-old-secret")
@click.argument("client_id")
@as_operator()
@as_json
def end_old_secret(client_id: str, as_json: bool) -> None:
    """End the previous client secret now."""
    from idp.clients import client_secrets, registry

    with unit_of_work() as work:
        ended = client_secrets.revoke_old(work, registry.get(work, client_id))
    if as_json:
        show_json({"client_id": client_id, "ended": ended})
    else:
        click.echo(
            f"{client_id}: {'the previous secret has ended' if ended else 'no previous secret'}."
        )


@client.command()
@click.argument("client_id")
@as_operator()
@as_json
def disable(client_id: str, as_json: bool) -> None:
    """Disable a client and revoke its tokens."""
    from idp.clients import registry

    with unit_of_work() as work:
        registry.disable(work, registry.get(work, client_id))
    if as_json:
        show_json({"client_id": client_id, "disabled": True})
    else:
        click.echo(f"{client_id} is disabled. Its tokens are revoked.")


@client.command()
@click.argument("client_id")
@as_operator()
@as_json
def enable(client_id: str, as_json: bool) -> None:
    """Enable a client. Revoked tokens stay revoked."""
    from idp.clients import client_proposals, registry

    with unit_of_work() as work:
        outcome = client_proposals.enable(work, registry.get(work, client_id))
        record = proposal_commands.result(work, outcome)
    proposal_commands.show_result(record, as_json=as_json, done="{} is enabled.")


proposal_commands.register(client)

"""``gateway client``: the register of relying parties."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from idp.cli import proposal_commands
from idp.cli.common import as_json, choice, show_json, show_list, show_record, unit
from idp.cli.operator import as_operator
from idp.clients import client_proposals, client_secrets, registry
from idp.clients.registry import ClientData
from idp.credentials.assertions import public_key
from idp.mfa.decision import Rule
from idp.models import AccountKind, AuthMethod
from idp.policy.scopes import (
    ACRS,
    GRANT_TYPES,
    PERSON_ID_ATTRIBUTES,
    PUSHED_KINDS,
    PushOperation,
    default_scopes,
)

Command = Callable[..., Any]
_LISTS: dict[str, tuple[str, str, list[str] | None]] = {
    "grant_types": ("--grant-type", "Grant type; repeat for several.", list(GRANT_TYPES)),
    "scopes": ("--scope", "Scope it may ask for; default: those of its grant types. Repeat.", None),
    "redirect_uris": ("--redirect-uri", "Exact redirect URI; repeat.", None),
    "post_logout_redirect_uris": ("--post-logout-redirect-uri", "After a sign-out; repeat.", None),
    "allowed_origins": ("--origin", "Origin of its scripts (CORS); repeat.", None),
    "account_kinds": (
        "--account-kind",
        "Kind of account that opens it; default: personal and machine. Repeat.",
        list(AccountKind),
    ),
    "push_operations": (
        "--push-operation",
        "What it may do by SCIM; default: everything. Repeat.",
        list(PushOperation),
    ),
    "push_participants": (
        "--push-participant",
        "Participant it acts for by SCIM; default: every one; 'every' for all. Repeat.",
        None,
    ),
}
_TEXTS = {
    "name": ("--name", "Name that people see."),
    "description": ("--description", "A line for the tile."),
    "home_url": ("--home-url", "Where its tile leads."),
    "backchannel_logout_uri": (
        "--backchannel-logout-uri",
        "Told by POST when a session ends; empty: not told.",
    ),
    "audience": ("--audience", "aud of its access tokens; empty: the gateway."),
    "push_default_participant": (
        "--push-default-participant",
        "Participant that it means where it names none; empty: none.",
    ),
}
_CHOICES: dict[str, tuple[str, str, list[str]]] = {
    "auth_method": (
        "--auth-method",
        "How it authenticates; client_secret: by header or body.",
        list(AuthMethod),
    ),
    "id_token_alg": ("--id-token-alg", "Signs ID tokens.", list(registry.SIGNING_ALGS)),
    "access_token_alg": ("--access-token-alg", "Signs access tokens.", list(registry.SIGNING_ALGS)),
    "access_token_format": ("--access-token-format", "Form of access tokens.", ["jwt", "opaque"]),
    "minimum_acr": ("--minimum-acr", "Demanded at every sign-in.", ["none", *ACRS]),
    "second_factor": (
        "--second-factor",
        "When a second factor is asked for; default: the environment's rule.",
        ["default", *Rule],
    ),
    "push_person_id": (
        "--push-person-id",
        "Standard attribute that holds the Person ID (Okta, Entra); extension: the gateway's own.",
        ["extension", *PERSON_ID_ATTRIBUTES],
    ),
    "push_account_kind": (
        "--push-account-kind",
        "Kind of its accounts where --push-person-id is set; default: personal.",
        list(PUSHED_KINDS),
    ),
}
_FLAGS = {
    "token_endpoint_audience": (
        "--token-endpoint-audience/--issuer-audience",
        "What private_key_jwt may name as aud; the token endpoint is for old libraries.",
    ),
    "require_pkce": ("--require-pkce/--no-require-pkce", "PKCE (waive for legacy clients only)."),
    "trusted": ("--trusted/--not-trusted", "First party: consent is not asked."),
    "uses_popups": ("--popups/--no-popups", "Signs people in in a popup window."),
    "is_resource_server": (
        "--resource-server/--no-resource-server",
        "May introspect tokens for its audience.",
    ),
}


def _client_options(command: Command) -> Command:
    """The options of every field of ClientData; None means "not given"."""
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
        help="Public key (PEM or JWK) of private_key_jwt; repeat.",
    )(command)


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; ``none``, ``default``, ``extension`` and ``every`` take a demand
    away."""
    given = {name: value for name, value in options.items() if value not in (None, ())}
    if files := given.pop("key_files", ()):
        given["keys"] = tuple(public_key(file.read_text()) for file in files)
    if given.get("minimum_acr") == "none":
        given["minimum_acr"] = None
    if given.get("second_factor") == "default":
        given["second_factor"] = ""
    if given.get("push_person_id") == "extension":
        given["push_person_id"] = ""
    if "every" in given.get("push_participants", ()):
        given["push_participants"] = ()
    return given


@click.group()
def client() -> None:
    """Relying parties and other OAuth clients."""


@client.command()
@click.option("--client-id", help="Chosen id; a random one when left out.")
@_client_options
@as_operator()
@as_json
def create(client_id: str | None, as_json: bool, **options: Any) -> None:
    """Register a client. Its secret is shown this once."""
    given = _given(options)
    if "name" not in given:
        raise click.UsageError("--name is needed")
    given.setdefault("scopes", default_scopes(given.get("grant_types", ClientData.grant_types)))
    with unit() as work:
        outcome = client_proposals.create(work, ClientData(**given), client_id=client_id)
        record = proposal_commands.result(work, outcome)
    proposal_commands.show_result(record, as_json=as_json, done="client_id      {}")


@client.command()
@click.argument("client_id")
@_client_options
@as_operator()
@as_json
def update(client_id: str, as_json: bool, **options: Any) -> None:
    """Change what is registered; what is not named stays. A list replaces the whole list."""
    given = _given(options)
    if not given:
        raise click.UsageError("nothing to change")
    with unit() as work:
        row = registry.get(work, client_id)
        outcome = client_proposals.update(work, row, replace(registry.data_of(row), **given))
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
    """Show what is registered of a client, and its role groups."""
    with unit() as work:
        row = registry.get(work, client_id)
        record = registry.describe(row) | {
            "role_groups": [group.name for group in row.role_groups],
            "old_secret_until": client_secrets.former_until(work, row),
        }
    show_json(record) if as_json else show_record(record)


@client.command("list")
@as_json
def list_clients(as_json: bool) -> None:
    """List all clients."""
    columns = ("client_id", "name", "auth_method", "grant_types", "trusted", "disabled")
    with unit() as work:
        records = map(registry.describe, registry.every_client(work))
        show_list(columns, records, as_json=as_json, empty="No clients yet.")


@client.command("rotate-secret")
@click.argument("client_id")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, client_secrets.MAX_OVERLAP_HOURS),
    default=client_secrets.OVERLAP_HOURS,
    show_default=True,
    help="How long the old secret works; 0: it ends at once.",
)
@as_operator()
@as_json
def rotate_secret(client_id: str, overlap_hours: int, as_json: bool) -> None:
    """Give a client a new secret; the old one works for a while beside it."""
    with unit() as work:
        row = registry.get(work, client_id)
        outcome = client_proposals.rotate_secret(work, row, overlap_hours=overlap_hours)
        record = proposal_commands.result(work, outcome)
    proposal_commands.show_result(record, as_json=as_json, done="")


@client.command("end-old-secret")
@click.argument("client_id")
@as_operator()
@as_json
def end_old_secret(client_id: str, as_json: bool) -> None:
    """End the secret from before the last rotation at once."""
    with unit() as work:
        ended = client_secrets.end_former(work, registry.get(work, client_id))
    if as_json:
        show_json({"client_id": client_id, "ended": ended})
    else:
        click.echo(f"{client_id}: {'the old secret has ended' if ended else 'no old secret'}.")


@client.command()
@click.argument("client_id")
@as_operator()
@as_json
def disable(client_id: str, as_json: bool) -> None:
    """Switch a client off and end everything that was issued to it."""
    with unit() as work:
        registry.disable(work, registry.get(work, client_id))
    if as_json:
        show_json({"client_id": client_id, "disabled": True})
    else:
        click.echo(f"{client_id} is switched off; its tokens have ended.")


@client.command()
@click.argument("client_id")
@as_operator()
@as_json
def enable(client_id: str, as_json: bool) -> None:
    """Switch a client on again; what was issued to it stays ended."""
    with unit() as work:
        outcome = client_proposals.enable(work, registry.get(work, client_id))
        record = proposal_commands.result(work, outcome)
    proposal_commands.show_result(record, as_json=as_json, done="{} is switched on.")


proposal_commands.register(client)

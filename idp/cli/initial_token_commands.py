"""``gateway initial-token``: let applications register themselves (RFC 7591)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from idp.cli.common import as_json, show_json, show_list, show_record, unit_of_work
from idp.cli.operator import as_operator
from idp.policy.registered_values import MAX_INITIAL_TOKEN_DAYS, MAX_INITIAL_TOKEN_USES

if TYPE_CHECKING:
    from idp.models import InitialAccessToken

COLUMNS = (
    "id", "name", "uses", "max_uses", "require_pkce", "token_endpoint_audience", "expires_at",
)  # fmt: skip


@click.group("initial-token")
def initial_token() -> None:
    """Initial access tokens, with which applications register themselves."""


@initial_token.command()
@click.argument("name")
@click.option(
    "--uses",
    type=click.IntRange(1, MAX_INITIAL_TOKEN_USES),
    default=1,
    show_default=True,
    help="Number of applications that can register.",
)
@click.option(
    "--days",
    type=click.IntRange(1, MAX_INITIAL_TOKEN_DAYS),
    default=7,
    show_default=True,
    help="Days until it expires.",
)
@click.option(
    "--require-pkce/--no-require-pkce",
    default=True,
    help="Require PKCE of its confidential clients. Turn off for legacy clients only.",
)
@click.option(
    "--token-endpoint-audience/--issuer-audience",
    default=False,
    help="Accepted aud of client assertions. Token endpoint: for older libraries.",
)
@as_operator()
@as_json
def issue(
    name: str,
    uses: int,
    days: int,
    require_pkce: bool,
    token_endpoint_audience: bool,
    as_json: bool,
) -> None:
    """Issue a token to NAME, such as a company. The token is shown only once."""
    from idp.clients import initial_tokens

    with unit_of_work() as work:
        row, token = initial_tokens.issue(
            work,
            name=name,
            uses=uses,
            days=days,
            require_pkce=require_pkce,
            token_endpoint_audience=token_endpoint_audience,
        )
        record = {**_described(row), "token": token}
    if as_json:
        show_json(record)
        return
    show_record(record)
    click.echo("Save the token now. It is not shown again.")


@initial_token.command("list")
@as_json
def list_tokens(as_json: bool) -> None:
    """List the tokens with which applications can register."""
    from idp.clients import initial_tokens

    with unit_of_work() as work:
        records = [_described(row) for row in initial_tokens.list_usable(work)]
        empty = "No initial access tokens: applications cannot register themselves."
        show_list(COLUMNS, records, as_json=as_json, empty=empty)


@initial_token.command()
@click.argument("public_id", metavar="ID")
@as_operator()
@as_json
def revoke(public_id: str, as_json: bool) -> None:
    """Revoke a token. Applications that it registered stay registered."""
    from idp.clients import initial_tokens

    with unit_of_work() as work:
        name = initial_tokens.revoke(work, public_id).name
    if as_json:
        show_json({"id": public_id, "revoked": True})
    else:
        click.echo(f"The initial access token of {name} is revoked.")


def _described(row: InitialAccessToken) -> dict[str, Any]:
    """A token as a record for output, without the token itself."""
    values = {name: getattr(row, name) for name in COLUMNS if name != "id"}
    return {"id": row.public_id, **values}

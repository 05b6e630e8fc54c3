"""The root command, and what its exit codes mean: 0 done, 1 refused, 2 not understood."""

from __future__ import annotations

import sys

import click
from sqlalchemy.exc import OperationalError

from idp.cli import (
    account,
    audit,
    client,
    demo,
    key,
    participant,
    person,
    registration,
    restore,
    risk,
    role_group,
    scim,
    server,
    settings,
)
from idp.errors import ConfigurationError, DatabaseNotReady, GatewayError


class Root(click.Group):
    """Turns named refusals into messages and exit codes."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except ConfigurationError as error:
            for reason in error.detail.split("; "):
                click.echo(f"configuration: {reason}", err=True)
            sys.exit(2)
        except DatabaseNotReady as error:
            click.echo(f"database: {error.detail}", err=True)
            sys.exit(1)
        except OperationalError as error:
            click.echo(f"database: {str(error.orig).strip().splitlines()[0]}", err=True)
            sys.exit(1)
        except GatewayError as error:
            click.echo(f"refused: {error.detail or error.code}", err=True)
            sys.exit(1)


@click.group(cls=Root)
@click.version_option(package_name="ieso-gateway")
def main() -> None:
    """Run and administer the gateway.

    Settings come from IDP_* variables: see `gateway settings`."""


for command in (
    account.account,
    audit.audit,
    audit.purge,
    client.client,
    demo.demo,
    key.key,
    participant.participant,
    person.person,
    registration.registration,
    restore.restore,
    risk.risk,
    role_group.role_group,
    scim.scim,
    server.db,
    server.serve,
    server.worker,
    settings.settings,
):
    main.add_command(command)

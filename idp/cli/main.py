"""The root command, and what its exit codes mean: 0 done, 1 refused, 2 not understood."""

from __future__ import annotations

import sys

import click
from sqlalchemy.exc import OperationalError

from idp.cli import (
    account_commands,
    audit_commands,
    client_commands,
    demo_command,
    key_commands,
    participant_commands,
    person_commands,
    registration_commands,
    restore_command,
    risk_commands,
    role_group_commands,
    scim_commands,
    server_commands,
    settings_command,
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
    account_commands.account,
    audit_commands.audit,
    audit_commands.purge,
    client_commands.client,
    demo_command.demo,
    key_commands.key,
    participant_commands.participant,
    person_commands.person,
    registration_commands.registration,
    restore_command.restore,
    risk_commands.risk,
    role_group_commands.role_group,
    scim_commands.scim,
    server_commands.db,
    server_commands.serve,
    server_commands.worker,
    settings_command.settings,
):
    main.add_command(command)

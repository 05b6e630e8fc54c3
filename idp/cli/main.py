"""The root command, and what its exit codes mean: 0 done, 1 refused, 2 not understood."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from idp.errors import ConfigurationError, DatabaseNotReady, GatewayError

#: The module of each command, and what the list of commands says of it. A module is imported when
#: its command is used: all of them take seconds.
COMMANDS = {
    "account": ("account_commands", "Accounts of people and machines."),
    "audit": ("audit_commands", "The audit trail."),
    "client": ("client_commands", "Relying parties and other OAuth clients."),
    "db": ("server_commands", "The database."),
    "demo": (
        "demo_command",
        "Start the gateway, three relying parties and the worker, with invented people.",
    ),
    "key": ("key_commands", "Signing keys: next, active, retired, revoked."),
    "participant": (
        "participant_commands",
        "Organizations of the market, for which role groups are given.",
    ),
    "person": ("person_commands", "People as registration knows them."),
    "purge": (
        "audit_commands",
        "Delete what is past use: old codes, tokens, sessions, mails.",
    ),
    "registration": ("registration_commands", "What the registration system pushes."),
    "restore": (
        "restore_command",
        "End what an older backup brings back to life, before the gateway serves it.",
    ),
    "risk": (
        "risk_commands",
        "The risk engine: simulate a log of sign-ins, evaluate the engine on one.",
    ),
    "role-group": ("role_group_commands", "Role groups and who holds them."),
    "scim": (
        "scim_commands",
        "Push an export of the registration system, or compare it with the gateway.",
    ),
    "serve": ("server_commands", "Serve the gateway until told to stop."),
    "settings": ("settings_command", "List every setting: variable, meaning, default."),
    "worker": (
        "server_commands",
        "Answer recovery requests, close accounts, send mails, and more.",
    ),
}


class Root(click.Group):
    """Finds the commands, and turns named refusals into messages and exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - named by click
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - named by click
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"idp.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - named by click
        formatter: click.HelpFormatter,
    ) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

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
        except GatewayError as error:
            click.echo(f"refused: {error.detail or error.code}", err=True)
            sys.exit(1)
        except Exception as error:
            # Imported already where it was raised.
            from sqlalchemy.exc import OperationalError

            if not isinstance(error, OperationalError):
                raise
            click.echo(f"database: {str(error.orig).strip().splitlines()[0]}", err=True)
            sys.exit(1)


@click.group(cls=Root)
@click.version_option(package_name="ieso-gateway")
def main() -> None:
    """Run and administer the gateway.

    Settings come from IDP_* variables: see `gateway settings`."""

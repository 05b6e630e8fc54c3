"""The root command and its exit codes: 0 success, 1 refused, 2 usage error."""

from __future__ import annotations

import sys
from importlib import import_module
from keyword import iskeyword

import click

from idp.errors import ConfigurationError, DatabaseNotReady, ServiceError

#: The module of each command, and its line in the help. A module is imported only when its command
#: is used, because importing all of them takes seconds.
COMMANDS = {
    "account": ("account_commands", "Accounts of people and machines."),
    "apply": (
        "apply_command",
        "Make clients, role groups and participants as a file says.",
    ),
    "audit": ("audit_commands", "Audit log."),
    "client": ("client_commands", "Relying parties and other OAuth clients."),
    "db": ("database_commands", "Database."),
    "demo": (
        "demo_command",
        "Start the gateway, its worker, four applications and registration with demo accounts.",
    ),
    "doctor": (
        "doctor_command",
        "Check settings, database, keys, clocks, mail, TLS and the public address.",
    ),
    "export": ("apply_command", "Print clients, role groups and participants for `apply`."),
    "import": ("import_command", "Create the accounts of a new installation from a file."),
    "initial-token": (
        "initial_token_commands",
        "Initial access tokens, with which applications register themselves.",
    ),
    "key": ("key_commands", "Signing keys, and the encryption of stored values."),
    "participant": (
        "participant_commands",
        "Market participants.",
    ),
    "person": ("person_commands", "People in the registration system."),
    "purge": (
        "audit_commands",
        "Delete expired codes, tokens, sessions and messages.",
    ),
    "registration": ("registration_commands", "Mass-change circuit breaker of registration."),
    "restore": (
        "restore_command",
        "Make a restored backup safe before you start the gateway.",
    ),
    "risk": (
        "risk_commands",
        "Simulate sign-ins and evaluate the risk engine.",
    ),
    "role-group": ("role_group_commands", "Role groups and their assignments."),
    "scim": (
        "scim_commands",
        "Push an export of the registration system, or compare it with the gateway.",
    ),
    "serve": ("server_commands", "Start the gateway."),
    "settings": ("settings_command", "List all settings."),
    "worker": (
        "server_commands",
        "Start the worker.",
    ),
}


class RootGroup(click.Group):
    """Loads the commands on demand, and maps refusals to messages and exit codes."""

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
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(module, f"{name}_" if iskeyword(name) else name)
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
        except ServiceError as error:
            click.echo(f"refused: {error.detail or error.code}", err=True)
            sys.exit(1)
        except Exception as error:
            # Loaded where it was raised, if it is one.
            database = sys.modules.get("sqlalchemy.exc")
            if database is None or not isinstance(error, database.OperationalError):
                raise
            click.echo(f"database: {str(error.orig).strip().splitlines()[0]}", err=True)
            sys.exit(1)


@click.group(cls=RootGroup)
@click.version_option(package_name="ieso-gateway")
def main() -> None:
    """Run and administer the gateway.

    Settings are read from IDP_* environment variables. See `gateway settings`."""

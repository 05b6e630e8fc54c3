"""The command ``registration``: the processes of an installation, its tables and its catalogue."""

from registration.cli import gateway_commands  # noqa: F401 - adds its commands
from registration.cli.commands import main
from service_base import garbage

__all__ = ["main"]

garbage.search_rarely()

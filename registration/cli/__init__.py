"""The command ``registration``: the processes of an installation, its tables and its catalogue, and
what a person with an access token may read and change."""

from registration.cli import (  # noqa: F401 - add their commands
    access_commands,
    contact_commands,
    desk_commands,
    gateway_commands,
    operator_commands,
    person_commands,
)
from registration.cli.commands import main
from service_base import garbage

__all__ = ["main"]

garbage.search_rarely()

"""The command ``registration``: the processes of an installation, its tables and its catalogue."""

from registration.cli.commands import main

__all__ = ["main"]

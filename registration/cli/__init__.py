"""The command ``registration``: the processes of an installation, its tables and its catalogue."""

import atexit
import gc

from registration.cli.commands import main

__all__ = ["main"]

# At its end the interpreter looks at each object that is left: a fifth of the time of a command.
atexit.register(gc.freeze)

"""The command line, ``gateway``. It uses the same services as the pages and is audited in the same
way."""

import atexit
import gc

from idp.cli.main import main

__all__ = ["main"]

# At its end the interpreter looks at each object that is left: a fifth of the time of a command.
atexit.register(gc.freeze)

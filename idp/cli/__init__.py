"""The command line: ``gateway``. The same services as the pages use, audited in the same way."""

from idp.cli.main import main

__all__ = ["main"]

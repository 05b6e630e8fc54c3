"""The command line, ``gateway``. It uses the same services as the pages and is audited in the same
way."""

from idp.cli.main import main
from service_base import garbage

__all__ = ["main"]

garbage.search_rarely()

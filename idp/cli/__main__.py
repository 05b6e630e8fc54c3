"""``python -m idp.cli`` is the command ``gateway``."""

from idp.cli.main import main

main()

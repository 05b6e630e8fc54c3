"""``python -m registration.cli``."""

from registration.cli.commands import main

main(prog_name="registration")

"""The root command: what it lists, and what that costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from idp import cli
from idp.cli.main import COMMANDS, main

#: The first words of a summary that is shorter than the help of its command.
WORDS = 2


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_command(option: str) -> None:
    """They answer at once: what takes long to import is not needed for them."""
    program = (
        "import sys; from idp.cli.main import main\n"
        f"main([{option!r}], standalone_mode=False)\n"
        "assert not {'flask', 'sqlalchemy', 'idp.app'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " in done.stdout or "version" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_listed_command_exists_and_has_the_listed_summary(name: str) -> None:
    """The summary is kept apart from the command, and must not say something else."""
    command = main.get_command(click.Context(main), name)
    assert command
    assert command.name == name
    beginning = " ".join(COMMANDS[name][1].split()[:WORDS])
    assert " ".join((command.help or "").split()).startswith(beginning)


def test_every_module_with_commands_is_listed() -> None:
    """In order of their names; what is not there is unknown."""
    found = {path.stem for path in Path(cli.__file__).parent.glob("*_command*.py")}
    # Those of proposals are commands of ``client``, those of machines of ``account``.
    assert {module for module, _ in COMMANDS.values()} == found - {
        "machine_commands",
        "proposal_commands",
    }
    assert list(COMMANDS) == sorted(COMMANDS)
    assert main.get_command(click.Context(main), "nothing") is None

"""Every command line that a document names is one that ``gateway`` or ``registration`` takes."""

from __future__ import annotations

import contextlib
import copy
import itertools
import re
import shlex
from pathlib import Path

import click
import pytest

from idp.cli import main
from registration.cli import main as registration_main

PROGRAMS: dict[str, click.Group] = {"gateway": main, "registration": registration_main}
ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "benchmarks/*.md", "compose.yaml")
    for path in ROOT.glob(pattern)
)
#: Scripts that run a program with the settings of its units.
SCRIPTS = {"deploy/systemd/run": "gateway", "deploy/systemd/run-registration": "registration"}
#: What stands for a value in prose where only some values are taken.
PLACEHOLDERS = {"ACTION": "unlock", "DATE": "2026-01-31", "N": "5"}


def lines(text: str) -> list[tuple[str, bool]]:
    """The command lines of a document; those in blocks are whole, those in prose may be parts."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    found = [(line, True) for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    found += [(" ".join(code.split()), False) for code in re.findall(r"`([^`]+)`", prose)]
    found += [(line, True) for line in re.findall(r"exec gateway (gateway .*)", text)]
    for script, program in SCRIPTS.items():
        found = [(re.sub(rf"^\s*{script}(?= )", program, line), whole) for line, whole in found]
    start = re.compile(rf"\s*({'|'.join(PROGRAMS)}) [a-z-]")
    return [(line.strip(), whole) for line, whole in found if start.match(line)]


def parse(line: str, *, is_whole: bool) -> None:
    """Take the line apart as its program does, and do nothing. Raises UsageError."""
    program, *words = (PLACEHOLDERS.get(word, word) for word in shlex.split(line, comments=True))
    words = list(itertools.takewhile(lambda word: word not in {">", "|"}, words))
    command: click.Command = PROGRAMS[program]
    context = click.Context(command)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            raise click.UsageError(f"no command {words[0]}")
        command, words = found, words[1:]
    if isinstance(command, click.Group) and not words and not is_whole:
        return
    if not is_whole:
        command = copy.copy(command)
        command.params = [copy.copy(param) for param in command.params]
        for param in command.params:
            param.required = False
            if isinstance(param.type, click.Choice):
                param.type = click.Choice([*param.type.choices, "..."])
    ignored = () if is_whole else (click.BadOptionUsage,)  # an option named without its value
    with contextlib.suppress(click.exceptions.Exit, *ignored):
        command.make_context(command.name, words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_documented_command_lines_are_valid(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """README, docs and the other documents: no command, option or value that is not there."""
    found = lines((ROOT / document).read_text())
    monkeypatch.chdir(tmp_path)
    for line, is_whole in found:
        for word in shlex.split(line, comments=True):
            if word == "FILE" or re.fullmatch(
                r"(\$?[\w-]+/)*[\w-]+\.(csv|pem|pub|jsonl?|yaml)", word
            ):
                Path(word).parent.mkdir(parents=True, exist_ok=True)
                Path(word).touch()
        try:
            parse(line, is_whole=is_whole)
        except click.UsageError as error:
            raise AssertionError(f"{document}: {line}: {error.format_message()}") from error


def test_the_documents_contain_command_lines() -> None:
    """So that the test above reads what it should."""
    text = "\n".join((ROOT / document).read_text() for document in DOCUMENTS)
    found = lines(text)
    assert len(found) > 25
    whole = [line for line, is_whole in found if is_whole]
    assert any(line.startswith("gateway client create --client-id emi") for line in whole)
    assert {"registration db upgrade", "registration history verify"} <= {line for line, _ in found}


@pytest.mark.parametrize(
    "line",
    [
        "gateway account create --kind robot",
        "gateway account make",
        "gateway account create --name Ada",
        "gateway client update ID --second-factor ALWAYS",
        "registration db downgrade",
        "registration worker --twice",
    ],
)
def test_an_invalid_documented_command_line_is_found(line: str) -> None:
    """Unknown commands, options and values are faults of a document, in prose too."""
    with pytest.raises(click.UsageError):
        parse(line, is_whole=False)

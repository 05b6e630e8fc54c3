"""The clients of ``make interop``: what is registered for them, and what the documents say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from idp.declarations import declared_file
from idp.declarations.declared_fields import Section
from interop import install, recipes
from interop.catalogue import CLIENTS, Client
from interop.run import PROGRAMS, Result, declaration, table

DOCUMENT = Path(__file__).parents[1] / "docs" / "interoperability.md"
EACH = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.id)


@EACH
def test_the_document_has_the_results_of_the_client(client: Client) -> None:
    """Every step that its library has was seen to succeed."""
    rows = DOCUMENT.read_text(encoding="utf-8").splitlines()
    (row,) = [row for row in rows if row.startswith(f"| {client.name} |")]
    _name, version, signed_in, role_groups, refresh, logout, backchannel, frame = (
        cell.strip() for cell in row.strip("|").split("|")
    )
    assert version
    assert (signed_in, role_groups) == ("ok", "ok")
    assert refresh == ("ok" if client.refreshes else "–")
    assert logout == ("ok" if client.signs_out else "own session")
    assert backchannel == ("ok" if client.backchannel else "–")
    assert frame == ("ok" if client.monitors else "–")


def test_the_columns_of_the_document_are_those_of_the_runner() -> None:
    assert DOCUMENT.read_text(encoding="utf-8").count(table([])) == 1


def test_every_program_belongs_to_a_client() -> None:
    programs = {path.name for path in PROGRAMS.iterdir() if path.is_file()} - {"__init__.py"}
    assert {client.program for client in CLIENTS} == programs


def test_the_gateway_reads_the_declaration_of_all_clients() -> None:
    """RFC 9700 section 2.1.1: all send PKCE, except those whose library cannot."""
    clients = {client.id: client for client in CLIENTS if not client.recipe}
    text = declaration(clients, dict.fromkeys(clients, "http://localhost:18000"))
    declared = declared_file.read(text)
    assert declared.faults == []
    entries = declared.of(Section.CLIENTS)
    assert {entry.name for entry in entries} == set(clients)
    without_pkce = {entry.name for entry in entries if not entry.values["require_pkce"]}
    assert without_pkce == {"passport-openidconnect"}


@pytest.mark.parametrize(
    "client", [one for one in CLIENTS if one.recipe], ids=lambda client: client.id
)
def test_the_recipe_of_the_client_can_be_run(client: Client) -> None:
    """No placeholder of the document is left, and what a trial cannot wait for is in it."""
    recipe = recipes.read(client.recipe)
    assert recipe.commands[0][:2] == ("client", "create")
    assert recipe.role_group
    issuer, base = "http://localhost:18100", "http://localhost:18000"
    texts = [word for words in recipe.commands for word in words] + list(recipe.files.values())
    run = "\n".join(recipes.filled(text, recipe, issuer, base) for text in texts)
    assert base in run
    assert ".example" not in run
    assert all(run.count(slow) == 1 for slow, _quick in client.hurried)


def test_a_client_whose_tools_are_missing_is_not_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(install, "INSTALLED", tmp_path)
    client = replace(CLIENTS[0], needs=("a-tool-of-no-machine",))
    with pytest.raises(install.Absent, match="not run: it needs a-tool-of-no-machine"):
        install.install(client)
    result = Result(client.name)
    assert (result.is_absent, result.has_failed) == (True, False)

"""What commands load: a command starts without the libraries that it does not use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.world import World, environ_of

#: Pages, endpoints, the bridge, and what only the processes of an installation need.
WEB = {
    "alembic", "authlib", "babel", "flask", "flask_babel", "flask_limiter", "flask_sqlalchemy",
    "flask_wtf", "granian", "jinja2", "werkzeug",
    "holidays", "idp.app", "idp.oidc", "idp.web", "limits", "opentelemetry", "phonenumbers",
    "pydantic",
    "prometheus_client", "registration_bridge", "requests", "rich", "scim2_flask", "scim2_models",
    "scim2_server", "segno", "structlog", "ua_parser", "webauthn",
}  # fmt: skip
#: For the keys of clients.
KEYS = {"idp.credentials.assertions", "joserfc"}
#: Of registration: its pages, and what pushes to the gateway.
PAGES = {"babel", "flask", "granian", "idp", "jinja2", "registration.pages", "werkzeug"}
BRIDGE = {"authlib", "joserfc", "registration_bridge.bridge_client", "requests"}
#: What a help page does not need either.
DATABASE = {
    "babel", "bcrypt", "cryptography", "email_validator", "flask", "idp.models", "jinja2",
    "joserfc", "sqlalchemy", "werkzeug", "yaml",
}  # fmt: skip
HELP = """
import sys
import click
from click.testing import CliRunner
from idp.cli import main

def show(command, words):
    assert CliRunner().invoke(main, [*words, "--help"]).exit_code == 0, words
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            show(command.get_command(click.Context(command), name), [*words, name])

show(main, [])
"""
RUN = """
import sys
from click.testing import CliRunner
from idp.cli import main
result = CliRunner().invoke(main, sys.argv[1:])
assert result.exit_code == 0, result.output
"""
WSGI = """
import sys
from werkzeug.test import Client
import wsgi
answer = Client(wsgi.app).get("/healthz", base_url=sys.argv[1])
assert answer.status_code == 200, answer.status
"""
LOADED = "\nimport json\nprint(json.dumps(sorted(sys.modules)))"


def loaded(world: World, program: str, *arguments: str, **more: str) -> set[str]:
    """The modules that the program has loaded at its end."""
    order = [sys.executable, "-c", program + LOADED, *arguments]
    environ = os.environ | environ_of(world) | more
    done = subprocess.run(order, env=environ, check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout))


def test_no_help_loads_a_library_of_the_gateway(world: World) -> None:
    """The help of every command, one after the other, in one process."""
    found = loaded(world, HELP)
    assert "idp.cli.account_commands" in found
    assert found & (WEB | DATABASE) == set()


@pytest.mark.parametrize(
    "order",
    [
        ["account", "list"],
        ["audit", "verify"],
        ["client", "list"],
        ["key", "list"],
        ["participant", "list"],
        ["role-group", "list"],
        ["client", "create", "--name", "EMI", "--redirect-uri", "https://emi.example/callback"],
        ["role-group", "create", "EMI Viewer"],
        ["participant", "create", "109120", "Northern Lakes"],
        ["apply", "--builtin", "ieso", "--dry-run"],
        ["purge"],
    ],
    ids=" ".join,
)
def test_a_command_loads_neither_pages_nor_endpoints(world: World, order: list[str]) -> None:
    """Those that connect an application, and lists."""
    assert loaded(world, RUN, *order) & WEB == set()


def test_a_command_loads_only_the_models_and_the_dialect_that_it_uses(world: World) -> None:
    found = loaded(world, RUN, "role-group", "list")
    assert {name for name in found if name.startswith("idp.models.")} == {
        "idp.models.client", "idp.models.logo", "idp.models.revision", "idp.models.role",
    }  # fmt: skip
    dialects = {"sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql"}
    if world.settings.database_url.startswith("sqlite"):
        assert found & dialects == {"sqlalchemy.dialects.sqlite"}


def test_a_command_that_grants_a_role_group_loads_no_session(world: World) -> None:
    """Nor an application: it only asks whether any receives security events."""
    world.account("ashworth")
    world.participant("109120")
    world.role_group("EMI Viewer")
    order = ["--account", "ashworth", "--role-group", "EMI Viewer", "--participant", "109120"]
    found = loaded(world, RUN, "role-group", "assign", *order)
    assert "idp.messages.rendering" in found
    assert found & {"idp.models.client", "idp.models.grant", "idp.models.session"} == set()


@pytest.mark.parametrize("order", [["client", "list"], ["client", "show", "emi"], ["export"]])
def test_a_command_that_reads_no_key_loads_no_cryptography_of_keys(
    world: World, order: list[str]
) -> None:
    world.relying_party("EMI")
    assert loaded(world, RUN, *order) & KEYS == set()


@pytest.mark.parametrize("order", [["settings"], ["history", "verify"], ["worker", "--once"]])
def test_a_command_of_registration_loads_no_pages(
    world: World, order: list[str], tmp_path: Path
) -> None:
    """Neither its own nor those of the gateway."""
    program = RUN.replace("from idp.cli", "from registration.cli")
    address = f"sqlite:///{tmp_path / 'registration.db'}"
    environ = {"REGISTRATION_SECRET_KEY": "r" * 40, "REGISTRATION_DATABASE_URL": address}
    order_of_upgrade = [sys.executable, "-m", "registration.cli", "db", "upgrade"]
    subprocess.run(order_of_upgrade, env=os.environ | environ, check=True, capture_output=True)
    found = loaded(world, program, *order, **environ)
    assert found & PAGES == set()
    if order != ["worker", "--once"]:
        assert found & BRIDGE == set()


def test_the_worker_loads_no_pages(world: World) -> None:
    """Of ``idp.oidc`` only what signs logout tokens; neither Flask nor an endpoint."""
    assert loaded(world, RUN, "worker", "--once") & (WEB - {"idp.oidc"}) == set()


def test_any_wsgi_server_can_serve_the_gateway(world: World) -> None:
    """``wsgi:app``, wired from the environment. Without a collector, nothing of OpenTelemetry is
    loaded."""
    found = loaded(world, WSGI, world.settings.issuer)
    assert "wsgi" in found
    assert not [name for name in found if name.startswith("opentelemetry")]

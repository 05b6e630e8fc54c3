"""The programs of the documents: their syntax, and one that runs against the gateway."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from werkzeug.serving import make_server

from idp.app import create_app
from idp.directory import accounts
from idp.machines import machine_keys, registered_networks
from idp.models import AccountKind
from idp.policy.scopes import DEVICE_CODE, TOKEN_EXCHANGE
from tests.security.test_signed_tokens import claims_of
from tests.world import World

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("docs/recipes/README.md", "docs/relying-parties.md")
BLOCKS = [
    (f"{name}:{text[: found.start()].count(chr(10)) + 1}", found[1], found[2])
    for name in DOCUMENTS
    if (text := (ROOT / name).read_text(encoding="utf-8"))
    for found in re.finditer(r"^```(python|js|sh)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
]


def block(words: str) -> str:
    """The one program that contains these words."""
    (found,) = [code for _place, _language, code in BLOCKS if words in code]
    return found


@pytest.mark.parametrize(("place", "language", "code"), BLOCKS, ids=[one[0] for one in BLOCKS])
def test_the_programs_of_the_documents_can_be_read(
    place: str, language: str, code: str, tmp_path: Path
) -> None:
    """Python by its parser, JavaScript by Node.js where it is installed, and those of the shell."""
    if language == "python":
        ast.parse(dedent(code), place)
    elif language == "sh":
        subprocess.run(["sh", "-n"], input=code, text=True, check=True)
    elif node := shutil.which("node"):
        file = tmp_path / "recipe.mjs"
        file.write_text(code, encoding="utf-8")
        done = subprocess.run([node, "--check", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_recipes_are_those_that_the_documents_name() -> None:
    """A recipe says with what it was run and what was seen."""
    text = (ROOT / DOCUMENTS[0]).read_text(encoding="utf-8")
    parts = text.split("\n## ")[1:]
    assert len(parts) == 14
    for part in parts:
        title = part.partition("\n")[0]
        assert "\nRun with " in part, title
        assert "\n- Seen: " in part, title
        assert "\ngateway role-group create " in part, title


def test_the_program_with_a_key_gets_a_token(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """MA-05: as the recipe has it; its two libraries are replaced by what they do here."""
    nothing: dict[str, Any] = {"grant_types": (), "scopes": (), "redirect_uris": ()}
    audience = "https://prices.example"
    api = world.relying_party("Prices", audience=audience, is_resource_server=True, **nothing)
    world.role_group("Prices Web Services", api.client_id, kind="machine")
    program = world.account("APIIESO00042", kind=AccountKind.MACHINE)
    world.grant_role(program, "Prices Web Services")
    key = ECKey.generate_key("P-256")
    with world.work() as work:
        row = accounts.by_username(work, program)
        machine_keys.add(work, row, key.as_pem(private=False).decode(), label="Robot")
        registered_networks.replace(work, row, [("127.0.0.1", "here")])
    (tmp_path / "robot.pem").write_bytes(key.as_pem(private=True))
    monkeypatch.chdir(tmp_path)
    issuer = world.settings.issuer
    monkeypatch.setenv("ISSUER", issuer)
    monkeypatch.setenv("SERVICE", f"{issuer}/prices")
    called: list[dict[str, Any]] = []

    def post(url: str, data: dict[str, str], timeout: int) -> SimpleNamespace:
        answer = world.app.test_client().post(url.removeprefix(issuer), data=data, base_url=issuer)
        assert (answer.status_code, timeout) == (200, 10), answer.text
        return SimpleNamespace(raise_for_status=lambda: None, json=lambda: answer.json)

    def get(_url: str, headers: dict[str, str], timeout: int) -> SimpleNamespace:
        token = headers["Authorization"].removeprefix("Bearer ")
        called.append(world.introspect(api, token))
        return SimpleNamespace(status_code=200, text=str(timeout))

    def encode(claims: dict[str, Any], pem: bytes, alg: str) -> str:
        now = int(world.clock.now().timestamp())
        fresh = claims | {"iat": now, "exp": now + claims["exp"] - claims["iat"]}
        return jwt.encode({"alg": alg}, fresh, ECKey.import_key(pem), algorithms=[alg])

    for name, members in (("requests", {"post": post, "get": get}), ("jwt", {"encode": encode})):
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    exec(compile(block('Path("robot.pem")'), "robot.py", "exec"), {})  # noqa: S102
    (seen,) = called
    assert (seen["active"], seen["client_id"]) == (True, "APIIESO00042")
    assert seen["aud"] == "https://prices.example"
    assert seen["groups"] == ["Prices Web Services"]


@contextmanager
def served(world: World) -> Iterator[World]:
    """The gateway at an address that other programs can reach."""
    server = make_server("127.0.0.1", 0, world.app, threaded=True)
    settings = replace(world.settings, issuer=f"http://127.0.0.1:{server.port}")
    server.app = create_app(settings, world.app.extensions["runtime"].ports)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield replace(world, settings=settings, app=server.app)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.skipif(not shutil.which("jq") or not shutil.which("curl"), reason="needs curl and jq")
def test_the_program_without_a_browser_gets_a_token(world: World, tmp_path: Path) -> None:
    """RFC 8628: as the document has it, with a shorter sleep; it is slowed down on its way."""
    world.relying_party(
        client_id="price-terminal", auth_method="none", redirect_uris=(), trusted=False,
        grant_types=(DEVICE_CODE, "refresh_token"), audience="https://prices.example",
    )  # fmt: skip
    username = world.account()
    (tmp_path / "sleep").write_text("#!/bin/sh\nexec /bin/sleep 0.2\n")
    (tmp_path / "sleep").chmod(0o755)
    with served(world) as gateway, subprocess.Popen(
        ["sh", "-e", "-c", block("CLIENT=price-terminal")], stdout=subprocess.PIPE, text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "ISSUER": gateway.settings.issuer},
    ) as program:  # fmt: skip
        assert program.stdout
        shown = program.stdout.readline()
        found = re.fullmatch(r"Open http://127.0.0.1:\d+(/device) and enter the code (.+)\n", shown)
        assert found, shown
        browser = gateway.browser()
        page = browser.submit(browser.get(found[1]), "/device", user_code=found[2])
        page = browser.sign_in(username, page=page)
        browser.submit(page, "/device/confirm", decision="allow")
        token = program.stdout.read().strip()
    assert program.returncode == 0
    assert claims_of(token)["aud"] == "https://prices.example"


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_the_service_that_exchanges_a_token_gets_one(world: World) -> None:
    """RFC 8693: as the document has it."""
    prices, settlements = "https://prices.example", "https://settlements.example"
    service = world.relying_party(
        "Prices", grant_types=(TOKEN_EXCHANGE,), redirect_uris=(), scopes=("groups",),
        audience=prices, exchange_audiences=(settlements,), is_resource_server=True,
    )  # fmt: skip
    world.relying_party("Settlements", audience=settlements)
    rp, username = world.relying_party(audience=prices), world.account()
    with served(world) as gateway:
        environment = {
            "PATH": "/usr/bin:/bin",
            "ISSUER": gateway.settings.issuer,
            "SECRET": service.secret,
            "RECEIVED": gateway.signed_in_tokens(rp, username)["access_token"],
        }
        done = subprocess.run(
            ["sh", "-e", "-c", block("subject_token=$RECEIVED")], env=environment, text=True,
            capture_output=True, check=True,
        )  # fmt: skip
    answer = json.loads(done.stdout)
    assert claims_of(answer["access_token"])["aud"] == settlements

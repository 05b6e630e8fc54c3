"""The programs of the documents: their syntax, and one that runs against the gateway."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from idp.directory import accounts
from idp.machines import machine_keys, registered_networks
from idp.models import AccountKind
from tests.world import World

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("docs/recipes/README.md", "docs/relying-parties.md")
BLOCKS = [
    (f"{name}:{text[: found.start()].count(chr(10)) + 1}", found[1], found[2])
    for name in DOCUMENTS
    if (text := (ROOT / name).read_text(encoding="utf-8"))
    for found in re.finditer(r"^```(python|js)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
]


def block(words: str) -> str:
    """The one program that contains these words."""
    (found,) = [code for _place, _language, code in BLOCKS if words in code]
    return found


@pytest.mark.parametrize(("place", "language", "code"), BLOCKS, ids=[one[0] for one in BLOCKS])
def test_the_programs_of_the_documents_can_be_read(
    place: str, language: str, code: str, tmp_path: Path
) -> None:
    """Python by its parser, JavaScript by Node.js where it is installed."""
    if language == "python":
        ast.parse(dedent(code), place)
    elif node := shutil.which("node"):
        file = tmp_path / "recipe.mjs"
        file.write_text(code, encoding="utf-8")
        done = subprocess.run([node, "--check", file], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_recipes_are_those_that_the_documents_name() -> None:
    """A recipe says with what it was run and what was seen."""
    text = (ROOT / DOCUMENTS[0]).read_text(encoding="utf-8")
    parts = text.split("\n## ")[1:]
    assert len(parts) == 12
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

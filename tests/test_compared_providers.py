"""The benchmark beside other providers: what is absent or fails is named, and the run goes on."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare, providers
from benchmarks.load import Load, Result
from benchmarks.peers import lemonldap
from benchmarks.provider import NotInstalled, Server

FAILS = "/fails"


def server(name: str, userinfo: str, **more: Any) -> Server:
    return Server(
        name=name, port=1, leader=0, authorization="Basic x", token="/token", introspection="/look",
        userinfo=userinfo, keys="/keys", discovery="/about", access_token="a",
        **{"refresh_tokens": [], "file": ""} | more,
    )  # fmt: skip


@contextmanager
def here(_folder: str, _port: int) -> Iterator[tuple[Server, str]]:
    yield server(compare.OURS, "/userinfo"), "of today"


@contextmanager
def failing(_folder: str, _port: int) -> Iterator[tuple[Server, str]]:
    yield server("peer", FAILS), "1.0"


def absent(_folder: str, _port: int) -> Any:
    raise NotInstalled("glewlwyd")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run the benchmark of these providers without any load; returns the chart."""

    def measured(_port: int, load: Load, *_rest: Any) -> Result:
        failed = 3 if load.path == FAILS else 0
        return Result(
            answers=3, failed=failed, rate=1, cpu_ms=0.5, database_ms=0, p50_ms=1, p99_ms=2
        )

    def loads(self: Server) -> Iterator[tuple[str, Load]]:
        yield "userinfo", Load(path=self.userinfo)
        yield "JWKS", Load(path=self.keys)

    def played(*peers: Any) -> str:
        file = tmp_path / "chart.svg"
        monkeypatch.setattr(compare, "PEERS_OF_RUN", peers)
        monkeypatch.setattr(sys, "argv", ["compare", "--svg", str(file)])
        compare.main()
        return file.read_text(encoding="utf-8")

    monkeypatch.setattr(compare, "measure", measured)
    monkeypatch.setattr(Server, "loads", loads)
    return played


def test_the_run_goes_on_without_a_peer(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    chart = run(here, absent, failing)
    seen = capsys.readouterr()
    assert "glewlwyd is not installed" in seen.err
    assert "peer, userinfo: 3 of 3 failed" in seen.err
    assert seen.out.split("\n")[2].split() == ["userinfo", "peer", "fails"]
    texts = re.findall(r">([^<>]+)</text>", chart)
    assert {compare.OURS, "peer", "userinfo", "JWKS"} <= set(texts)
    assert texts.count("0.50") == 3


def test_a_request_that_the_gateway_fails_ends_the_run(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "OURS", "peer")
    with pytest.raises(SystemExit, match="3 of 3 failed"):
        run(failing)


@pytest.fixture
def without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lemonldap, "PROGRAM", None)
    monkeypatch.setattr(providers.glewlwyd_peer, "PROGRAM", None)


@pytest.mark.parametrize("name", ["glewlwyd", "lemonldap"])
@pytest.mark.usefixtures("without_programs")
def test_a_peer_of_the_system_that_is_absent_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(NotInstalled, match=r"(?i)^" + name), getattr(providers, name)(tmp_path, 1):
        pass


@pytest.mark.parametrize("is_rotating", [True, False])
def test_refresh_tokens_are_used_up_only_where_they_are_replaced(
    is_rotating: bool, tmp_path: Path
) -> None:
    """RFC 6749 section 6: a provider may issue a new refresh token, or keep the old one."""
    file = tmp_path / "tokens"
    asked = server(
        "peer", "/me", refresh_tokens=["r1", "r2"], file=str(file), is_rotating=is_rotating
    )
    load = asked._refresh({})
    if is_rotating:
        assert file.read_text() == "r1\nr2\n"
        assert load.script == {"LOAD_TAKE": str(file), "LOAD_ROTATE": "1"}
    else:
        assert (load.body, load.script) == ("grant_type=refresh_token&refresh_token=r1", {})


def test_lemonldap_stores_its_sessions_in_the_database_of_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lemonldap.os, "geteuid", lambda: 1000)
    shell, _, line = lemonldap.command(str(tmp_path), 1234, "secret")
    assert shell == "sh"
    assert "--user" not in line
    assert "user www-data" not in (tmp_path / "nginx.conf").read_text()
    made = json.loads((tmp_path / "conf" / "lmConf-1.json").read_text())
    for storage in ("globalStorageOptions", "persistentStorageOptions"):
        assert made[storage]["DataSource"] == f"dbi:SQLite:dbname={tmp_path / 'sessions.db'}"
    assert made["portal"] == "http://127.0.0.1:1234/"

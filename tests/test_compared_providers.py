"""The benchmark beside other providers: what is absent or fails is named, and the run goes on."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare
from benchmarks.load import Load, Result

FAILS = "/fails"


def server(name: str, userinfo: str) -> compare.Server:
    return compare.Server(
        name=name, port=1, leader=0, authorization="Basic x", token="/token", introspection="/look",
        userinfo=userinfo, keys="/keys", discovery="/about", access_token="a", refresh_tokens=[],
        file="",
    )  # fmt: skip


@contextmanager
def here(_folder: str, _port: int) -> Iterator[tuple[compare.Server, str]]:
    yield server(compare.OURS, "/userinfo"), "of today"


@contextmanager
def failing(_folder: str, _port: int) -> Iterator[tuple[compare.Server, str]]:
    yield server("peer", FAILS), "1.0"


def absent(_folder: str, _port: int) -> Any:
    raise compare.NotInstalled("glewlwyd")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run the benchmark of these providers without any load; returns the chart."""

    def measured(_port: int, load: Load, *_rest: Any) -> Result:
        failed = 3 if load.path == FAILS else 0
        return Result(
            answers=3, failed=failed, rate=1, cpu_ms=0.5, database_ms=0, p50_ms=1, p99_ms=2
        )

    def loads(self: compare.Server) -> Iterator[tuple[str, Load]]:
        yield "userinfo", Load(path=self.userinfo)
        yield "JWKS", Load(path=self.keys)

    def played(*peers: Any) -> str:
        file = tmp_path / "chart.svg"
        monkeypatch.setattr(compare, "PEERS_OF_RUN", peers)
        monkeypatch.setattr(sys, "argv", ["compare", "--svg", str(file)])
        compare.main()
        return file.read_text(encoding="utf-8")

    monkeypatch.setattr(compare, "measure", measured)
    monkeypatch.setattr(compare.Server, "loads", loads)
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

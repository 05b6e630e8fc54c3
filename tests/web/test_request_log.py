"""The log of requests."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest

from idp.web import request_log
from service_base import logs
from service_base.request_ids import RequestIds
from tests.world import World

GATEWAY = logging.getLogger("gateway")


class SmallDisk:
    """Takes so many bytes, then none."""

    def __init__(self) -> None:
        self.room, self.kept = 0, b""

    def write(self, _number: int, text: bytes) -> int:
        piece = text[: self.room]
        if not piece:
            raise OSError(28, "No space left on device")
        self.room -= len(piece)
        self.kept += piece
        return len(piece)

    def lines(self) -> list[str]:
        return self.kept.decode().splitlines()


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SmallDisk:
    made = SmallDisk()
    monkeypatch.setattr(os, "write", made.write)
    return made


@pytest.fixture
def full(world: World, disk: SmallDisk) -> Iterator[SmallDisk]:
    """The log is on a disk without room."""
    with open(os.devnull, "w") as stream:
        logs.configure("INFO", stream)
        yield disk
    logs.configure(world.settings.log_level)


def test_r13_a_log_that_cannot_be_written_fails_no_request(world: World, full: SmallDisk) -> None:
    """R13: the lines are lost, and the requests are answered. When there is room, the log says how
    many were lost, once."""
    browser = world.browser()
    for _ in range(3):
        assert browser.get("/signin").status_code == 200
    assert full.lines() == []
    full.room = 10_000
    for _ in range(2):
        assert browser.get("/signin").status_code == 200
    lost, *rest = [json.loads(line) for line in full.lines()]
    assert (lost["event"], lost["count"], lost["level"]) == (logs.LOST, 3, "error")
    assert [line["event"] for line in rest] == ["request", "request"]


def test_r13_a_line_that_was_cut_ends_before_the_next_one(full: SmallDisk) -> None:
    full.room = 20
    logs.write_info(GATEWAY, "cut", "")
    logs.write_info(GATEWAY, "lost", "")
    full.room = 10_000
    logs.write_info(GATEWAY, "whole", "")
    cut, lost, whole = full.lines()
    assert len(cut) == 20
    assert json.loads(lost)["count"] == 2
    assert json.loads(whole)["event"] == "whole"


def test_r13_a_forked_process_does_not_tell_the_losses_of_its_parent(full: SmallDisk) -> None:
    logs.write_info(GATEWAY, "lost", "")
    logs.forget_losses()
    full.room = 10_000
    logs.write_info(GATEWAY, "whole", "")
    (line,) = full.lines()
    assert json.loads(line)["event"] == "whole"


@pytest.mark.parametrize("path", ["/a b", '/"\\', "/\n\x00\x1b", "/\xe9\u2028", "/\ud800", "/{}"])
def test_n83_a_line_of_a_request_is_one_object_whatever_its_path_has(
    full: SmallDisk, path: str
) -> None:
    """N83: it is the line that the encoder of JSON would make."""
    full.room = 10_000
    ids = RequestIds("a" * 32, "b" * 16)
    ids.is_asked_by(path)
    request_log.write(
        ids=ids, endpoint=None, method=path, path=path, status=404, started=0.0, ip=None
    )
    (line,) = full.lines()
    found = json.loads(line)
    assert line == json.dumps(found)
    assert found.pop("ms") > 0
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "trace_id": "a" * 32, "request_id": "b" * 16, "account": path, "method": path,
        "path": path, "status": 404, "ip": None, "event": "request", "level": "info",
        "logger": "gateway.request",
    }  # fmt: skip

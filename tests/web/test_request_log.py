"""The log of requests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from service_base import logs
from tests.world import World


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
    logs.write_info("gateway", "cut", {})
    logs.write_info("gateway", "lost", {})
    full.room = 10_000
    logs.write_info("gateway", "whole", {})
    cut, lost, whole = full.lines()
    assert len(cut) == 20
    assert json.loads(lost)["count"] == 2
    assert json.loads(whole)["event"] == "whole"


def test_r13_a_forked_process_does_not_tell_the_losses_of_its_parent(full: SmallDisk) -> None:
    logs.write_info("gateway", "lost", {})
    logs.forget_losses()
    full.room = 10_000
    logs.write_info("gateway", "whole", {})
    (line,) = full.lines()
    assert json.loads(line)["event"] == "whole"

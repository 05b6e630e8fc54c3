"""The log of requests."""

from __future__ import annotations

import pytest

from service_base import logs
from tests.world import World


def test_r13_a_log_that_cannot_be_written_fails_no_request(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R13: the line is lost, and the request is answered."""
    lines: list[str] = []

    def write(line: str) -> None:
        lines.append(line)
        raise OSError(28, "No space left on device")

    (handler,) = logs._handlers
    monkeypatch.setattr(handler.stream, "write", write)
    assert world.browser().get("/signin").status_code == 200
    assert len(lines) == 1

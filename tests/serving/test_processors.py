"""How many password hashes run at once in a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service_base import processors

ALL = len(os.sched_getaffinity(0))


@pytest.mark.parametrize(
    ("share", "count"),
    [
        ("max 100000", ALL),
        ("100000 100000", 1),
        ("50000 100000", 1),
        ("6400000 100000", min(ALL, 64)),
        ("", ALL),
        ("100000 0", ALL),
        ("half 100000", ALL),
    ],
)
def test_a_container_uses_its_share_of_the_processors(
    tmp_path: Path, share: str, count: int
) -> None:
    """``cpu.max`` of control groups: a limit below the machine's processors holds."""
    file = tmp_path / "cpu.max"
    file.write_text(share, encoding="ascii")
    assert processors.usable(file) == count


def test_without_control_groups_all_processors_are_used(tmp_path: Path) -> None:
    assert processors.usable(tmp_path / "absent") == ALL

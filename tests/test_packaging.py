"""What is installed from: the lock file against what setup.cfg asks for."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
PIN = re.compile(
    r"^(?P<name>[a-z0-9.-]+)(?:\[[^]]+\])?==(?P<version>[^ ;\\]+).*(?P<more>(?:\n    .*)*)", re.M
)


def asked_for(name: str) -> list[str]:
    """The requirements that a lock file is made of."""
    if name == "requirements.lock":
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg")
        text = setup["options"]["install_requires"]
    else:
        text = (ROOT / name).with_suffix(".in").read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", ["requirements.lock", "deploy/build-tools.lock"])
def test_the_lock_file_pins_every_requirement(name: str) -> None:
    """Every requirement has a pin within its bounds, and every pin its hashes: `make lock`."""
    pins = {found["name"]: found for found in PIN.finditer((ROOT / name).read_text())}
    assert len(pins) > 20
    for line in asked_for(name):
        requirement = Requirement(line)
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{line} is not in {name}: make lock"
        assert requirement.specifier.contains(pin["version"]), f"{line}: make lock"
    unhashed = [pin["name"] for pin in pins.values() if "--hash=sha256:" not in pin["more"]]
    assert unhashed == []

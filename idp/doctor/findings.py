"""What a check returns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from idp.settings import Settings
from idp.transaction import Runtime


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    #: It works, but not as it should.
    WARNING = "warning"
    FAULT = "fault"
    #: There is nothing to check.
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """What was found, and what to do."""

    level: Level
    text: str
    advice: str = ""


@dataclass(frozen=True)
class Installation:
    """What is checked: the settings of the environment and the database."""

    settings: Settings
    environ: Mapping[str, str]
    runtime: Runtime


Check = Callable[[Installation], Iterable[Finding]]


def ok(text: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, text)


def warning(text: str, advice: str) -> Finding:
    """It works, but not as it should."""
    return Finding(Level.WARNING, text, advice)


def fault(text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAULT, text, advice)


def skipped(text: str) -> Finding:
    """There is nothing to check."""
    return Finding(Level.SKIPPED, text)

"""Why a log is not evaluated."""

from __future__ import annotations

from idp.errors import Conflict, Invalid


class LogEmpty(Invalid):
    """There is nothing to evaluate."""

    template = "the log contains no legitimate sign-ins"


class LogColumnsMissing(Invalid):
    """The first line of the log does not name all columns that the engines need."""

    template = "the first line does not name the columns: {names}"
    names: tuple[str, ...]


class LogUnreadable(Invalid):
    """Too many lines of the log are not sign-ins."""

    template = "{broken} of {lines} lines cannot be read; the first is line {line}: {fault}"
    broken: int
    lines: int
    line: int
    fault: str


class LogUnsorted(Invalid):
    """The log is not in order of time."""

    template = "line {line} is earlier than the previous line: sort the log by time"
    line: int


class LogChanged(Conflict):
    """The log is not the one that was evaluated before the interruption."""

    template = "the log has changed since {state} was written; remove that file to start again"
    state: str


class StateOfAnotherReplay(Conflict):
    """The scores of an interrupted evaluation were made with other options or another release."""

    template = (
        "{state} belongs to an evaluation with another {differs}; use another file, or remove it"
    )
    state: str
    differs: str


class NotAState(Invalid):
    """The scores of an evaluation cannot be kept in the file."""

    template = "{state} cannot be the state of an evaluation: {fault}"
    state: str
    fault: str

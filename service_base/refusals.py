"""The base classes of refusals. The public text is separate from the detail for the log.

A refused change is an exception class with data. Its sentence is built in one place, from the
template of the class: in English for programs, commands and the log, and in the language of the
page for people. Callers use the class and its data, never the sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from datetime import datetime
from string import Formatter
from typing import Any, ClassVar, dataclass_transform

from service_base.phrases import Phrase


class ServiceError(Exception):
    """Base of every refusal the services raise; ``detail`` is for the log only."""

    code: ClassVar[str] = "refused"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail or self.code)
        self._detail = detail

    @property
    def detail(self) -> str:
        """What is refused, in English."""
        return self._detail


@dataclass_transform(eq_default=False, field_specifiers=(field,))
class Refusal(ServiceError):
    """A refusal with data: its fields. ``template`` is its sentence, with fields in braces; it is
    marked with ``N_`` if a page shows it.

    A class without a sentence, or whose sentence names no field of it, is found at import;
    ``abstract`` classes have none and only group others."""

    template: ClassVar[str] = ""

    def __init__(self) -> None:
        """A refusal without fields takes none; the others take theirs."""
        super().__init__()

    def __init_subclass__(cls, *, abstract: bool = False) -> None:
        dataclass(eq=False, repr=False)(cls)
        if abstract:
            return
        if not cls.template:
            raise TypeError(f"{cls.__name__} has no sentence")
        known = {item.name for item in fields(cls)}  # type: ignore[arg-type]
        if unknown := fields_of(cls.template) - known:
            raise TypeError(f"{cls.__name__} has no {', '.join(sorted(unknown))}")

    def sentence(
        self,
        translate: Callable[[str], str],
        moment: Callable[[datetime], str] = datetime.isoformat,
    ) -> str:
        """The sentence, and the phrases and moments in its data, as ``translate`` and ``moment``
        give them."""
        data = {
            item.name: _shown(getattr(self, item.name), translate, moment)
            for item in fields(self)  # type: ignore[arg-type]
        }
        return translate(self.template).format(**data) if self.template else ""

    @property
    def detail(self) -> str:
        """The sentence in English."""
        return self.sentence(str)

    def __str__(self) -> str:
        return self.detail or self.code


def fields_of(template: str) -> set[str]:
    """The names in braces."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def _shown(value: Any, translate: Callable[[str], str], moment: Callable[[datetime], str]) -> Any:
    if isinstance(value, Refusal):
        return value.sentence(translate, moment)
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Phrase):
        return translate(value)
    if isinstance(value, tuple):
        separator = "; " if any(isinstance(one, Refusal) for one in value) else ", "
        return separator.join(str(_shown(one, translate, moment)) for one in value)
    return value


class ConfigurationError(ServiceError):
    """The settings are unsafe or incomplete; the process must not start."""

    code = "configuration"


class DatabaseNotReady(ServiceError):
    """The database lacks tables that this release needs; ``detail`` says what to run."""

    code = "database"


class NotFound(Refusal, abstract=True):
    """The named thing does not exist."""

    code = "not_found"


class Conflict(Refusal, abstract=True):
    """The thing exists already, or the change collides with another."""

    code = "conflict"


class Collision(ServiceError):
    """The database found that another change came first: a unique or foreign key does not hold. The
    transaction is lost; nothing of it was kept."""

    code = "collision"


class Unstorable(ServiceError):
    """The database refused a value: out of range, or against a check. Nothing was kept."""

    code = "unstorable"


class Invalid(Refusal, abstract=True):
    """A value from outside is invalid; the class and its data say which and why."""

    code = "invalid"


class Refused(Refusal, abstract=True):
    """The rules forbid the change."""

    code = "refused"


class Overloaded(ServiceError):
    """There is more to do than can be done in time; nothing was done, try again later."""

    code = "overloaded"

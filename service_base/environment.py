"""Settings from the environment: typed fields with a meaning, secrets also from files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from service_base.refusals import ConfigurationError


class Bound(NamedTuple):
    """The values of a number that work, and those of them that are safe in production."""

    least: int
    most: int
    safe_least: int
    safe_most: int

    def unsafe(self, value: int) -> bool:
        """Whether the value works and is not safe."""
        return not self.safe_least <= value <= self.safe_most


def setting(
    default: Any, meaning: str, *, secret: bool = False, bound: Bound | None = None, rate: int = 0
) -> Any:
    """A field of a class of settings. ``bound``: for numbers. ``rate``: most a minute that is still
    a limit in production."""
    metadata = {"meaning": meaning, "secret": secret, "bound": bound, "rate": rate}
    return field(default=default, metadata=metadata)


def read(kind: type[Any], prefix: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The values of the variables ``<prefix><NAME>``, by the names of the fields of ``kind``. A
    secret may also be given as ``<prefix><NAME>_FILE``, the path of a file that holds it. Raises
    ConfigurationError."""
    values: dict[str, Any] = {}
    known: set[str] = set()
    for item in fields(kind):
        name = f"{prefix}{item.name.upper()}"
        known.update((name, f"{name}_FILE"))
        raw = _read(environ, name, secret=item.metadata["secret"])
        if raw is not None:
            values[item.name] = _parse(name, raw, item.default)
    unknown = sorted(n for n in environ if n.startswith(prefix) and n not in known)
    if unknown:
        raise ConfigurationError(f"unknown settings: {', '.join(unknown)}")
    return values


def shown(value: Any) -> str:
    """A setting's value as text."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read(environ: Mapping[str, str], name: str, *, secret: bool) -> str | None:
    if name in environ:
        return environ[name]
    if secret and (path := environ.get(f"{name}_FILE")):
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(f"{name}_FILE cannot be read: {error.strerror}") from error
    return None


def _parse(name: str, raw: str, default: Any) -> Any:
    if default is MISSING or isinstance(default, str):
        return raw
    if isinstance(default, bool):
        if raw.lower() in ("1", "true", "yes", "on"):
            return True
        if raw.lower() in ("0", "false", "no", "off", ""):
            return False
        raise ConfigurationError(f"{name} must be true or false")
    if isinstance(default, int):
        if not raw.isascii() or not raw.isdigit():
            raise ConfigurationError(f"{name} must be a whole number")
        return int(raw)
    return tuple(part.strip() for part in raw.split(",") if part.strip())

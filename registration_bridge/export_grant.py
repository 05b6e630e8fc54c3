"""A grant of a role group, as an export writes it and as a User of SCIM does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

BOUNDS = ("validFrom", "validUntil")


@dataclass(frozen=True, order=True)
class Grant:
    """A role group at a participant, with its times in UTC or "". The request and the person who
    granted it are pushed but not compared."""

    group: str
    participant: str
    valid_from: str = ""
    valid_until: str = ""
    granted_by: str = field(default="", compare=False)
    request_number: str = field(default="", compare=False)

    @classmethod
    def of_text(cls, text: str) -> Grant:
        """From "role group@participant" with an optional interval (ISO 8601-2). Raises
        ValueError."""
        group, _, rest = text.rpartition("@")
        number, _, interval = rest.partition(" ")
        if not group or not number:
            raise ValueError(text)
        begin, _, end = interval.strip().partition("/") if interval else ("..", "/", "..")
        bounds = ("" if bound == ".." else utc_text(bound) for bound in (begin, end))
        return cls(group.strip(), number, *bounds)

    @classmethod
    def of_scim(cls, row: dict[str, Any]) -> Grant:
        """From a grant of a User. Raises KeyError, TypeError or ValueError."""
        begin, end = (utc_text(row[name]) if row.get(name) else "" for name in BOUNDS)
        return cls(
            row["roleGroup"],
            row["participantId"],
            valid_from=begin,
            valid_until=end,
            granted_by=row.get("grantedBy") or "",
            request_number=row.get("requestNumber") or "",
        )

    def __str__(self) -> str:
        text = f"{self.group}@{self.participant}"
        if not self.valid_from and not self.valid_until:
            return text
        return f"{text} {self.valid_from or '..'}/{self.valid_until or '..'}"

    def scim(self) -> dict[str, str]:
        """As a grant of a User."""
        values = {
            "roleGroup": self.group,
            "participantId": self.participant,
            "validFrom": self.valid_from,
            "validUntil": self.valid_until,
            "grantedBy": self.granted_by,
            "requestNumber": self.request_number,
        }
        return {name: value for name, value in values.items() if value}


def utc_text(text: str) -> str:
    """A moment with its zone, in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    try:
        return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as error:
        raise ValueError(text) from error

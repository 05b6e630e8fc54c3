"""The bridge of a gateway, as far as registration asks it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from registration_bridge.bridge_client import BridgeError, Result


@dataclass
class FakeBridge:
    """Keeps the Users and Participants that it is sent, and what it was asked. Answers what
    ``results`` says, if anything; ``is_away``: it is not reached."""

    results: list[Result] = field(default_factory=list)
    asked: list[list[dict[str, Any]]] = field(default_factory=list)
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    registered: dict[str, dict[str, Any]] = field(default_factory=dict)
    is_away: bool = False

    def bulk(self, operations: list[dict[str, Any]], *, is_dry: bool = False) -> list[Result]:
        if self.is_away:
            raise BridgeError("no answer")
        self.asked.append(operations)
        if is_dry:
            return self.results or [Result(200, effects={"sessions": 1}) for _ in operations]
        return [self.results.pop(0) if self.results else self._do(one) for one in operations]

    def find(self, attribute: str, value: str) -> dict[str, Any] | None:
        if self.is_away:
            raise BridgeError("no answer")
        return next((one for one in self.kept.values() if one.get(attribute) == value), None)

    def participant(self, number: str) -> dict[str, Any] | None:
        if self.is_away:
            raise BridgeError("no answer")
        return self.registered.get(number)

    def users(self) -> Iterator[dict[str, Any]]:
        if self.is_away:
            raise BridgeError("no answer")
        yield from list(self.kept.values())

    def participants(self) -> Iterator[dict[str, Any]]:
        yield from list(self.registered.values())

    @contextmanager
    def __call__(self) -> Iterator[FakeBridge]:
        yield self

    def _do(self, operation: dict[str, Any]) -> Result:
        method, path = operation["method"], operation["path"]
        if path.startswith("/Participants"):
            return self._do_participant(operation)
        if method == "POST":
            number = str(len(self.kept) + 1)
            name = f"user{number}"
            self.kept[number] = {"userName": name} | operation["data"] | {"id": number}
            return Result(201, f"https://gateway.test/scim/v2/Users/{number}")
        number = path.rsplit("/", 1)[1]
        if number not in self.kept:
            return Result(404, detail="there is no such User")
        if method == "DELETE":
            del self.kept[number]
            return Result(204)
        data = operation["data"]
        if method == "PATCH":
            data = data["Operations"][0]["value"]
        self.kept[number] = self.kept[number] | data
        return Result(200)

    def _do_participant(self, operation: dict[str, Any]) -> Result:
        """A version counts the changes."""
        body = operation["data"]
        known = self.registered.get(body["participantId"])
        version = known["meta"]["version"] if known else ""
        if operation.get("version", "") != version:
            return Result(412, detail="changed meanwhile")
        self.registered[body["participantId"]] = body | {"meta": {"version": f"{version}+"}}
        return Result(200 if known else 201)

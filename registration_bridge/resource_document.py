"""A resource in the form in which clients receive it, built once from the rows of the gateway.

What the gateway shows is made here and needs no validation, so no model is built for it. A model
is read from the document where the protocol library changes a resource (PATCH, PUT), and where a
request selects attributes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from scim2_models import ResponseParameters, ScimProvider


@dataclass(frozen=True, slots=True)
class DocumentMeta:
    """What the protocol library reads of ``meta``."""

    location: str
    version: str


class WrittenContent(dict[str, Any]):
    """The content of a document, with its JSON. It does not change any more."""

    def __init__(self, values: Mapping[str, Any], text: str) -> None:
        super().__init__(values)
        self.text = text


def written(body: Mapping[str, Any] | None) -> str | None:
    """The JSON of a response. What is written already is not written again."""
    if body is None or isinstance(body, WrittenContent):
        return None if body is None else body.text
    found = body.get("Resources")
    if not found or not all(isinstance(row, WrittenContent) for row in found):
        return json.dumps(body)
    around = json.dumps({name: value for name, value in body.items() if name != "Resources"})
    return f'{around[:-1]}, "Resources": [{", ".join(row.text for row in found)}]}}'


@dataclass(frozen=True, slots=True)
class ResourceDocument:
    """The JSON of a resource, and the model that reads it. It has the names of a resource that the
    protocol library uses for a response."""

    model: Any
    content: WrittenContent

    @property
    def id(self) -> str:
        """The id of the resource."""
        return str(self.content["id"])

    @property
    def meta(self) -> DocumentMeta:
        """Its address and version."""
        meta = self.content["meta"]
        return DocumentMeta(meta["location"], meta["version"])

    def resource(self) -> Any:
        """The resource as the protocol library changes it: it adds the address itself."""
        meta = {name: value for name, value in self.content["meta"].items() if name != "location"}
        return self.model.model_validate(self.content | {"meta": meta})

    def model_dump(
        self, *, scim_ctx: Any, response_parameters: ResponseParameters[Any] | None = None
    ) -> dict[str, Any]:
        """The content of a response."""
        asked = response_parameters
        if asked is not None and (asked.attributes or asked.excluded_attributes):
            whole = self.model.model_validate(self.content)
            found: dict[str, Any] = whole.model_dump(scim_ctx=scim_ctx, response_parameters=asked)
            return found
        return self.content


@dataclass(frozen=True, slots=True)
class ResourceKind:
    """What the documents of one resource type have in common."""

    model: Any
    name: str
    endpoint: str
    schemas: tuple[str, ...]

    @classmethod
    def of(cls, described: ScimProvider, name: str) -> ResourceKind:
        """The resource type of this name. Each of its documents has all its extensions."""
        found = next(kind for kind in described.resource_types if kind.name == name)
        extensions = [str(one.schema_) for one in found.schema_extensions or ()]
        return cls(
            described.model_for(name),
            name,
            str(found.endpoint).strip("/"),
            (str(found.schema_), *extensions),
        )

    def document(
        self,
        base: str,
        resource_id: str,
        values: Mapping[str, Any],
        *,
        created: datetime,
        modified: datetime,
        version_of: Any = None,
    ) -> ResourceDocument:
        """The document with these values. ``base`` is the address of the service. The version is a
        digest of ``version_of``, or of the values."""
        content = {"schemas": list(self.schemas), "id": resource_id, **values}
        text = json.dumps(content)
        known = text if version_of is None else json.dumps(version_of)
        content["meta"] = meta = {
            "resourceType": self.name,
            "created": instant(created),
            "lastModified": instant(modified),
            "location": f"{base}/{self.endpoint}/{resource_id}",
            "version": f'W/"{sha256(known.encode()).hexdigest()[:32]}"',
        }
        parts = ", ".join(f'"{name}": {quoted(value)}' for name, value in meta.items() if value)
        whole = f'{text[:-1]}, "meta": {{{parts}}}}}'
        return ResourceDocument(self.model, WrittenContent(content, whole))


def present(**values: Any) -> dict[str, Any]:
    """The values without those that are None (RFC 7643 section 2.5)."""
    return {name: value for name, value in values.items() if value is not None}


def instant(value: datetime | None) -> str | None:
    """A time in UTC as the protocol library writes it (RFC 7643 section 2.3.5)."""
    return None if value is None else value.isoformat().replace("+00:00", "Z")

"""The OpenAPI 3.1 description of the bridge, generated from the models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema
from scim2_models import Error, ScimProvider

SCIM_JSON = "application/scim+json"
REF = "#/components/schemas/{model}"
#: Responses that are possible for every request.
COMMON = {
    "400": "Not understood, or a value that cannot be; scimType says which kind",
    "401": "No valid access token",
    "403": "The token does not have the scope scim, or it is out of this client's reach",
    "429": "Too many pushes, or a mass change that waits for an administrator; see Retry-After",
}
MISSING = {"404": "There is no such resource"}
VERSIONED = {"412": "It has another version than If-Match says"}
TAKEN = {"409": "A name or key is already in use"}
TOO_LARGE = {"413": "The body is too large"}
WRITTEN = {**TOO_LARGE, "415": "The body is not JSON"}
SEARCHED = ("filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes",
            "excludedAttributes")  # fmt: skip


def document(described: ScimProvider, address: str) -> dict[str, Any]:
    """The description of the service at ``address``."""
    models: list[Any] = [described.model_for(name) for name in ("User", "Group", "Participant")]
    refs, schemas = models_json_schema(
        [(model, "validation") for model in (*models, Error)], ref_template=REF
    )
    known: dict[str, Any] = schemas["$defs"] | {"PatchOp": _patch()}
    paths: dict[str, Any] = {}
    for model, endpoint in zip(models, ("/Users", "/Groups", "/Participants"), strict=True):
        paths |= _resource(endpoint, refs[model, "validation"])
    for endpoint in ("/ServiceProviderConfig", "/Schemas", "/ResourceTypes"):
        paths[endpoint] = {"get": _operation({"200": "As it is"})}
    # A search over all types has no sort order.
    paths["/.search"] = {
        "post": _operation({"200": "A page", "501": "Sorting needs one type"} | WRITTEN, body={})
    }
    paths["/Bulk"] = {"post": _operation({"200": "What came of each"} | WRITTEN, body={})}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Registration bridge", "version": "2.0",
                 "description": "SCIM 2.0 (RFC 7643, 7644, 9865)"},
        "servers": [{"url": address}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": known,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }  # fmt: skip


def _resource(endpoint: str, body: dict[str, Any]) -> dict[str, Any]:
    one = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    found = {"200": "The resource"}
    return {
        endpoint: {
            "get": _operation({"200": "A page"}, query=SEARCHED),
            "post": _operation(
                {"201": "Made", "200": "Made by the same push before"} | TAKEN | MISSING | WRITTEN,
                body=body,
            ),
        },
        f"{endpoint}/.search": {"post": _operation({"200": "A page"} | WRITTEN, body={})},
        f"{endpoint}/{{id}}": {
            "parameters": [one],
            "get": _operation(found | MISSING | {"304": "As If-None-Match says"}),
            "put": _operation(found | MISSING | VERSIONED | TAKEN | WRITTEN, body=body),
            "patch": _operation(
                found | {"204": "Done; too large to show"} | MISSING | VERSIONED | TAKEN | WRITTEN,
                body={"$ref": REF.format(model="PatchOp")},
            ),
            "delete": _operation({"204": "Closed"} | MISSING | VERSIONED),
        },
    }


def _operation(
    answers: dict[str, str], *, body: dict[str, Any] | None = None, query: tuple[str, ...] = ()
) -> dict[str, Any]:
    failed = {"application/scim+json": {"schema": {"$ref": REF.format(model="Error")}}}
    made: dict[str, Any] = {
        "responses": {
            status: {"description": text} | ({"content": failed} if status >= "400" else {})
            for status, text in (answers | COMMON).items()
        },
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in query
        ],
    }
    if body is not None:
        content = {SCIM_JSON: {"schema": body or {"type": "object"}}}
        made["requestBody"] = {"required": True, "content": content}
    return made


def _patch() -> dict[str, Any]:
    operation = {
        "type": "object",
        "required": ["op"],
        "properties": {
            "op": {"enum": ["add", "replace", "remove"]},
            "path": {"type": "string"},
            "value": {},
        },
    }
    return {
        "type": "object",
        "required": ["schemas", "Operations"],
        "properties": {
            "schemas": {"const": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"]},
            "Operations": {"type": "array", "items": operation, "minItems": 1},
        },
    }

"""From an ASGI scope to a WSGI environment (PEP 3333), without the ambiguities between the two."""

from __future__ import annotations

import io
import sys
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes

from idp.serving.refusals import RefusedRequest

#: Fields that come once (RFC 9110 section 5.3): of two, a proxy may have judged the other one.
SINGLE = {b"authorization", b"host", b"content-type", b"origin"}
#: About the connection, or known from the body that was read; ``Proxy`` would become HTTP_PROXY.
DROPPED = {b"content-length", b"transfer-encoding", b"connection", b"expect", b"proxy"}

#: Longer names are not kept.
MAX_KNOWN = 50


def environ_of(scope: dict[str, Any], body: bytes, length: int | None) -> dict[str, Any]:
    """The environment for a request and its body. ``length`` is the announced one of a body that is
    too long to be taken, so that the application refuses it. Raises RefusedRequest (400)."""
    path = unquote_to_bytes(scope.get("raw_path") or scope["path"].encode())
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("localhost", 80)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    if body or length is not None:
        environ["CONTENT_LENGTH"] = str(len(body) if length is None else length)
    return environ | _fields(scope["headers"])


def _key(name: bytes) -> str | None:
    """The variable of a header; None for one that is dropped."""
    # An underscore would be read as a hyphen: what a proxy took away could come back.
    if name in DROPPED or b"_" in name:
        return None
    key = name.decode("latin-1").upper().replace("-", "_")
    return key if name == b"content-type" else f"HTTP_{key}"


#: Clients send the same few again and again.
_known_key = lru_cache(256)(_key)


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for name, value in headers:
        key = _known_key(name) if len(name) <= MAX_KNOWN else _key(name)
        if key is None:
            continue
        if key in fields and name in SINGLE:
            raise RefusedRequest(400, f"repeated_{name.decode()}")
        glue = "; " if name == b"cookie" else ","
        text = value.decode("latin-1")
        fields[key] = f"{fields[key]}{glue}{text}" if key in fields else text
    return fields

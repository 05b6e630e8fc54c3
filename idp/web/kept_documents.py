"""Public documents that are answered before Flask: health, discovery and the signing keys.

``KeptDocuments`` keeps the answer that the application gave and sends it again, with a new request
id. So there is one implementation of each document. Only plain requests get a kept
answer: GET or HEAD, the right host, no range and no condition but the ETag. The application answers
all others (docs/decisions/0044).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from idp.policy.addresses import client_address
from idp.settings import Settings
from idp.web import request_log, security
from service_base import request_ids
from service_base.request_ids import RequestIds

#: The paths, and their endpoints.
PATHS = {
    "/healthz": "pages.healthz",
    "/.well-known/openid-configuration": "oidc.openid_configuration",
    "/.well-known/oauth-authorization-server": "oidc.oauth_metadata",
    "/oauth2/v1/keys": "oidc.keys",
}
#: The endpoints whose answer changes with the signing keys.
OF_KEYS = {"oidc.keys"}
#: A request with one of these is for the application.
_SPECIAL = (
    "HTTP_RANGE",
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_RANGE",
    "HTTP_IF_UNMODIFIED_SINCE",
)
#: New in each answer.
REQUEST_ID = "X-Request-Id"
#: The server adds the date.
_NOT_KEPT = (REQUEST_ID, "Date")
#: Headers of a body (RFC 9110 section 15.4.5). 304 leaves them out.
_OF_BODY = ("Content-Type", "Content-Length")

Environ = dict[str, Any]
StartResponse = Callable[..., Callable[[bytes], object]]
Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Document:
    """An answer of the application, without the headers that are new in each answer."""

    headers: Headers
    body: bytes
    etag: str


@dataclass(frozen=True)
class KeptAnswer:
    """An answer to one request."""

    status: str
    headers: Headers
    body: bytes


class KeptDocuments:
    """WSGI middleware. ``keys_etag`` returns the ETag of the keys that the process knows, or None
    when it is time to read them again."""

    def __init__(
        self,
        application: Callable[[Environ, StartResponse], Iterable[bytes]],
        settings: Settings,
        keys_etag: Callable[[], str | None],
    ) -> None:
        self._application, self._settings = application, settings
        self._keys_etag = keys_etag
        self._documents: dict[str, Document] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] not in PATHS:
            return self._application(environ, start_response)
        if (found := self.answer(environ)) is not None:
            start_response(found.status, found.headers)
            return [found.body]
        return self._from_application(environ, start_response)

    def answer(self, environ: Environ) -> KeptAnswer | None:
        """The answer, if one is kept for this request. It never waits."""
        path = environ["PATH_INFO"]
        document = self._documents.get(path)
        if document is None or not self._is_plain(environ) or not self._is_current(path, document):
            return None
        match = environ.get("HTTP_IF_NONE_MATCH")
        if match not in (None, document.etag):
            return None
        started = time.perf_counter()
        ids = request_ids.of_request(
            request_ids.trusted_traceparent(
                environ.get("HTTP_TRACEPARENT"),
                environ.get("REMOTE_ADDR", ""),
                self._settings.trusted_proxies,
            )
        )
        headers = [*document.headers, (REQUEST_ID, ids.request_id)]
        found = KeptAnswer("200 OK", headers, document.body)
        if match is not None:
            rest = [pair for pair in headers if pair[0] not in _OF_BODY]
            found = KeptAnswer("304 NOT MODIFIED", rest, b"")
        elif environ["REQUEST_METHOD"] == "HEAD":
            found = KeptAnswer(found.status, headers, b"")
        self._log(environ, found, ids, started)
        return found

    def _is_plain(self, environ: Environ) -> bool:
        return (
            environ["REQUEST_METHOD"] in ("GET", "HEAD")
            and not environ.get("SCRIPT_NAME")
            and not environ.get("CONTENT_LENGTH")
            and "HTTP_TRANSFER_ENCODING" not in environ
            and security.is_ours(environ.get("HTTP_HOST", ""), self._settings)
            and not any(name in environ for name in _SPECIAL)
        )

    def _is_current(self, path: str, document: Document) -> bool:
        return PATHS[path] not in OF_KEYS or document.etag == f'"{self._keys_etag()}"'

    def _from_application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass the request on, and keep the answer if every other client would get it too."""
        started: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, *rest: Any) -> Callable[[bytes], object]:
            started.append((status, headers))
            return start_response(status, headers, *rest)

        chunks = self._application(environ, start)
        if "HTTP_IF_NONE_MATCH" in environ or "HTTP_COOKIE" in environ:
            return chunks
        if environ["REQUEST_METHOD"] != "GET" or not self._is_plain(environ):
            return chunks
        if not started or started[0][0] != "200 OK":
            return chunks
        try:
            body = b"".join(chunks)
        finally:
            if close := getattr(chunks, "close", None):
                close()
        self._keep(environ["PATH_INFO"], started[0][1], body)
        return [body]

    def _keep(self, path: str, headers: Headers, body: bytes) -> None:
        known = {name.lower(): value for name, value in headers}
        lasting = [pair for pair in headers if pair[0] not in _NOT_KEPT]
        document = Document(lasting, body, known.get("etag", ""))
        if "set-cookie" not in known and self._is_current(path, document):
            self._documents[path] = document

    def _log(self, environ: Environ, found: KeptAnswer, ids: RequestIds, started: float) -> None:
        peer, forwarded = environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", "")
        request_log.write(
            ids=ids,
            endpoint=PATHS[environ["PATH_INFO"]],
            method=environ["REQUEST_METHOD"],
            path=environ["PATH_INFO"],
            status=int(found.status[:3]),
            started=started,
            ip=client_address(peer, forwarded, self._settings.trusted_proxies).ip,
        )

"""Requests that prepare a peer while it runs."""

from __future__ import annotations

from http.client import HTTPConnection, HTTPMessage


def post(
    name: str, port: int, path: str, body: str, headers: dict[str, str]
) -> tuple[HTTPMessage, str]:
    """The headers and the body of the response. Raises SystemExit if it is an error."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{name}, {path}: {answer.status} {text}")
    return answer.headers, text

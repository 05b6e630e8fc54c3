"""Delivery of logout tokens (OpenID Connect Back-Channel Logout 1.0) and security events (RFC 8935)
to applications."""

from __future__ import annotations

from queue import Empty, Queue
from threading import Thread
from typing import Any

from idp.networks import NetworkSet

#: Timeouts in seconds: for the connection and between two reads; and for the whole exchange.
TIMEOUT_SECONDS, DEADLINE_SECONDS = 5, 10


class HttpSender:
    """Posts tokens to public and to allowed networks only."""

    def __init__(self, allowed: NetworkSet, ca_file: str = "") -> None:
        self._allowed = allowed
        self._ca_file = ca_file

    def _send(self, uri: str, accepted: range, **content: Any) -> None:
        """Post this content. Raises requests.RequestException for a status that is not accepted. A
        redirect is a failure, because only the registered URI is allowed. The body is not read. A
        response that exceeds the deadline is abandoned in its thread."""
        import requests  # only the worker sends tokens

        outcome: Queue[Exception | None] = Queue()
        arguments = (outcome, uri, accepted, content)
        Thread(target=self._try, args=arguments, daemon=True).start()
        try:
            fault = outcome.get(timeout=DEADLINE_SECONDS)
        except Empty as error:
            raise requests.Timeout from error
        if fault is not None:
            raise fault

    def _try(
        self,
        outcome: Queue[Exception | None],
        uri: str,
        accepted: range,
        content: dict[str, Any],
    ) -> None:
        try:
            self._post(uri, accepted, content)
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    def _post(self, uri: str, accepted: range, content: dict[str, Any]) -> None:
        import requests

        from idp import outbound_session

        with (
            outbound_session.session(self._allowed, self._ca_file) as session,
            session.post(
                uri,
                **content,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            if answer.status_code not in accepted:
                raise requests.HTTPError(response=answer)


class HttpLogoutSender(HttpSender):
    """Posts logout tokens as a form (Back-Channel Logout 1.0 section 2.5)."""

    def send(self, uri: str, logout_token: str) -> None:
        """Send one token. Raises requests.RequestException for any status but 2xx."""
        self._send(uri, range(200, 300), data={"logout_token": logout_token})


class HttpEventSender(HttpSender):
    """Posts security events (RFC 8935 section 2.1)."""

    def send(self, uri: str, token: str, authorization: str) -> None:
        """Send one event. Raises requests.RequestException for any status but 202, which
        acknowledges it (section 2.2)."""
        headers = {"Content-Type": "application/secevent+jwt", "Accept": "application/json"}
        if authorization:
            headers["Authorization"] = authorization
        self._send(uri, range(202, 203), data=token.encode(), headers=headers)

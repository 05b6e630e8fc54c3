"""Delivery of logout tokens to relying parties (OpenID Connect Back-Channel Logout 1.0)."""

from __future__ import annotations

from queue import Empty, Queue
from threading import Thread

from idp.networks import NetworkSet

#: Timeouts in seconds: for the connection and between two reads; and for the whole exchange.
TIMEOUT_SECONDS, DEADLINE_SECONDS = 5, 10


class HttpLogoutSender:
    """Posts the logout token as a form (Back-Channel Logout 1.0 section 2.5), to public and to
    allowed networks only."""

    def __init__(self, allowed: NetworkSet, ca_file: str = "") -> None:
        self._allowed = allowed
        self._ca_file = ca_file

    def send(self, uri: str, logout_token: str) -> None:
        """Send one token. Raises requests.RequestException for any status but 2xx. A redirect is a
        failure, because only the registered URI is allowed. The body is not read. A response that
        exceeds the deadline is abandoned in its thread."""
        import requests  # only the worker sends logouts

        outcome: Queue[Exception | None] = Queue()
        Thread(target=self._try, args=(uri, logout_token, outcome), daemon=True).start()
        try:
            fault = outcome.get(timeout=DEADLINE_SECONDS)
        except Empty as error:
            raise requests.Timeout from error
        if fault is not None:
            raise fault

    def _try(self, uri: str, logout_token: str, outcome: Queue[Exception | None]) -> None:
        try:
            self._post(uri, logout_token)
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    def _post(self, uri: str, logout_token: str) -> None:
        import requests

        from idp import outbound_session

        with (
            outbound_session.session(self._allowed, self._ca_file) as session,
            session.post(
                uri,
                data={"logout_token": logout_token},
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as answer,
        ):
            if not 200 <= answer.status_code < 300:
                raise requests.HTTPError(response=answer)

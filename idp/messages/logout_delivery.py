"""Handing logout tokens to relying parties."""

from __future__ import annotations

from queue import Empty, Queue
from threading import Thread

import requests

from idp import outbound
from idp.networks import NetworkSet

#: To connect, and between two pieces of the answer; and for all of it.
TIMEOUT_SECONDS, DEADLINE_SECONDS = 5, 10


class HttpLogoutSender:
    """Posts the logout token as a form (Back-Channel Logout 1.0 section 2.5), to public
    networks and to those that are allowed."""

    def __init__(self, allowed: NetworkSet) -> None:
        self._allowed = allowed

    def send(self, uri: str, logout_token: str) -> None:
        """Hand one over. Raises requests.RequestException for everything but a status of 2xx; a
        redirect is a failure, since the address is a registered one. The body is not read. Whoever
        answers drop by drop is left to a thread that dies with it."""
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
        with (
            outbound.session(self._allowed) as session,
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

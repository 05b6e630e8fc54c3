"""Handing logout tokens to relying parties."""

from __future__ import annotations

import requests

#: To connect, and between two pieces of the answer.
TIMEOUT_SECONDS = 5


class HttpLogoutSender:
    """Posts the logout token as a form (Back-Channel Logout 1.0 section 2.5)."""

    def send(self, uri: str, logout_token: str) -> None:
        """Hand one over. Raises requests.RequestException for everything but a status of 2xx; a
        redirect is a failure, since the address is a registered one. The body is not read."""
        answer = requests.post(
            uri,
            data={"logout_token": logout_token},
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
            stream=True,
        )
        with answer:
            if not 200 <= answer.status_code < 300:
                raise requests.HTTPError(response=answer)

"""Text messages: any provider with a form API in production, the outbox page in the demo."""

from __future__ import annotations

import logging

import requests

from idp.settings import Settings

TIMEOUT_SECONDS = 15
log = logging.getLogger("gateway.outbox")


class FormSmsSender:
    """Posts ``To``, ``From`` and ``Body`` as a form with Basic authentication: the API that most
    providers offer in some form, Twilio's Messages resource among them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, number: str, text: str) -> None:
        """Hand one message over. Raises requests.RequestException; a redirect is a failure, since
        credentials are not carried elsewhere."""
        settings = self._settings
        answer = requests.post(
            settings.sms_url,
            data={"To": number, "From": settings.sms_from, "Body": text},
            auth=(settings.sms_username, settings.sms_password),
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
        with answer:
            answer.raise_for_status()
            if answer.status_code >= 300:
                raise requests.HTTPError(f"unexpected status {answer.status_code}")


class DemoSmsSender:
    """Sends nowhere: in the demo the outbox page shows what was handed over."""

    def send(self, number: str, text: str) -> None:  # noqa: ARG002 - named by the port
        """Accept the message."""
        log.info("text handed to the demo outbox")

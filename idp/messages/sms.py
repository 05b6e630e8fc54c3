"""Text messages: any provider with a form API in production, the outbox page in the demo."""

from __future__ import annotations

import logging

from idp.settings import Settings

TIMEOUT_SECONDS = 15
log = logging.getLogger("gateway.outbox")


class FormSmsSender:
    """Posts ``To``, ``From`` and ``Body`` as a form with Basic authentication. Many providers offer
    this API, for example Twilio's Messages resource."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, number: str, text: str) -> None:
        """Send one message. Raises requests.RequestException. A redirect is a failure, so that the
        credentials go nowhere else."""
        import requests  # most processes send no text

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
    """Sends nothing: the outbox page of the demo shows the message."""

    def send(self, number: str, text: str) -> None:  # noqa: ARG002 - named by the port
        """Accept the message."""
        log.info("text handed to the demo outbox")

"""What a token costs its caller while people sign in beside it: each sign-in hashes a password."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import urlencode

from benchmarks.cases import FORM, TOKEN
from benchmarks.console import Visitor
from benchmarks.gateway import PASSWORD, PEOPLE
from benchmarks.load import Load, measure


def beside_sign_ins(port: int, client: str, seconds: float) -> dict[str, str]:
    """Median and tail of a token over four connections while four people sign in again and
    again."""
    load = Load(
        path=TOKEN, method="POST", headers=FORM | {"Authorization": client},
        body="grant_type=client_credentials", connections=len(PEOPLE),
    )  # fmt: skip
    with _signing_in(port, PEOPLE) as done:
        found = measure(port, load, seconds, dict, dict)
        number = len(done)
    return {
        "token beside 4 people who sign in, p50 and p99 in ms": (
            f"{found.p50_ms:.0f} and {found.p99_ms:.0f}"
        ),
        "sign-ins a second beside it": f"{number / seconds:.1f}",
    }


@contextmanager
def _signing_in(port: int, people: Sequence[str]) -> Iterator[list[str]]:
    """Each person signs in again and again during the block. Yields who has signed in."""
    done: list[str] = []
    stop = threading.Event()

    def repeat(username: str) -> None:
        while not stop.is_set():
            _sign_in(port, username)
            done.append(username)

    threads = [threading.Thread(target=repeat, args=(name,)) for name in people]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _sign_in(port: int, username: str) -> None:
    """In a new browser, up to the verified password. If it is refused, RuntimeError ends the thread
    with a message."""
    browser = Visitor(HTTPConnection("127.0.0.1", port, timeout=60), {})
    page = browser.ask("GET", "/signin")[2]
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    form = {"csrf_token": token, "username": username, "password": PASSWORD}
    status, _, _ = browser.ask("POST", "/signin", urlencode(form))
    browser.connection.close()
    if status != 303:
        raise RuntimeError(f"sign-in as {username} answered {status}")

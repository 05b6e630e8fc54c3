"""What a whole sign-in costs the server beside the hash of the password."""

from __future__ import annotations

import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from urllib.parse import urlencode

import bcrypt

from benchmarks import gateway
from benchmarks.cases import authorize_path
from benchmarks.console import Visitor
from benchmarks.load import cpu_of_backends, cpu_of_session, spent

DATABASE = "gateway_bench_sign_in"
#: What recognises a browser ends so.
RECOGNISED = "-browser"
#: Before the measurement each: both processes have prepared their statements on every connection.
WARM_UP, SIGN_INS = 50, 80
#: The least work factor of bcrypt: its hash takes less than a millisecond.
BCRYPT_COST = 4


def whole_sign_in(server: str, folder: str, port: int) -> dict[str, str]:
    """CPU time of a gateway and its database for one sign-in in a known browser, from the request
    of an application to its code: four requests."""
    url = gateway.scratch(server, folder, DATABASE)
    environ = gateway.environment(url, port) | {"IDP_BCRYPT_COST": str(BCRYPT_COST)}
    gateway.prepare(environ)
    command = gateway.gateway_command(port)
    with gateway.served(command, port, os.environ | environ) as process:
        ours = cpu_of_session(process.pid)
        database = cpu_of_backends(DATABASE) if server else dict
        _all_sign_in(port, WARM_UP)
        if server:
            gateway.analyze(url)
        before, stored = ours(), database()
        _all_sign_in(port, SIGN_INS)
        number = SIGN_INS * len(gateway.PEOPLE)
        milliseconds = spent(before, ours()) * 1000 / number - _hash_milliseconds()
        there = spent(stored, database()) * 1000 / number
    figures = f"{milliseconds:.1f}" + (f" (+{there:.1f})" if server else "")
    return {"whole sign-in beside the hash, ms": figures}


def _hash_milliseconds() -> float:
    salt, begun = bcrypt.gensalt(BCRYPT_COST), time.thread_time()
    for _ in range(100):
        bcrypt.hashpw(b"x" * 44, salt)
    return (time.thread_time() - begun) * 10


def _all_sign_in(port: int, times: int) -> None:
    """The people sign in at the same time, each so many times."""
    with ThreadPoolExecutor() as pool:
        for done in [pool.submit(_sign_in, port, name, times) for name in gateway.PEOPLE]:
            done.result()


def _sign_in(port: int, username: str, times: int) -> None:
    """In one browser, without the session of the time before. Raises SystemExit if a request is not
    answered as expected."""
    cookies: dict[str, str] = {}
    for _ in range(times):
        cookies = {name: value for name, value in cookies.items() if name.endswith(RECOGNISED)}
        browser = Visitor(HTTPConnection("127.0.0.1", port, timeout=60), cookies)
        where = browser.ask("GET", authorize_path())[1]
        page = browser.ask("GET", where)[2]
        form = dict(re.findall(r'name="(csrf_token|flow)" value="([^"]+)"', page))
        form |= {"username": username, "password": gateway.PASSWORD}
        where = browser.ask("POST", "/signin", urlencode(form))[1]
        # A page that goes on to the application by itself.
        page = browser.ask("GET", where)[2]
        browser.connection.close()
        if not re.search(r'content="0; url=http://localhost/cb\?code=', page):
            raise SystemExit(f"no code after {where}")

"""Starting and stopping the demo's processes together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from idp.demo import registration_part
from idp.demo.home import Home
from idp.demo.people import APPS, REGISTRATION
from idp.errors import ServiceError

START_SECONDS = 120
STOP_SECONDS = 8


class Processes:
    """The gateway, its worker and the relying parties; all stop together."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start all and wait until all answer. Raises ServiceError with the one that did not."""
        self.start_gateway(0, *(app.offset for app in (*APPS, REGISTRATION)))
        self._start_applications()

    def start_gateway(self, *offsets: int) -> None:
        """Start the gateway and its worker and wait until the gateway answers. The ports at
        ``offsets`` must be free. Raises ServiceError."""
        for port in (self._home.port + offset for offset in offsets or (0,)):
            if not _is_free(port):
                raise ServiceError(f"port {port} is in use; choose others with --port")
        environ = self._home.environ()
        gateway = [sys.executable, "-m", "idp.cli"]
        serve = [*gateway, "serve", "--port", str(self._home.port), "--workers", "1"]
        self._spawn("gateway", serve, environ)
        self._spawn("worker", [*gateway, "worker", "--interval", "1"], environ)
        self._wait("gateway", self._home.port, "/readyz", urlsplit(self._home.issuer).netloc)

    def _start_applications(self) -> None:
        environ = self._home.environ()
        secrets = self._home.secrets()["client_secrets"]
        for app in APPS:
            others = ",".join(
                f"{other.name}={self._home.app_url(other.offset)}"
                for other in APPS
                if other is not app
            )
            command = [
                sys.executable, "-m", "examples.relying_party", "--name", app.name,
                "--port", str(self._home.port + app.offset), "--issuer", self._home.issuer,
                "--others", others,
            ]  # fmt: skip
            credentials = {
                "RP_CLIENT_ID": app.client_id,
                "RP_CLIENT_SECRET": secrets[app.client_id],
            }
            inherited = {k: v for k, v in environ.items() if not k.startswith("IDP_")}
            self._spawn(app.name, command, inherited | credentials)
        place = str(self._home.port + REGISTRATION.offset)
        own = registration_part.environ(self._home)
        command = [*registration_part.COMMAND, "serve", "--port", place, "--workers", "1"]
        self._spawn("registration", command, own)
        worker = [*registration_part.COMMAND, "worker", "--interval", "0.5"]
        self._spawn("registration worker", worker, own)
        for app in APPS:
            self._wait(app.name, self._home.port + app.offset, "/")
        self._wait("registration", self._home.port + REGISTRATION.offset, "/readyz")

    def dead(self) -> str | None:
        """The name of a process that ended unexpectedly, if any."""
        return next((n for n, p in self._running.items() if p.poll() is not None), None)

    def stop(self) -> None:
        """Stop all, by force if necessary."""
        for process in self._running.values():
            _signal_group(process, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for process in self._running.values():
            try:
                process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal_group(process, signal.SIGKILL)
                process.wait()

    def _spawn(self, name: str, command: list[str], environ: Mapping[str, str]) -> None:
        # A process group of its own: Ctrl-C reaches only this process, which stops the others.
        self._running[name] = subprocess.Popen(  # noqa: S603 - our own programs, no shell
            command, env=dict(environ), start_new_session=True, stdin=subprocess.DEVNULL
        )

    def _wait(self, name: str, port: int, path: str, host: str = "") -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            if self._running[name].poll() is not None:
                raise ServiceError(f"{name} stopped while starting; its message is above")
            if _answers(port, path, host or f"localhost:{port}"):
                return
            time.sleep(0.1)
        raise ServiceError(f"{name} does not answer on port {port}")


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    if process.poll() is None:
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _answers(port: int, path: str, host: str) -> bool:
    connection = HTTPConnection("localhost", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()

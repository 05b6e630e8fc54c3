"""nginx in front of the gateway by the shipped configuration, without TLS: no peer of the
comparison has it."""

from __future__ import annotations

import getpass
import re
import shlex
from pathlib import Path
from string import Template

from benchmarks.gateway import ROOT
from benchmarks.peers.lemonldap import NGINX as PROGRAM

SITE = ROOT / "deploy" / "nginx.conf.template"
_MAIN = """daemon off; user {user}; worker_processes 2; pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{ {temporary} include {folder}/site.conf; }}
"""


def command(folder: str, port: int, gateway: list[str]) -> list[str]:
    """nginx on the port, and the gateway on the next one, in one session."""
    home = Path(folder)
    values = {"GATEWAY_HOST": "127.0.0.1", "UPSTREAM": f"127.0.0.1:{port + 1}",
              "HTTPS_PORT": f"127.0.0.1:{port}"}  # fmt: skip
    (home / "site.conf").write_text(
        _without_tls(Template(SITE.read_text()).safe_substitute(values), folder)
    )
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (home / "nginx.conf").write_text(
        _MAIN.format(folder=folder, user=getpass.getuser(), temporary=temporary)
    )
    nginx = shlex.join([PROGRAM or "nginx", "-c", f"{folder}/nginx.conf", "-p", folder])
    return ["sh", "-c", f"{nginx} & exec {shlex.join(gateway)}"]


def _without_tls(site: str, folder: str) -> str:
    """The server for HTTPS alone, for HTTP."""
    first, _, rest = site.partition("server {")
    _, _, https = rest.partition("server {")
    https = re.sub(r"^ *ssl_.*\n", "", https, flags=re.MULTILINE)
    https = https.replace(" ssl;", ";").replace("Host $host;", "Host $http_host;")
    return (first + "server {" + https).replace("/var/cache/nginx", folder)

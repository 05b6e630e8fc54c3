"""nginx before several processes or hosts, as ``deploy/nginx.conf.template`` configures it."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.installation import HOST_HEADER, status_of
from tests.faults.servers import LOCAL, Host, missing, wait_for
from tests.live import free_ports

#: Seconds for which nginx passes nothing to a host after three failures.
PASSED_OVER = 10


@contextmanager
def nginx_before(folder: Path, addresses: Sequence[str], host: Host = LOCAL) -> Iterator[str]:
    """Another address gets a request whose connection is refused. Yields where nginx listens."""
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        missing("nginx is not installed")
    port = free_ports(1)
    servers = " ".join(
        f"server {each} max_fails=3 fail_timeout={PASSED_OVER}s;" for each in addresses
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"pid {folder}/pid; error_log stderr crit; daemon off; worker_processes 1;\n"
        f"events {{}}\nhttp {{ access_log off; upstream gateway {{ {servers} keepalive 32; }}\n"
        f"client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen {host.address}:{port}; location / {{ proxy_pass http://gateway;\n"
        "proxy_http_version 1.1; proxy_connect_timeout 5s; proxy_read_timeout 75s;\n"
        'proxy_set_header Connection ""; proxy_set_header X-Forwarded-For $remote_addr;\n'
        f"proxy_set_header Host {HOST_HEADER}; }} }} }}\n"
    )
    made = subprocess.Popen([*host.prefix, program, "-c", config, "-p", folder, "-e", "stderr"])
    try:
        address = f"{host.address}:{port}"
        wait_for(lambda: status_of(address, "/healthz") == 200, 30, "nginx")
        yield address
    finally:
        made.send_signal(signal.SIGTERM)
        made.wait(20)

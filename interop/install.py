"""The software, from its registries into build/interop; Debian's packages onto this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from interop.catalogue import Client

INSTALLED = Path(__file__).resolve().parents[1] / "build" / "interop"
#: Debian keeps servers where only root looks.
SEARCHED = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin"


class Absent(Exception):
    """This machine lacks something that a client needs, and the runner cannot install it."""


def install(client: Client) -> str:
    """Install what a client needs, unless it is there; returns the version of the first."""
    folder = INSTALLED / client.id
    folder.mkdir(parents=True, exist_ok=True)
    if client.debian:
        _install_debian(client)
    needs = (
        *client.needs,
        *(("node", "npm") if client.npm_packages else ()),
        *(("go",) if client.go else ()),
    )
    if missing := [name for name in needs if not shutil.which(name, path=SEARCHED)]:
        raise Absent(f"not run: it needs {', '.join(missing)}")
    wanted = "\n".join((*client.packages, *client.node_packages, client.go))
    mark = folder / "installed.txt"
    if not mark.exists() or mark.read_text(encoding="utf-8") != wanted:
        if client.pip_packages:
            _install_python(client, folder)
        if client.npm_packages:
            _install_node(client, folder)
        if client.go:
            _install_go(client, folder)
        mark.write_text(wanted, encoding="utf-8")
    return _version(client, folder)


def _install_debian(client: Client) -> None:
    if all(_debian_version(name) for name in client.debian):
        return
    if os.geteuid() or not shutil.which("apt-get"):
        raise Absent(f"not run: it needs the Debian packages {', '.join(client.debian)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (("update",), ("install", "--no-install-recommends", *client.debian)):
        command = ["apt-get", "-qq", *words]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def _install_python(client: Client, folder: Path) -> None:
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--clear", folder], check=True)
    command = [str(uv), "pip", "install", "--quiet", "--python", str(folder / "bin/python")]
    subprocess.run([*command, *client.pip_packages], check=True)


def _install_node(client: Client, folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    command = ["npm", "install", "--loglevel=error", "--no-audit", "--no-fund", "--prefix"]
    command += [str(folder), *client.npm_packages]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _install_go(client: Client, folder: Path) -> None:
    environment = os.environ | {"GOBIN": str(folder)}
    subprocess.run(["go", "install", client.go], check=True, env=environment, capture_output=True)


def _version(client: Client, folder: Path) -> str:
    """The version of what the client is named after."""
    if client.debian:
        return _debian_version(client.debian[0]).partition("-")[0]
    if client.go:
        return client.go.rpartition("@v")[2]
    first = client.packages[0]
    if client.is_node:
        package = folder / "node_modules" / first.rpartition("@")[0] / "package.json"
        return str(json.loads(package.read_text(encoding="utf-8"))["version"])
    if client.pip_packages:
        name = re.split(r"[\[<>=]", first)[0]
        code = f"from importlib.metadata import version; print(version({name!r}))"
        return _said(str(folder / "bin/python"), "-c", code)
    return first.rpartition(":")[2]


def _debian_version(name: str) -> str:
    """The version of an installed package, or nothing."""
    if not shutil.which("dpkg-query"):
        return ""
    return _said("dpkg-query", "--show", "--showformat", "${Version}", name)


def _said(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip()

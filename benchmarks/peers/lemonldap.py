"""LemonLDAP::NG from Debian: its FastCGI server behind nginx, as its documentation has it, with the
sessions in the database of the run. SQLite's own default commits durably. Its tokens are JWTs by
RS256, the only signature with a private key that it has."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from benchmarks.peers.posts import post

#: Debian has both in a folder that the path of a user lacks.
_FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin"
PROGRAM = shutil.which("llng-fastcgi-server", path=_FOLDERS)
NGINX = shutil.which("nginx", path=_FOLDERS)
PORTAL = Path("/usr/share/lemonldap-ng/portal")
#: What it loads of Perl, and what the sessions in SQLite need.
MODULES = (
    "Lemonldap::NG::Portal",
    "String::Random",
    "IO::String",
    "DBD::SQLite",
    "Apache::Session::Browseable::SQLite",
)
#: These and what they recommend.
PACKAGES = (
    "lemonldap-ng-fastcgi-server", "liblemonldap-ng-portal-perl", "libdbd-sqlite3-perl",
    "libstring-random-perl", "libio-string-perl", "libapache-session-browseable-perl", "nginx",
)  # fmt: skip
#: Where its endpoints are.
PREFIX = "/oauth2"
#: Its own demonstration of a directory has this person; each password is the name.
PERSON = "dwho"
#: What it drops its rights to; it does not run as root.
USER = "www-data"
PROCESSES = 7
_SETTINGS = """[all]
logger = Lemonldap::NG::Common::Logger::Std
logLevel = error
localSessionStorage = Cache::FileCache
localSessionStorageOptions = {{ 'namespace' => 'sessions', 'default_expires_in' => 600, \
'directory_umask' => '007', 'cache_root' => '{folder}/cache', 'cache_depth' => 3 }}
[configuration]
type = File
dirName = {folder}/conf
localStorage = Cache::FileCache
localStorageOptions = {{ 'namespace' => 'configuration', 'default_expires_in' => 600, \
'directory_umask' => '007', 'cache_root' => '{folder}/cache', 'cache_depth' => 3 }}
[portal]
staticPrefix = /static
templateDir = {portal}/templates
languages = en
"""
_WEB_SERVER = """daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 2;
{user}
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  fastcgi_temp_path {folder}/fastcgi;
  proxy_temp_path {folder}/proxy;
  scgi_temp_path {folder}/scgi;
  uwsgi_temp_path {folder}/uwsgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      include /etc/nginx/fastcgi_params;
      fastcgi_pass unix:{folder}/portal.sock;
      fastcgi_param LLTYPE psgi;
      fastcgi_param SCRIPT_FILENAME {portal}/htdocs/index.psgi;
      fastcgi_param SCRIPT_NAME "";
      fastcgi_param PATH_INFO $uri;
    }}
  }}
}}
"""


def is_installed() -> bool:
    """Whether server, web server and modules are there."""
    if PROGRAM is None or NGINX is None:
        return False
    modules = [f"-M{name}" for name in MODULES]
    found = subprocess.run(["perl", *modules, "-e", "1"], check=False, capture_output=True)
    return found.returncode == 0


def version() -> str:
    """The version of the portal."""
    asked = ["perl", "-MLemonldap::NG::Portal", "-e", "print $Lemonldap::NG::Portal::VERSION"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout


def command(folder: str, port: int, secret: str) -> list[str]:
    """Make database and settings in the folder. Returns what starts both servers."""
    home = Path(folder)
    _tables(home / "sessions.db")
    (home / "conf").mkdir()
    (home / "cache").mkdir()
    configuration = json.dumps(_configuration(home / "sessions.db", port, secret))
    (home / "conf" / "lmConf-1.json").write_text(configuration, encoding="utf-8")
    as_root = os.geteuid() == 0
    about = {"folder": folder, "portal": PORTAL, "port": port}
    (home / "settings.ini").write_text(_SETTINGS.format(**about), encoding="utf-8")
    web_server = _WEB_SERVER.format(**about, user=f"user {USER};" if as_root else "")
    (home / "nginx.conf").write_text(web_server, encoding="utf-8")
    start = [
        "env", f"LLNG_DEFAULTCONFFILE={folder}/settings.ini", str(PROGRAM), "--foreground",
        f"--socket={folder}/portal.sock", f"--pid={folder}/portal.pid", f"--proc={PROCESSES}",
    ]  # fmt: skip
    if as_root:
        start += [f"--user={USER}", f"--group={USER}"]
        for path in (home, *home.rglob("*")):
            shutil.chown(path, USER, USER)
    serve = [str(NGINX), "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"]
    return ["sh", "-c", f"{shlex.join(start)} & exec {shlex.join(serve)}"]


def tokens(port: int, client: str, refresh_tokens: int) -> list[str]:
    """An access token of the person and some refresh tokens, by his password."""
    form = {"grant_type": "password", "username": PERSON, "password": PERSON,
            "scope": "openid profile"}  # fmt: skip
    issued = [_ask(port, urlencode(form), client) for _ in range(refresh_tokens)]
    return [issued[0]["access_token"], *(answer["refresh_token"] for answer in issued)]


def _tables(database: Path) -> None:
    """The table of sessions, as its documentation has it."""
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE sessions (id varchar(64) PRIMARY KEY, a_session text)")


def _configuration(database: Path, port: int, secret: str) -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    option = "oidcRPMetaDataOptions"
    sessions = {
        "DataSource": f"dbi:SQLite:dbname={database}", "TableName": "sessions", "Index": "",
        "generateModule": "Lemonldap::NG::Common::Apache::Session::Generate::SHA256",
    }  # fmt: skip
    storage = "Apache::Session::Browseable::SQLite"
    return {
        "cfgNum": 1, "cfgDate": int(time.time()), "key": secrets.token_urlsafe(16),
        "portal": f"http://127.0.0.1:{port}/", "domain": "127.0.0.1",
        "authentication": "Demo", "userDB": "Same", "passwordDB": "Demo", "registerDB": "Null",
        "securedCookie": 0, "loginHistoryEnabled": 0, "whatToTrace": "uid",
        "globalStorage": storage, "globalStorageOptions": sessions,
        "persistentStorage": storage, "persistentStorageOptions": sessions,
        "locationRules": {"127.0.0.1": {"default": "accept"}},
        # No pictures of letters: their module needs ImageMagick.
        "captcha": "::Main::Plugin",
        "demoExportedVars": {"cn": "cn", "mail": "mail", "uid": "uid"},
        "issuerDBOpenIDConnectActivation": 1, "issuerDBOpenIDConnectRule": 1,
        "oidcServicePrivateKeySig": private.decode(), "oidcServicePublicKeySig": public.decode(),
        "oidcServiceKeyIdSig": "bench",
        "oidcRPMetaDataOptions": {"bench": {
            f"{option}ClientID": "bench", f"{option}ClientSecret": secret,
            f"{option}RedirectUris": "http://localhost/cb", f"{option}IDTokenSignAlg": "RS256",
            f"{option}AccessTokenJWT": 1, f"{option}AccessTokenSignAlg": "RS256",
            f"{option}AllowClientCredentialsGrant": 1, f"{option}AllowPasswordGrant": 1,
            f"{option}RefreshToken": 1, f"{option}BypassConsent": 1,
        }},
        "oidcRPMetaDataExportedVars": {"bench": {"name": "cn"}},
        "oidcRPMetaDataScopeRules": {"bench": {"api": "1"}},
    }  # fmt: skip


def _ask(port: int, body: str, client: str) -> dict[str, str]:
    headers = {"Authorization": client, "Content-Type": "application/x-www-form-urlencoded"}
    return dict(json.loads(post("LemonLDAP::NG", port, f"{PREFIX}/token", body, headers)[1]))

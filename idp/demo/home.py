"""The demo's folder: its secrets, settings and the description for programs."""

from __future__ import annotations

import json
import os
import secrets
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from idp.demo import registration_people
from idp.demo.people import APPS, FIGURES, LOOPBACK, PUSHER, App, Figure
from idp.mfa import totp
from idp.settings import Settings

FILES = (
    "gateway.db",
    "gateway.db-wal",
    "gateway.db-shm",
    "gateway.db-next",
    "gateway.db-turn",
    "registration.db",
    "registration.db-wal",
    "registration.db-shm",
    "registration.db-next",
    "registration.db-turn",
    "secrets.json",
    "gateway.env",
    "conformance.json",
    "conformance-authority.pem",
    "demo.json",
)
#: Roles that the description lists apart from the people who can sign in.
OTHERS = ("pending", "machine")
SYLLABLES = ("ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo")


@dataclass(frozen=True)
class Home:
    """A folder of the demo and the port of its gateway."""

    folder: Path
    port: int
    #: SQLAlchemy URL; empty: a SQLite file in the folder.
    database: str = ""
    #: The https address of a proxy on this machine; empty: there is none.
    public: str = ""
    #: PEM file of the certificate authorities of applications; empty: the public ones.
    ca_file: str = ""
    #: The https address where a proxy on this machine asks for certificates; empty: none does.
    mtls: str = ""

    @property
    def issuer(self) -> str:
        return self.public or f"http://localhost:{self.port}"

    def app_url(self, offset: int) -> str:
        """The address of a relying party. A gateway with https accepts https addresses only."""
        scheme = "https" if self.public else "http"
        return f"{scheme}://localhost:{self.port + offset}"

    def prepare(self, *, reset: bool) -> None:
        """Create the folder; with ``reset`` remove the data of an earlier demo. The description is
        always removed, because it must exist only when all processes answer."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in FILES if reset else FILES[-1:]:
            (self.folder / name).unlink(missing_ok=True)

    def secrets(self) -> dict[str, Any]:
        """The secrets of this demo, generated at the first start, readable by the owner only."""
        path = self.folder / "secrets.json"
        if path.exists():
            loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return loaded
        roles = [figure.role for figure in FIGURES]
        roles += [figure.role for figure in registration_people.TIERS]
        made = {
            "secret_key": secrets.token_urlsafe(48),
            "key_encryption_key": Fernet.generate_key().decode(),
            "pepper": secrets.token_urlsafe(48),
            "passwords": {role: make_password() for role in roles},
            "totp_secrets": {role: make_totp_secret() for role in roles},
            "registration_secret_key": secrets.token_urlsafe(48),
            "registration_push_key": make_key(),
            "client_secrets": {},
            "activation_path": None,
        }
        self.store(made)
        return made

    def store(self, values: dict[str, Any]) -> None:
        """Write the secrets so that a crash leaves the old or the new file, never half of one."""
        write_private(self.folder / "secrets.json", values)

    def write_environment(self) -> Path:
        """A file for the shell, so that the other commands can administer the demo."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in self._own().items()]
        path = self.folder / "gateway.env"
        path.touch(mode=0o600)
        path.write_text("".join(lines), encoding="utf-8")
        return path

    def environ(self) -> dict[str, str]:
        """The environment of the demo's processes."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("IDP_")}
        return inherited | self._own()

    def _own(self) -> dict[str, str]:
        values = self.secrets()
        # Behind a proxy there are no applications, and so no tour.
        more = (
            {"IDP_TRUSTED_PROXIES": "127.0.0.0/8,::1/128"} | self._certificates()
            if self.public
            else {"IDP_DEMO_FOLDER": str(self.folder.resolve())}
        )
        return more | {
            "IDP_ENVIRONMENT": "sandbox",
            "IDP_ISSUER": self.issuer,
            "IDP_DATABASE_URL": self.database
            or f"sqlite:///{(self.folder / 'gateway.db').resolve()}",
            "IDP_SECRET_KEY": values["secret_key"],
            "IDP_KEY_ENCRYPTION_KEYS": values["key_encryption_key"],
            "IDP_PASSWORD_PEPPERS": f"k1:{values['pepper']}",
            "IDP_DEMO": "true",
            # The applications of the demonstration run beside it.
            "IDP_OUTBOUND_NETWORKS": "127.0.0.0/8,::1/128",
            "IDP_OUTBOUND_CA_FILE": self.ca_file,
            "IDP_LOG_LEVEL": "ERROR",
        }

    def _certificates(self) -> dict[str, str]:
        """The headers of ``deploy/nginx-mtls.conf.template``."""
        if not self.mtls:
            return {}
        return {
            "IDP_MTLS_URL": self.mtls,
            "IDP_CLIENT_CERTIFICATE_HEADER": "X-Client-Certificate",
            "IDP_CLIENT_CERTIFICATE_VERIFIED_HEADER": "X-Client-Verified",
        }

    def settings(self) -> Settings:
        """The settings of the demo's processes."""
        return Settings.from_environ(self.environ())

    def describe(self) -> dict[str, Any]:
        """The description for programs that use the demo (``demo.json``)."""
        values = self.secrets()
        return {
            "issuer": self.issuer,
            "relying_parties": [self._relying_party(app, values) for app in APPS],
            "people": [_account(figure, values) for figure in FIGURES if figure.role not in OTHERS],
            "pending": {
                "username": _username("pending"),
                "activation_url": self.issuer + (values["activation_path"] or ""),
            },
            "machine": {
                "username": _username("machine"),
                "password": values["passwords"]["machine"],
                "networks": list(LOOPBACK),
            },
            "provisioning": {
                "client_id": PUSHER,
                "client_secret": values["client_secrets"].get(PUSHER),
                "scim_url": f"{self.issuer}/scim/v2",
                "scope": "scim",
            },
        }

    def _relying_party(self, app: App, values: dict[str, Any]) -> dict[str, Any]:
        url = self.app_url(app.offset)
        return {
            "name": app.name,
            "url": url,
            "client_id": app.client_id,
            "client_secret": values["client_secrets"].get(app.client_id),
            "redirect_uris": [f"{url}/callback"],
            "post_logout_redirect_uris": [f"{url}/signed-out"],
        }


def _account(figure: Figure, values: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": figure.role,
        "username": figure.username,
        "email": figure.email,
        "password": values["passwords"][figure.role],
        "totp_secret": values["totp_secrets"][figure.role],
        "person_id": figure.person_id,
        "participants": figure.participants,
    }


def _username(role: str) -> str:
    return next(figure.username for figure in FIGURES if figure.role == role)


def write_private(path: Path, values: dict[str, Any]) -> None:
    """Replace a JSON file atomically, mode 0600."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(values, indent=1), encoding="utf-8")
    shutil.move(part, path)


def make_key() -> str:
    """A private key (PEM) for a client that signs its requests."""
    key = ec.generate_private_key(ec.SECP256R1())
    encoding, kind = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return key.private_bytes(encoding, kind, serialization.NoEncryption()).decode()


def make_totp_secret() -> str:
    """The secret of an authenticator app, in Base32."""
    return totp.secret_of(secrets.token_bytes(totp.SECRET_BYTES))


def make_password() -> str:
    """A password that meets the policy and can be typed from a screen."""
    words = ["".join(secrets.choice(SYLLABLES) for _ in range(3)) for _ in range(2)]
    return f"{words[0].capitalize()}-{words[1]}{secrets.randbelow(90) + 10}"

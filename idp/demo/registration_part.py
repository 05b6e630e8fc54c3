"""Online IESO Registration beside the gateway of the demonstration: its settings, its data, and
what ``demo.json`` says of it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from sqlalchemy import select

from idp.demo import registration_people
from idp.demo.home import Home, write_private
from idp.demo.people import REGISTRATION, REGISTRATION_PROGRAM, REGISTRATION_PUSHER
from idp.errors import ServiceError
from idp.models import Account, AccountKind, Person
from idp.transaction import Runtime
from registration import demo_data

COMMAND = (sys.executable, "-m", "registration.cli")


def environ(home: Home) -> dict[str, str]:
    """The environment of registration's processes."""
    values = home.secrets()
    inherited = {k: v for k, v in home.environ().items() if not k.startswith("IDP_")}
    own = {
        "ENVIRONMENT": "sandbox",
        "URL": home.app_url(REGISTRATION.offset),
        "DATABASE_URL": f"sqlite:///{(home.folder / 'registration.db').resolve()}",
        "SECRET_KEY": values["registration_secret_key"],
        "ISSUER": home.issuer,
        "CLIENT_ID": REGISTRATION.client_id,
        "CLIENT_SECRET": values["client_secrets"][REGISTRATION.client_id],
        "PUSH_CLIENT_ID": REGISTRATION_PUSHER,
        "PUSH_KEY": values["registration_push_key"],
        "DEMO": "true",
        "LOG_LEVEL": "ERROR",
    }
    kept = {k: v for k, v in inherited.items() if not k.startswith("REGISTRATION_")}
    return kept | {f"REGISTRATION_{name}": value for name, value in own.items()}


def prepare(runtime: Runtime, home: Home) -> None:
    """Make registration's tables and people, unless they are there. Raises ServiceError."""
    accounts = home.folder / "accounts.json"
    write_private(accounts, _accounts(runtime))
    for words in (("db", "upgrade"), ("demo", str(accounts))):
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            [*COMMAND, *words], env=environ(home), capture_output=True, text=True
        )
        if done.returncode:
            raise ServiceError(f"registration: {done.stderr.strip()}")
    accounts.unlink()


def _accounts(runtime: Runtime) -> dict[str, Any]:
    """The accounts that the gateway has: by Person ID, those of machines by user name."""
    with runtime.step() as work:
        query = select(Account.kind, Account.username, Account.subject, Person.person_id).join(
            Person, Person.id == Account.person_id
        )
        rows = work.db.execute(query).all()
    return {
        row.username if row.kind == AccountKind.MACHINE else row.person_id: {
            "username": row.username,
            "scim_id": row.subject,
        }
        for row in rows
        if row.kind != AccountKind.EMAIL
    }


def describe(home: Home) -> dict[str, Any]:
    """What programs that drive the demo need to know."""
    values, url = home.secrets(), home.app_url(REGISTRATION.offset)
    return {
        "url": url,
        "api": f"{url}/api/v1",
        "api_client_id": REGISTRATION_PROGRAM,
        "organizations": [
            {"id": number, "name": entry.name}
            for number, entry in demo_data.packaged().organizations.items()
        ],
        "people": [
            {
                "tier": one.tier,
                "username": one.username,
                "password": values["passwords"][one.role],
                "totp_secret": values["totp_secrets"][one.role],
                "person_id": one.person_id,
                "organizations": registration_people.organizations(one.person_id),
            }
            for one in registration_people.TIERS
        ],
    }

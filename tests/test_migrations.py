"""Migrations on a database that is in use: what is there gets what is new."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from idp.db import prepare_engine
from scripts.check_migrations import SERVICES, empty_postgresql, empty_sqlite

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
NOW = "2026-11-01 12:00:00"


def _account(pk: int, state: str, activated_at: str | None) -> dict[str, Any]:
    name = f"gauthie{pk}"
    return {
        "id": pk, "subject": f"s{pk}", "kind": "personal", "state": state,
        "state_changed_at": NOW, "username": name, "username_key": name, "person_id": 1,
        "locale": "en", "locale_is_chosen": False, "zoneinfo": "UTC",
        "activated_at": activated_at, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip


#: Rows of the first version.
OLD: dict[str, list[dict[str, Any]]] = {
    "person": [
        {
            "id": 1, "person_id": "100231", "given_name": "Noémie", "middle_name": "",
            "family_name": "Gauthier", "preferred_name": "", "email": "n@p.example",
            "email_key": "n@p.example", "phone": "+16135550177", "created_at": NOW,
            "updated_at": NOW,
        }
    ],
    "account": [
        _account(1, "active", NOW), _account(2, "locked", NOW), _account(3, "suspended", None),
    ],
    "client": [
        {
            "id": 1, "client_id": "emi", "name": "EMI", "description": "", "home_url": "",
            "auth_method": "none", "grant_types": "[]", "scopes": "[]", "redirect_uris": "[]",
            "post_logout_redirect_uris": "[]", "allowed_origins": "[]", "require_pkce": True,
            "trusted": False, "id_token_alg": "RS256", "access_token_alg": "ES256",
            "access_token_format": "jwt", "audience": "", "is_resource_server": False,
            "created_at": NOW, "updated_at": NOW,
        }
    ],
    "participant": [
        {"id": 1, "number": "109120", "name": "Énergie du Nord", "created_at": NOW}
    ],
}  # fmt: skip


def test_the_second_migration_fills_existing_rows(tmp_path: Path) -> None:
    """Accounts are found in the console, locks lead back, participants have their key."""
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    prepare_engine(engine)
    with engine.connect() as connection:
        config = Config(MIGRATIONS / "alembic.ini", attributes={"connection": connection})
        command.upgrade(config, "0001")
        for table, rows in OLD.items():
            for row in rows:
                connection.execute(sa.table(table, *map(sa.column, row)).insert().values(row))
        connection.commit()
        command.upgrade(config, "head")
        terms = set(
            connection.scalars(text("SELECT term FROM search_term WHERE account_id = 1")).all()
        )
        assert {"gauthie1", "noemie", "gauthier", "100231", "6135550177"} <= terms
        assert connection.scalar(text("SELECT sort_name FROM account")) == "gauthier noemie"
        states = connection.execute(text("SELECT state, resumes_as FROM account ORDER BY id")).all()
        assert [tuple(row) for row in states] == [
            ("active", None), ("locked", "active"), ("suspended", "pending"),
        ]  # fmt: skip
        assert connection.scalar(text("SELECT name_key FROM participant")) == "energie du nord"
        # Of several personal accounts of one person the oldest is the first (UI-11).
        reasons = connection.scalars(text("SELECT second_reason FROM account ORDER BY id")).all()
        assert list(reasons) == ["", "unstated", "unstated"]
        ended = connection.execute(text("SELECT ended_at, removed_at FROM participant")).one()
        assert tuple(ended) == (None, None)
        kinds = connection.scalar(text("SELECT account_kinds FROM client"))
        assert json.loads(kinds) == ["personal", "machine"]
    engine.dispose()


def test_role_groups_of_e_mail_accounts_are_migrated(tmp_path: Path) -> None:
    """EN-03: Workspaces does not close with the upgrade; other clients take what they took."""
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    prepare_engine(engine)
    kinds = {1: "email", 2: "personal", 3: "machine"}
    #: By role group the accounts that hold it.
    held = {1: (1,), 2: (2,), 3: (1, 2), 4: ()}
    with engine.connect() as connection:

        def insert(table: str, **row: Any) -> None:
            connection.execute(sa.table(table, *map(sa.column, row)).insert().values(row))

        config = Config(MIGRATIONS / "alembic.ini", attributes={"connection": connection})
        command.upgrade(config, "0001")
        for table, rows in OLD.items():
            for row in rows:
                insert(table, **row)
        for number in (2, 3, 4):
            insert("client", **OLD["client"][0] | {"id": number, "client_id": f"app{number}"})
        connection.commit()
        command.upgrade(config, "0019")
        for pk, kind in kinds.items():
            change = text("UPDATE account SET kind = :kind WHERE id = :pk")
            connection.execute(change, {"kind": kind, "pk": pk})
        for number, accounts in held.items():
            insert("role_group", id=number, name=f"G{number}", description="", kind="personal",
                   created_at=NOW)  # fmt: skip
            insert("client_role_group", client_id=number, role_group_id=number)
            for pk in accounts:
                insert("assignment", account_id=pk, role_group_id=number, participant_id=1,
                       granted_at=NOW, granted_by="seed")  # fmt: skip
        connection.commit()
        command.upgrade(config, "head")
        groups = connection.scalars(text("SELECT kind FROM role_group ORDER BY id")).all()
        clients = connection.scalars(text("SELECT account_kinds FROM client ORDER BY id")).all()
    assert list(groups) == ["email", "personal", "personal", "personal"]
    usual = ["personal", "machine"]
    assert [json.loads(entry) for entry in clients] == [[*usual, "email"], usual, usual, usual]
    engine.dispose()


def test_scopes_that_a_client_can_never_get_are_dropped(tmp_path: Path) -> None:
    """N32: a registration from before the rule can be changed afterwards; the rest stays."""
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    prepare_engine(engine)
    common = {
        "description": "", "home_url": "", "auth_method": "client_secret_basic", "keys": "[]",
        "redirect_uris": "[]", "post_logout_redirect_uris": "[]", "allowed_origins": "[]",
        "require_pkce": True, "trusted": True, "id_token_alg": "RS256", "access_token_alg": "ES256",
        "access_token_format": "jwt", "audience": "", "is_resource_server": False,
        "push_operations": "[]", "push_participants": "[]", "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    code, own = '["authorization_code"]', '["client_credentials"]'
    rows = {
        "app": (code, '["openid", "address", "offline_access"]', ["openid", "address"]),
        "robot": (own, '["openid", "scim", "groups"]', ["scim"]),
        "api": ("[]", '["openid"]', []),
    }
    with engine.connect() as connection:
        config = Config(MIGRATIONS / "alembic.ini", attributes={"connection": connection})
        command.upgrade(config, "0013")
        for number, (name, (grant_types, scopes, _)) in enumerate(rows.items(), 1):
            row = common | {"id": number, "client_id": name, "name": name,
                            "grant_types": grant_types, "scopes": scopes}  # fmt: skip
            connection.execute(sa.table("client", *map(sa.column, row)).insert().values(row))
        connection.commit()
        command.upgrade(config, "head")
        kept = connection.execute(sa.text("SELECT client_id, scopes FROM client")).all()
    assert {name: json.loads(scopes) for name, scopes in kept} == {
        name: expected for name, (_, _, expected) in rows.items()
    }
    engine.dispose()


def triggers(connection: sa.Connection) -> set[str]:
    """The triggers of a database, as it describes them itself."""
    if connection.dialect.name == "sqlite":
        query = "SELECT sql FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    found = {str(row) for row in connection.scalars(text(query))}
    return {row.replace("IF NOT EXISTS ", "") for row in found}


@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_migrations_and_models_make_the_same_triggers(kind: str) -> None:
    """A later step that makes a table again must make its triggers again."""
    found = []
    server = os.environ.get("TEST_DATABASE_URL", "")
    if kind == "PostgreSQL" and not server:
        pytest.skip("no PostgreSQL")
    service = SERVICES["gateway"]
    for make in (service.upgrade, service.metadata.create_all):
        is_sqlite = kind == "SQLite"
        with empty_sqlite() if is_sqlite else empty_postgresql(server) as engine:
            make(engine)
            with engine.connect() as connection:
                found.append(triggers(connection))
    assert found[0] == found[1]
    assert found[0]

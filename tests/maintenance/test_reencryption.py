"""``gateway key reencrypt``: nothing stored needs a former key of IDP_KEY_ENCRYPTION_KEYS."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from idp.errors import ConfigurationError
from idp.maintenance import reencryption
from idp.models import OutboxMessage
from idp.vault import Vault
from tests.factor_steps import set_up_app
from tests.shell import Run, good, shell
from tests.world import World

NEW = Fernet.generate_key().decode()


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Commands with a new key before the former one, where each kind of row has an encrypted
    value."""
    world.relying_party(auth_method="client_secret_jwt")
    set_up_app(world, world.account("berta"))
    keys = (NEW, *world.settings.key_encryption_keys)
    return shell(replace(world.settings, key_encryption_keys=keys), monkeypatch)


def opened(world: World, *keys: str) -> list[str]:
    """The tables whose values these keys open."""
    vault = Vault(replace(world.settings, key_encryption_keys=keys))
    found = []
    with world.work() as work:
        for table, columns in reencryption.sealed_columns().items():
            values = [
                value
                for column in columns
                for value in work.db.scalars(select(column).where(column != ""))
            ]
            with suppress(ConfigurationError):
                if [vault.decrypt(value) for value in values]:
                    found.append(table.name)
    return found


def test_the_columns_with_encrypted_values() -> None:
    """They are found by their names, which have the word ``sealed``."""
    found = reencryption.sealed_columns()
    assert {f"{table.name}.{column.name}" for table in found for column in found[table]} == {
        "authenticator.secret_sealed",
        "client.former_sealed_secret",
        "client.sealed_secret",
        "device_authorization.user_code_sealed",
        "event_stream.authorization_sealed",
        "outbox_message.body_sealed",
        "recovery_request.typed_sealed",
        "refresh_token.successor_sealed",
        "signing_key.private_sealed",
    }


def test_the_former_key_is_not_needed_afterwards(world: World, run: Run) -> None:
    """A dry run changes nothing, the run is recorded, and a second run finds nothing to do."""
    tables = ["authenticator", "client", "outbox_message", "signing_key"]
    counted = good(run("key", "reencrypt", "--dry-run", "--json"))
    assert {one["table"] for one in counted["tables"] if one["former"]} == set(tables)
    assert opened(world, NEW) == []
    done = good(run("key", "reencrypt", "--json"))
    assert done["tables"] == counted["tables"]
    assert sorted(opened(world, NEW)) == tables
    (event,) = world.events("values.reencrypted")
    assert event.data["count"] == sum(one["former"] for one in done["tables"])
    again = good(run("key", "reencrypt", "--json"))
    assert {one["former"] for one in again["tables"]} == {0}
    assert [one["values"] for one in again["tables"]] == [one["values"] for one in done["tables"]]
    assert len(world.events("values.reencrypted")) == 1


def test_what_no_key_opens_stays_and_is_counted(world: World, run: Run) -> None:
    """The exit code is 1; everything else is encrypted again."""
    lost = Fernet(Fernet.generate_key()).encrypt(b"lost").decode()
    with world.work() as work:
        work.db.execute(update(OutboxMessage).values(body_sealed=lost))
    result = run("key", "reencrypt")
    assert result.exit_code == 1
    assert re.search(r"(?m)^outbox_message +(\d+) +0 +\1$", result.stdout)
    assert sorted(opened(world, NEW)) == ["authenticator", "client", "signing_key"]
    with world.work() as work:
        assert set(work.db.scalars(select(OutboxMessage.body_sealed))) == {lost}


def test_a_value_that_is_changed_at_the_same_time_stays(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway writes between the reading of a batch and its update: its value is not lost."""
    written = Fernet(NEW).encrypt(b"written").decode()
    encrypt_again = Vault.encrypt_again

    def slowly(vault: Vault, sealed: str) -> str:
        with world.work() as work:
            work.db.execute(
                update(OutboxMessage)
                .where(OutboxMessage.body_sealed == sealed)
                .values(body_sealed=written)
            )
        return encrypt_again(vault, sealed)

    monkeypatch.setattr(Vault, "encrypt_again", slowly)
    assert run("key", "reencrypt").exit_code == 0
    with world.work() as work:
        assert set(work.db.scalars(select(OutboxMessage.body_sealed))) == {written}


def test_a_table_is_read_in_batches(
    world: World, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reencryption, "BATCH", 2)
    counted = good(run("key", "reencrypt", "--json"))["tables"]
    (keys,) = [one for one in counted if one["table"] == "signing_key"]
    assert keys["former"] == keys["values"] > 2
    assert "signing_key" in opened(world, NEW)

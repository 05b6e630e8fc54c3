"""The tables of registration: made by its own migrations, on every database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, select
from sqlalchemy.orm import Session

from registration import schema
from registration.models import Base, Person
from registration.person_search import search_key
from registration.settings import Settings
from service_base.database import prepare_engine
from service_base.refusals import ConfigurationError, DatabaseNotReady
from service_base.schema_version import SchemaStatus

SECRET = "registration-secret-of-the-tests-0001"


def test_the_migrations_make_the_tables(tmp_path: Path) -> None:
    """Once; a second upgrade changes nothing."""
    url = f"sqlite:///{tmp_path}/registration.db"
    engine = create_engine(url)
    prepare_engine(engine)
    with pytest.raises(DatabaseNotReady, match="registration db upgrade"):
        schema.SCHEMA.require(engine)
    for _ in range(2):
        schema.upgrade(engine)
    assert set(inspect(engine).get_table_names()) == {*Base.metadata.tables, "alembic_version"}
    schema.SCHEMA.require(engine)
    with engine.connect() as connection:
        assert schema.SCHEMA.status(connection) is SchemaStatus.OK
    engine.dispose()


def test_a_person_of_an_earlier_release_is_found_after_the_upgrade(tmp_path: Path) -> None:
    """RG-04: the search key of release 0001 had the first name first."""
    engine = create_engine(f"sqlite:///{tmp_path}/registration.db")
    prepare_engine(engine)
    schema.upgrade(engine, "0001")
    at = datetime(2026, 11, 27, tzinfo=UTC)
    row = Person(
        person_id="1", first_name="Lucie", last_name="Côté", middle_name="Marie",
        main_email="l@lakes.example", search_key="lucie cote marie ", created_at=at, updated_at=at,
    )  # fmt: skip
    with Session(engine) as session:
        session.add(row)
        session.commit()
    schema.upgrade(engine)
    with Session(engine) as session:
        found = session.scalars(select(Person.search_key)).one()
    assert found == search_key("Lucie", "Côté", "Marie") == "cote|lucie marie"
    engine.dispose()


def test_every_foreign_key_can_be_looked_up() -> None:
    """Each foreign key leads an index or a key."""
    for table in Base.metadata.sorted_tables:
        leading = {next(iter(index.columns)).name for index in table.indexes}
        leading |= {column.name for column in table.columns if column.unique or column.index}
        for key in table.foreign_keys:
            assert key.parent.name in leading, f"{table.name}.{key.parent.name}"


def test_nothing_that_was_held_is_deleted_or_overwritten() -> None:
    """Every record that is given and taken has its beginning, its end, by whom and why (TM-12)."""
    wanted = {"valid_from", "valid_until", "given_by", "given_why", "ended_by", "ended_why"}
    for name in (
        "appointment", "contact_assignment", "access_assignment", "custody", "machine_network",
        "section",
    ):  # fmt: skip
        assert wanted <= set(Base.metadata.tables[name].columns.keys()), name


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, "SECRET_KEY must have at least 32 characters"),
        ({"SECRET_KEY": SECRET, "NOTHING": "1"}, "unknown settings: REGISTRATION_NOTHING"),
        ({"SECRET_KEY": SECRET, "URL": "http://registration.example"}, "URL must be https"),
        ({"SECRET_KEY": SECRET, "URL": "https://x.example/path"}, "scheme and host only"),
        ({"SECRET_KEY": SECRET, "ENVIRONMENT": "test"}, "must be production or sandbox"),
        ({"SECRET_KEY": SECRET, "FRESH_SECONDS": "1"}, "FRESH_SECONDS must be between 60 and"),
        ({"SECRET_KEY": SECRET, "ENVIRONMENT": "production"}, "DATABASE_URL must be PostgreSQL"),
    ],
)
def test_settings_that_are_unsafe_are_refused(variables: dict[str, str], fault: str) -> None:
    environ = {f"REGISTRATION_{name}": value for name, value in variables.items()}
    with pytest.raises(ConfigurationError, match=fault):
        Settings.from_environ(environ)


def test_a_secret_may_be_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    settings = Settings.from_environ({"REGISTRATION_SECRET_KEY_FILE": str(path)})
    assert settings.secret_key == SECRET

"""Installations that faults happen to, each with a database of its own.

``make faults`` runs everything; elsewhere only tests marked ``quick`` run (docs/reliability.md)."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.faults.installation import Installation, settings_of
from tests.faults.servers import OwnPostgreSQL, own_postgresql

ROOT = Path(__file__).resolve().parents[2]
DATABASES = count(1)
Figures = Callable[..., None]


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with tables and keys, as ``gateway db upgrade`` makes it."""
    folder = tmp_path_factory.mktemp("empty")
    file = folder / "gateway.db"
    Installation(folder, settings_of(f"sqlite:///{file}")).run("db", "upgrade")
    return file


@pytest.fixture(scope="session")
def postgresql() -> Iterator[OwnPostgreSQL]:
    """A cluster of these tests' own, with a template of the tables."""
    with own_postgresql() as server:
        server.execute("CREATE DATABASE template_gateway")
        made = Installation(server.folder, settings_of(server.url("template_gateway")))
        made.started = []
        made.run("db", "upgrade")
        yield server


@pytest.fixture
def on_sqlite(empty_file: Path, tmp_path: Path) -> Iterator[Installation]:
    """An installation on SQLite."""
    file = tmp_path / "gateway.db"
    shutil.copy(empty_file, file)
    made = Installation(tmp_path, settings_of(f"sqlite:///{file}"))
    yield made
    made.stop()


@pytest.fixture
def on_postgresql(postgresql: OwnPostgreSQL, tmp_path: Path) -> Iterator[Installation]:
    """An installation on PostgreSQL."""
    name = f"gateway_{next(DATABASES)}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE template_gateway")
    made = Installation(tmp_path, settings_of(postgresql.url(name)))
    yield made
    made.stop()
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Figures:
    """Keep figures of a run: a line in the file that FAULTS_FIGURES names."""

    def keep(**values: Any) -> None:
        rounded = {k: round(v, 2) if isinstance(v, float) else v for k, v in values.items()}
        print(request.node.name, rounded)  # noqa: T201
        if path := os.environ.get("FAULTS_FIGURES"):
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"test": request.node.name} | rounded) + "\n")

    return keep

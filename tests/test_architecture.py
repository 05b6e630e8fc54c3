"""What the house is built on: minimum versions, indexes for every look-up, rules that are pure."""

from __future__ import annotations

import ast
import re
from collections import Counter
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

import idp
import registration
from idp import models
from idp.db import Base

MINIMUM = {"authlib": "1.9.10", "joserfc": "1.8.0", "flask": "3.1.3", "werkzeug": "3.1.6"}
IMPURE = {"now", "utcnow", "today", "time", "monotonic", "token_urlsafe", "token_bytes", "randint"}


@pytest.mark.parametrize("name", MINIMUM)
def test_no_dependency_is_older_than_its_last_advisory(name: str) -> None:
    """Older ones have known holes."""
    assert Version(version(name)) >= Version(MINIMUM[name])


def test_authlib_is_the_release_that_was_examined() -> None:
    """It moves fast: a newer one passes the whole suite before it is let in."""
    assert Version(version("authlib")) < Version("1.10")


def test_every_foreign_key_has_an_index() -> None:
    """What is searched is indexed; each foreign key leads an index or a key."""
    for table in models.tables().sorted_tables:
        leading = {next(iter(index.columns)).name for index in table.indexes}
        leading |= {c.name for c in table.columns if c.unique or c.index}
        leading.add(next(iter(table.primary_key.columns)).name)
        for key in table.foreign_keys:
            exempt = (table.name, key.parent.name) in NOT_SEARCHED
            assert exempt or key.parent.name in leading, f"{table.name}.{key.parent.name}"


def test_every_model_belongs_to_the_tables() -> None:
    """Migrations and servers load each module of ``idp.models``."""
    folder = Path(models.__file__).parent
    written = re.findall(
        r"^    __tablename__ = \"(\w+)\"",
        "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py")),
        re.MULTILINE,
    )
    assert set(written) <= set(models.tables().tables)
    with pytest.raises(AttributeError, match="Acount"):
        models.Acount  # noqa: B018


def test_every_model_imports_the_models_that_its_foreign_keys_name() -> None:
    """A command loads few models. SQLAlchemy needs the tables of their foreign keys to write."""
    folder = Path(models.__file__).parent
    of_table = {"client_role_group": "idp.models.client"}
    of_table |= {row.local_table.name: row.class_.__module__ for row in Base.registry.mappers}
    imports: dict[str, set[str]] = {}
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found = {node.module for node in tree.body if isinstance(node, ast.ImportFrom)}
        imports[f"idp.models.{path.stem}"] = {name for name in found if name}

    def loaded(module: str) -> set[str]:
        return {module}.union(*(loaded(name) for name in imports.get(module, ())))

    for table in models.tables().tables.values():
        module = of_table[table.name]
        needed = {of_table[key.column.table.name] for key in table.foreign_keys}
        assert needed <= loaded(module), table.name


#: Nothing looks for rows by these.
NOT_SEARCHED = {
    ("interaction", "client_id"),
    ("interaction", "account_id"),
    ("interaction", "temporary_password_id"),
    ("interaction", "answered_by_id"),
    ("consent", "client_id"),
    ("client_session", "client_id"),
    ("client_proposal", "proposed_by"),
    ("client_proposal", "decided_by"),
}


REGISTRATION_RULES = (
    "access_changes",
    "contact_rules",
    "delegation",
    "delegation_facts",
    "delegation_rules",
    "delegation_texts",
)


def test_rules_have_no_clock_and_no_randomness() -> None:
    """Time and randomness are arguments of idp.policy and the pure oidc rules."""
    root = Path(idp.__file__).parent
    pure = [*root.glob("policy/**/*.py"), root / "oidc/interaction.py", root / "oidc/claims.py"]
    pure += [root.parent / "registration" / f"{name}.py" for name in REGISTRATION_RULES]
    assert len(pure) > 8
    for path in pure:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                assert node.func.attr not in IMPURE, f"{path.name}:{node.lineno}"


def test_no_view_catches_a_database_collision() -> None:
    """A Collision has ended the transaction: views name the refusals that they answer, and the rest
    reaches ``web/error_responses``."""
    for path in (Path(idp.__file__).parent / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and node.type is not None:
                caught = {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                assert not caught & {"ServiceError", "Collision", "Unstorable"}, path


ASKS_SERVICES = ("idp/web", "idp/oidc", "registration_bridge")


@pytest.mark.parametrize("package", ASKS_SERVICES)
def test_pages_and_endpoints_never_use_the_database_session(package: str) -> None:
    """They ask services: ``work.db`` is not used there. The import contract ``tables`` keeps
    SQLAlchemy out."""
    for path in (Path(idp.__file__).parent.parent / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_session = isinstance(node, ast.Attribute) and node.attr == "db"
            assert not is_session, f"{path.name}:{node.lineno}"


PACKAGES = (
    "audit",
    "session",
    "credentials",
    "directory",
    "factors",
    "clients",
    "machines",
    "grants",
    "recovery",
    "signin",
    "helpdesk",
    "maintenance",
    "risk_lab",
)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_imported_only_through_their_listed_modules(package: str) -> None:
    """``__all__`` of a package names the modules that the rest of the code may use."""
    door = import_module(f"idp.{package}").__all__
    root = Path(idp.__file__).parent
    used = set()
    for path in [*root.rglob("*.py"), *(root.parent / "registration_bridge").rglob("*.py")]:
        if path.parent == root / package:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == f"idp.{package}":
                used |= {name.name for name in node.names}
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                f"idp.{package}."
            ):
                used.add(str(node.module).split(".")[2])
    assert used == set(door)


def test_registration_names_all_its_parts() -> None:
    """Its docstring is where a reader begins: each module and folder is there, and nothing else."""
    folder = Path(str(registration.__file__)).parent
    parts = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    parts |= {path.parent.name for path in folder.glob("*/[!.]*")} - {"__pycache__"}
    assert set(re.findall(r"``(\w+)``", registration.__doc__ or "")) == parts | {"registration"}


def test_tests_use_a_database_of_their_own_process() -> None:
    """Test processes share the database that TEST_DATABASE_URL names: tables made there by two of
    them collide. The fixtures make databases on its server."""
    folder = Path(__file__).parent
    found = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*.py")
        if re.search(r"environ\.get\(.TEST_DATABASE_URL", path.read_text(encoding="utf-8"))
    }
    assert found == {"conftest.py", "registration/conftest.py", "tables.py", "test_migrations.py"}


def test_no_two_modules_share_a_file_name() -> None:
    """No two modules share a name."""
    root = Path(idp.__file__).parent
    packages = (root, root.parent / "registration_bridge", root.parent / "hosted_pages")
    files = [path for package in packages for path in package.rglob("*.py")]
    names = Counter(path.name for path in files if path.name != "__init__.py")
    assert [name for name, times in names.items() if times > 1] == []

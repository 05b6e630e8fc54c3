"""What code and tests cite can be read in the documents, and what the documents name exists."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from idp.audit.actions import AuditAction

ROOT = Path(__file__).parents[1]
CATALOGUE = ROOT / "docs" / "requirements.md"
FAMILIES = "TM|GW|AC|MF|PW|RS|CR|SP|RG|CO|AR|MA|UI|PR|NT|EN|Z"
ID = re.compile(rf"\b(?:(?:{FAMILIES})-\d\d|[NR]\d\d|[A-L]\.\d\d|[AFI][1-9])\b")
CITED_IN = ("idp", "registration", "registration_bridge", "service_base", "tests", "docs")


def _catalogue() -> set[str]:
    """The ids of the first column; "N01 to N06" names all of them."""
    found: set[str] = set()
    for line in CATALOGUE.read_text(encoding="utf-8").splitlines():
        cell = line.split("|")[1] if line.startswith("| ") else ""
        ids = ID.findall(cell)
        if " to " in cell and len(ids) == 2:
            stem, first = re.fullmatch(r"(.*?)(\d+)", ids[0]).groups()  # type: ignore[union-attr]
            last = int(ids[1].removeprefix(stem))
            found |= {f"{stem}{n:0{len(first)}d}" for n in range(int(first), last + 1)}
        found |= set(ids)
    return found


def test_every_cited_requirement_is_in_the_catalogue() -> None:
    known = _catalogue()
    assert len(known) > 300
    for folder in CITED_IN:
        for path in (ROOT / folder).rglob("*.py" if folder != "docs" else "*.md"):
            if "node_modules" not in path.parts:
                cited = set(ID.findall(path.read_text(encoding="utf-8")))
                assert cited <= known, (path, sorted(cited - known))


def test_every_document_that_is_cited_exists() -> None:
    """A page named in code, tests or documents is one of this repository."""
    pages = {path.name for path in ROOT.glob("*.md")}
    pages |= {
        path.name for folder in ("docs", "benchmarks") for path in (ROOT / folder).rglob("*.md")
    }
    for folder in (*CITED_IN, "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            if "node_modules" not in path.parts:
                named = set(re.findall(r"[\w-]+\.md\b", path.read_text(encoding="utf-8")))
                assert named <= pages, (path, sorted(named - pages))


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
#: Documents in which every module path in backquotes must exist.
WITH_PATHS = (ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md", *DECISIONS)
CODE = ("hosted_pages", "idp", "registration", "registration_bridge", "service_base")
#: A name that a document says is past: formerly `name`.
PAST = re.compile(r"\b[Ff]ormerly `[^`]+`")
NAME = re.compile(r"_?[A-Za-z]+(?:_[A-Za-z]+)+(?:\(\))?")
ASSETS = (".css", ".html", ".js", ".txt")
PATH = re.compile(r"\.?\w[\w-]*(?:[/.]\w[\w-]*)+")
FILES = (".cfg", ".lock", ".md", ".toml", ".yaml", ".yml")


def _modules() -> dict[str, str]:
    """The source of each module by its path without suffix; a package is its folder."""
    return {
        path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__"): path.read_text(
            encoding="utf-8"
        )
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
    }


def _missing_paths(document: str, modules: dict[str, str], events: set[str]) -> set[str]:
    """The dotted or slashed paths in backquotes that name nothing in this repository. A path is
    that of a file, of a module (from any package down), or of a name in a module."""
    text = re.sub(r"^```.*?^```", "", PAST.sub("", document), flags=re.DOTALL | re.MULTILINE)
    missing = set()
    for path in re.findall(r"`([^`\n]+)`", text):
        if not PATH.fullmatch(path) or path in events or (ROOT / path).exists():
            continue
        # ``mutation.toml`` is a file that the reader makes.
        if "/" not in path and path.endswith(FILES):
            continue
        if path.endswith(ASSETS) and any(_files(path)):
            continue
        if not _names_code(path, modules):
            missing.add(path)
    return missing


def _files(path: str) -> Iterator[Path]:
    """The template, style sheet or script of this name, in whatever package."""
    return (found for folder in CODE for found in (ROOT / folder).rglob(path))


def _missing_names(document: str, source: str) -> set[str]:
    """The names with an underscore, alone in backquotes, that do not occur in the source."""
    names = {
        name.removesuffix("()")
        for name in re.findall(r"`([^`\n]+)`", PAST.sub("", document))
        if NAME.fullmatch(name)
    }
    # A setting is a field in lower case, without the prefix.
    return {
        name
        for name in names
        if not re.search(rf"\b{name.removeprefix('IDP_').lower()}\b", source, re.IGNORECASE)
    }


def _names_code(path: str, modules: dict[str, str]) -> bool:
    tail = path.removesuffix(".py").replace(".", "/")
    if any(f"/{name}".endswith(f"/{tail}") for name in modules):
        return True
    owner, _, name = tail.rpartition("/")
    definition = re.compile(rf"^\s*(?:def|class) {name}\b|^{name}\b", re.MULTILINE)
    return any(
        definition.search(source) is not None
        for module, source in modules.items()
        if f"/{module}".endswith(f"/{owner}") or re.search(rf"^class {owner}\b", source, re.M)
    )


def test_every_module_path_of_the_documents_exists() -> None:
    """A moved or renamed module, class or function is renamed in the documents too."""
    modules, events = _modules(), {str(action) for action in AuditAction}
    for document in WITH_PATHS:
        missing = _missing_paths(document.read_text(encoding="utf-8"), modules, events)
        assert not missing, (document.name, sorted(missing))


def test_every_name_of_the_decisions_exists() -> None:
    """A function, field or code that was renamed is renamed there too, or said to be past."""
    source = "\n".join(_modules().values())
    for document in DECISIONS:
        missing = _missing_names(document.read_text(encoding="utf-8"), source)
        assert not missing, (document.name, sorted(missing))


def test_a_name_that_does_not_exist_is_found() -> None:
    text = "`continue_page` `continue_pages()` `IDP_AUDIT_KEYS` `IDP_AUDIT_KEY` formerly `old_name`"
    source = "def continue_page(): ...\naudit_keys: str\n"
    assert _missing_names(text, source) == {"continue_pages", "IDP_AUDIT_KEY"}


def test_a_module_path_that_does_not_exist_is_found() -> None:
    modules, events = _modules(), {str(action) for action in AuditAction}
    text = (
        "`audit/trail` `idp.audit.trail` `Gateway.dispatch_request`"
        " `grants/grant_lifecycle.is_active` `signin.assessed` `tests/oidc` `idp/policy/console.py`"
        " `tokens.css` formerly `desk/account_actions`"
        " `desk/trail` `idp.audit.trial` `Gateway.dispatch` `grants/grant_lifecycle.is_alive`"
    )
    assert _missing_paths(text, modules, events) == {
        "desk/trail", "idp.audit.trial", "Gateway.dispatch", "grants/grant_lifecycle.is_alive",
    }  # fmt: skip


def test_the_site_leads_to_every_document() -> None:
    """Pages are in the navigation, decisions are found by the search."""
    site = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))
    listed = re.findall(r"[\w/-]+\.md", str(site["project"]["nav"]))
    docs = ROOT / "docs"
    pages = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    assert sorted(listed) == sorted(one for one in pages if not one.startswith("decisions/"))

"""What code and tests cite can be read in docs/requirements.md."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CATALOGUE = ROOT / "docs" / "requirements.md"
FAMILIES = "TM|GW|AC|MF|PW|RS|CR|SP|RG|CO|AR|MA|UI|PR|NT|EN|Z"
ID = re.compile(rf"\b(?:(?:{FAMILIES})-\d\d|[NR]\d\d|[A-L]\.\d\d|[AFI][1-9])\b")
CITED_IN = ("idp", "registration_bridge", "tests", "docs")


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

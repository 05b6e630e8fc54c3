"""What ``make release`` accepts, and what it writes beside the distributions."""

from __future__ import annotations

import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts import make_release
from scripts.make_release import NotReady

NOTES = "- People sign in.\n- So do programs.\n"
CHANGES = f"# Changes\n\n## 1.2.0 (2026-11-28)\n\n{NOTES}\n## 1.1.0 (2026-01-02)\n\n- Older.\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit that is ready."""
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Ada")
        monkeypatch.setenv(f"{name}_EMAIL", "ada@example.com")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    (tmp_path / "deploy").mkdir()
    (tmp_path / "setup.cfg").write_text("[metadata]\nversion = 1.2.0\n")
    (tmp_path / "CHANGES.md").write_text(CHANGES)
    for name in make_release.LOCKS:
        (tmp_path / name).write_text(f"{name}\n")
    make_release.git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def commit(checkout: Path) -> None:
    make_release.git(checkout, "add", "--all")
    make_release.git(checkout, "commit", "--quiet", "--message", "One")


def test_a_release_is_a_commit_with_its_version_and_notes(checkout: Path) -> None:
    release = make_release.prepared(checkout)
    assert (release.version, release.tag, release.notes) == ("1.2.0", "v1.2.0", NOTES)
    assert release.commit == make_release.git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (CHANGES.replace("1.2.0 (2026-11-28)", "1.2.0 (unreleased)"), "write the date of 1.2.0"),
        (CHANGES.replace("2026-11-28", "28 November"), "write the date of 1.2.0"),
        (CHANGES.replace("1.2.0", "1.3.0"), "the first heading of CHANGES.md must be: ## 1.2.0"),
        ("# Changes\n", "the first heading of CHANGES.md must be: ## 1.2.0"),
    ],
)
def test_a_version_without_its_notes_is_not_released(
    checkout: Path, changes: str, message: str
) -> None:
    (checkout / "CHANGES.md").write_text(changes)
    commit(checkout)
    with pytest.raises(NotReady, match=message):
        make_release.prepared(checkout)


def test_what_is_not_committed_is_not_released(checkout: Path) -> None:
    (checkout / "new.py").write_text("")
    with pytest.raises(NotReady, match="commit or remove these first"):
        make_release.prepared(checkout)


def test_a_version_is_released_once_with_its_digests(checkout: Path) -> None:
    release = make_release.prepared(checkout)
    make_release.tag(release, checkout, {"a.whl": "ab" * 32})
    message = make_release.git(checkout, "tag", "--list", "--format=%(contents)", "v1.2.0")
    assert message == f"Release 1.2.0\n\n{'ab' * 32}  a.whl"
    with pytest.raises(NotReady, match=r"v1\.2\.0 is released already"):
        make_release.prepared(checkout)


def test_provenance_names_the_commit_the_pins_and_each_file(checkout: Path) -> None:
    """SLSA 1.0, build provenance; in-toto statement 1. ``sha256sum`` reads the digests."""
    release, at = make_release.prepared(checkout), datetime(2026, 11, 28, 4, 0, tzinfo=UTC)
    output = checkout / "dist"
    output.mkdir()
    (output / "b.whl").write_bytes(b"wheel")
    (output / "a.tar.gz").write_bytes(b"source")
    made = make_release.digests(output.iterdir())
    found = make_release.provenance(release, made, checkout, at, at)
    assert [(one["name"], one["digest"]["sha256"]) for one in found["subject"]] == [
        ("a.tar.gz", hashlib.sha256(b"source").hexdigest()),
        ("b.whl", hashlib.sha256(b"wheel").hexdigest()),
    ]
    commit_of, *locks = found["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert commit_of["digest"] == {"gitCommit": release.commit}
    assert [one["uri"] for one in locks] == list(make_release.LOCKS)
    (output / "SHA256SUMS").write_text(make_release.sums(made))
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=output, check=True)

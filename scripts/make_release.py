"""Make a release of the commit that is checked out: distributions, SBOM, notes, digests, provenance
and a tag.

The version is that of setup.cfg, and CHANGES.md has its date. Everything is built from the commit,
which the tag and the provenance (SLSA 1.0, in-toto statement 1) name with the digests of the files.
The image is built from the same tag by the Dockerfile. Nothing is published.
"""

from __future__ import annotations

import argparse
import configparser
import hashlib
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## (?P<version>\S+) \((?P<date>[^)]+)\)$", re.MULTILINE)
#: What the build reads besides the commit, pinned by hashes.
LOCKS = ("requirements.lock", "deploy/build-tools.lock")
BUILD_TYPE = "https://slsa.dev/provenance/v1#make-release"


class NotReady(Exception):
    """The commit cannot be released; the message says what to do."""


@dataclass(frozen=True)
class Release:
    """A version, the commit that it is made of, and its notes."""

    version: str
    commit: str
    committed_at: datetime
    notes: str

    @property
    def tag(self) -> str:
        return f"v{self.version}"


def git(root: Path, *arguments: str) -> str:
    """The output of git."""
    done = subprocess.run(  # noqa: S603 - no shell
        ["git", *arguments],  # noqa: S607 - found by PATH
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def prepared(root: Path) -> Release:
    """The release that the checkout is ready for. Raises NotReady."""
    if changed := git(root, "status", "--porcelain"):
        raise NotReady(f"commit or remove these first:\n{changed}")
    config = configparser.ConfigParser()
    config.read(root / "setup.cfg", encoding="utf-8")
    version = config["metadata"]["version"]
    notes = notes_of(version, (root / "CHANGES.md").read_text(encoding="utf-8"))
    if git(root, "tag", "--list", f"v{version}"):
        raise NotReady(f"v{version} is released already; raise the version in setup.cfg")
    at = datetime.fromisoformat(git(root, "show", "--no-patch", "--format=%cI"))
    return Release(version, git(root, "rev-parse", "HEAD"), at.astimezone(UTC), notes)


def notes_of(version: str, changes: str) -> str:
    """The newest section of CHANGES.md. Raises NotReady if it is not that of the version, or has no
    date."""
    found = HEADING.search(changes)
    if found is None or found["version"] != version:
        raise NotReady(f"the first heading of CHANGES.md must be: ## {version} (YYYY-MM-DD)")
    try:
        date.fromisoformat(found["date"])
    except ValueError as error:
        raise NotReady(f"write the date of {version} in CHANGES.md as YYYY-MM-DD") from error
    following = HEADING.search(changes, found.end())
    return changes[found.end() : following.start() if following else None].strip() + "\n"


def digests(files: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file in hexadecimal, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def provenance(
    release: Release, made: dict[str, str], root: Path, started: datetime, finished: datetime
) -> dict[str, Any]:
    """What was built of what, and where (SLSA 1.0, build provenance)."""
    locks = [
        {"uri": name, "digest": {"sha256": hashlib.sha256((root / name).read_bytes()).hexdigest()}}
        for name in LOCKS
    ]
    commit = {"uri": "git+.", "digest": {"gitCommit": release.commit}}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": one}} for name, one in made.items()],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"version": release.version, "tag": release.tag},
                "internalParameters": {"python": platform.python_version()},
                "resolvedDependencies": [commit, *locks],
            },
            "runDetails": {
                "builder": {"id": "scripts/make_release.py"},
                "metadata": {
                    "startedOn": started.isoformat(timespec="seconds"),
                    "finishedOn": finished.isoformat(timespec="seconds"),
                },
            },
        },
    }


def make(release: Release, root: Path, output: Path) -> dict[str, str]:
    """Build and try everything, and write what comes with it; returns the digests."""
    started = datetime.now(UTC)
    # The same commit gives the same wheel, byte for byte.
    epoch = {"SOURCE_DATE_EPOCH": str(int(release.committed_at.timestamp()))}
    command = [sys.executable, str(root / "scripts" / "make_dist.py"), "--output", str(output)]
    subprocess.run(command, env=os.environ | epoch, check=True)  # noqa: S603 - no shell
    (output / "NOTES.md").write_text(release.notes, encoding="utf-8")
    made = digests(output.iterdir())
    statement = provenance(release, made, root, started, datetime.now(UTC))
    target = output / f"ieso_gateway-{release.version}.provenance.json"
    target.write_text(json.dumps(statement, indent=2) + "\n", encoding="utf-8")
    made |= digests([target])
    (output / "SHA256SUMS").write_text(sums(made), encoding="utf-8")
    return made


def sums(made: dict[str, str]) -> str:
    """As ``sha256sum --check`` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(made.items()))


def tag(release: Release, root: Path, made: dict[str, str]) -> None:
    """The tag has the digests. It is signed if git has a key for that."""
    message = f"Release {release.version}\n\n{sums(made)}"
    try:
        has_key = bool(git(root, "config", "user.signingkey"))
    except subprocess.CalledProcessError:
        has_key = False
    sign = "--sign" if has_key else "--annotate"
    git(root, "tag", sign, "--message", message, release.tag, release.commit)


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    parser.add_argument("--check", action="store_true", help="only say whether it is ready")
    options = parser.parse_args()
    try:
        release = prepared(ROOT)
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    if options.check:
        print(f"{release.version} can be released from {release.commit[:12]}")
        return 0
    made = make(release, ROOT, options.output)
    tag(release, ROOT, made)
    print(sums(made), end="")
    print(f"tagged {release.tag}; publish with: git push origin {release.tag}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

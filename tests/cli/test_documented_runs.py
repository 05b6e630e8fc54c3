"""Each block of commands in the documents runs as it stands. The runbooks are in
``test_runbooks.py`` and ``tests/registration/test_runbooks.py``."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from idp.directory import accounts, second_accounts
from idp.models import AccountKind, ClientProposal
from idp.policy.console import ConsoleRole
from tests.cli.test_documented import ROOT, lines
from tests.scim.pusher import user
from tests.shell import Run
from tests.world import World

#: Chapters whose blocks other tests run: those of the runbooks.
RUNBOOKS = re.compile(r"\n## Runbooks.*?(?=\n## Audit\n)", re.DOTALL)
#: With a backup, in ``test_restore.py``.
ELSEWHERE = ("gateway restore", "gateway audit export > lost.jsonl", "gateway db upgrade")
DOCUMENTS = ("README.md", "docs/operations.md", "docs/recipes/README.md",
             "docs/registration-api.md", "docs/relying-parties.md", "docs/risk.md")  # fmt: skip
#: A market that is simulated in a second.
SMALL = ("--people", "12", "--days", "60")
OPERATORS = re.compile(r"--as (\w+)")


def blocks(document: str) -> list[list[str]]:
    """The commands of ``gateway`` in each block, as lines."""
    text = RUNBOOKS.sub("", (ROOT / document).read_text())
    found = []
    for block in re.findall(r"```\w*\n.*?```", text, re.DOTALL):
        typed = [line for line, is_whole in lines(block) if is_whole]
        mine = [
            one for one in typed if one.startswith("gateway ") and not one.startswith(ELSEWHERE)
        ]
        found += [mine] if mine else []
    return found


BLOCKS = [(document, block) for document in DOCUMENTS for block in blocks(document)]


class Installation:
    """An installation that has what the documents take for granted, unless the block makes it."""

    def __init__(self, world: World, block: str) -> None:
        self.world, self.block = world, block
        for number in ("109120", "IESO"):
            if f"participant create {number}" not in block:
                world.participant(number)
        world.account("tremblam", person_id="100231")
        if "smithj2" in block:
            world.account("smithj1", person_id="100232")
            self._former_second_account("smithj2", person_id="100232")
        world.account("APIIESO00042", kind=AccountKind.MACHINE)
        self._operators(sorted(set(OPERATORS.findall(block))))
        for name in ("Registration Operator", "Prices Web Services", "EMI Bids and Offers"):
            if f'"{name}"' in block and f'role-group create "{name}"' not in block:
                world.role_group(name)
        if "import" in block:
            world.relying_party(
                "registration",
                grant_types=("client_credentials",),
                redirect_uris=(),
                scopes=("scim",),
            )

    def _former_second_account(self, username: str, *, person_id: str) -> None:
        """One from before a reason was needed."""
        self.world.account(username, person_id=person_id)
        with self.world.work() as work:
            row = accounts.by_username(work, username)
            row.second_reason, row.second_participant_id = second_accounts.UNSTATED, None

    def _operators(self, names: list[str]) -> None:
        for name in names:
            self.world.account(name)
            if ConsoleRole.ACCESS not in self.world.made:
                self.world.role_group(ConsoleRole.ACCESS)
                self.world.made[ConsoleRole.ACCESS] = True
            self.world.grant_role(name, ConsoleRole.ACCESS, "IESO")

    def write_files(self) -> None:
        """The files that the commands read."""
        key = ec.generate_private_key(ec.SECP256R1()).public_key()
        pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for name in ("registration_push_key.pub", "robot-public.pem"):
            Path(name).write_bytes(pem)
        Path("users.jsonl").write_text(json.dumps(user(1, userName="smithb")) + "\n")
        operations = (ROOT / "docs/operations.md").read_text()
        (declared,) = re.findall(r"```yaml\n(addresses:.*?)```", operations, re.DOTALL)
        Path("gateway.yaml").write_text(declared)

    def names(self) -> dict[str, str]:
        """What stands in the place of words in capitals."""
        with self.world.work() as work:
            newest = work.db.scalar(select(ClientProposal.public_id))
        return {"PROPOSAL": str(newest), "NAME": "tremblam"}


@pytest.mark.parametrize(
    ("document", "block"), BLOCKS, ids=[f"{name}:{block[0][:50]}" for name, block in BLOCKS]
)
def test_a_documented_block_runs(
    world: World,
    run: Run,
    document: str,
    block: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    installation = Installation(world, "\n".join(block))
    installation.write_files()
    for line in block:
        names = installation.names()
        words = [names.get(word, word) for word in shlex.split(line, comments=True)[1:]]
        target = words.pop() if ">" in words else None
        words = words[:-1] if target else words
        if words[:2] == ["risk", "simulate"]:
            words += SMALL
        result = run(*words)
        assert result.exit_code == 0, (document, line, result.output)
        if target:
            Path(target).write_text(result.stdout)


def test_the_documents_have_blocks() -> None:
    """None was renamed or lost its fences."""
    assert {document for document, _ in BLOCKS} == set(DOCUMENTS)

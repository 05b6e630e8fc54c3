"""R03: a process killed in the middle of a push leaves nothing of it; the same push again does it
all."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from idp.models import AccountState
from tests.scim.pusher import EXTENSION, PATCH, USERS, Pusher
from tests.world import World, environ_of

ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = 100
SCRIPT = """
import json, os, signal, sys
from sqlalchemy import event
from idp.app import create_app, db
from idp.ports import Ports, SystemTokens
from idp.settings import Settings
from tests.fakes import FakeClock, FakeMailer

given, written = json.load(sys.stdin), 0
app = create_app(
    Settings.from_environ(os.environ), Ports(FakeClock(), SystemTokens(), FakeMailer())
)
with app.app_context():
    engine = db.engine


@event.listens_for(engine, "before_cursor_execute")
def kill(_connection, _cursor, statement, *_rest):
    global written
    written += statement.startswith("INSERT INTO assignment")
    if written == given["at"]:
        os.kill(os.getpid(), signal.SIGKILL)


app.test_client(use_cookies=False).patch(
    given["path"], json=given["body"], headers=given["headers"], base_url="https://gateway.test"
)
"""


@pytest.mark.parametrize("at", [1, 50, OPERATIONS])
def test_r03_killed_in_a_patch_of_a_hundred_operations(
    world: World, pusher: Pusher, at: int
) -> None:
    made = pusher.create(1)
    world.set_state(made["userName"], AccountState.ACTIVE)
    before = pusher.send("GET", made["id"]).json
    for number in range(OPERATIONS):
        world.participant(str(number))
    seen = (len(world.events()), len(world.mails()))
    pairs = [{"roleGroup": "EMI Trader", "participantId": str(n)} for n in range(OPERATIONS)]
    path = f"{EXTENSION}:grants"
    operations = [{"op": "add", "path": path, "value": [pair]} for pair in pairs]
    body = {"schemas": [PATCH], "Operations": operations}
    given: dict[str, Any] = {"at": at, "path": f"{USERS}/{made['id']}", "body": body,
                             "headers": {"Authorization": f"Bearer {pusher.token}"}}  # fmt: skip
    killed = subprocess.run(
        [sys.executable, "-c", SCRIPT], input=json.dumps(given).encode(), cwd=ROOT,
        env=environ_of(world), check=False, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert pusher.send("GET", made["id"]).json == before
    assert (len(world.events()), len(world.mails())) == seen
    for _ in range(2):
        answer = pusher.send("PATCH", made["id"], body)
        assert answer.status_code == 200, answer.text
        assert len(answer.json[EXTENSION]["grants"]) == OPERATIONS
    assert len(world.events("role_group.assigned")) == OPERATIONS
    (mail,) = world.mails("access_changed")
    assert mail.text.count("EMI Trader (") == OPERATIONS

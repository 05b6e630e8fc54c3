"""``gateway import``: the first load of an installation obeys the rules of a push."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import delete, func, select, update

from idp.db import Base
from idp.directory import accounts, contacts, number_of_accounts, participants
from idp.directory.contacts import ContactRef
from idp.errors import Unstorable
from idp.gathering import NotReadAhead
from idp.models import Account, Event, Person
from registration_bridge import first_load, new_users
from registration_bridge.body_rules import MAX_BODY
from service_base.prepared import Prepared
from tests.oidc.test_statements import count
from tests.scim.pusher import Pusher, user
from tests.scim.test_bulk import bulk, statuses
from tests.shell import Run, shell
from tests.world import World

TABLES = Base.metadata.tables
#: What a load and a push write of an account, and what differs because it is random, a key or a
#: time, or says who did it.
WRITTEN = {
    "person": set(),
    "account": {"subject"},
    "search_term": set(),
    "provisioned": set(),
    "assignment": {"granted_by"},
    "registered_network": set(),
    "link": {"digest"},
    "outbox_message": {"message_id", "body_sealed", "traceparent"},
    "event": {"at", "actor", "ip", "user_agent", "request_id", "seq", "seal"},
}
#: In a mail: the secret of the link, and the time at which it ends.
VARYING = re.compile(r"token=[\w-]+|\d{1,2} \w+ \d{4}, [\d:h\s]+ [A-Z]{3}")
GRANTS = [
    {"roleGroup": "EMI Trader", "participantId": "109120", "grantedBy": "R00090"},
    {"roleGroup": "EMI Viewer", "participantId": "111340", "validUntil": "2040-01-01T00:00:00Z"},
]


@pytest.fixture
def run(world: World, monkeypatch: pytest.MonkeyPatch) -> Run:
    return shell(world.settings, monkeypatch)


@pytest.fixture
def told(world: World, pusher: Pusher) -> Pusher:
    """A participant has a Rights Administrator, who gets notices."""
    pusher.create(90, userName="admin90", preferredLanguage="fr")
    with world.work() as work:
        row = participants.by_number(work, "109120")
        contacts.replace(work, row, [ContactRef("R00090", "rights_administrator")])
    return pusher


class Loader:
    """``gateway import`` of one file."""

    def __init__(self, run: Run, pusher: Pusher, folder: Path) -> None:
        self._run, self._pusher, self._file = run, pusher, folder / "users.jsonl"

    def __call__(self, *users: Any, more: tuple[str, ...] = ()) -> Result:
        lines = (one if isinstance(one, bytes) else json.dumps(one).encode() for one in users)
        self._file.write_bytes(b"\n".join(lines))
        client = self._pusher.rp.client_id
        done: Result = self._run("import", str(self._file), "--client-id", client, *more)
        return done

    def found(self, *users: Any, more: tuple[str, ...] = ()) -> dict[str, Any]:
        """What it says to programs."""
        return dict(json.loads(self(*users, more=("--json", *more)).stdout))


@pytest.fixture
def load(run: Run, pusher: Pusher, tmp_path: Path) -> Loader:
    return Loader(run, pusher, tmp_path)


def people() -> list[dict[str, Any]]:
    """Accounts of every kind: with and without a user name, with another's person, suspended."""
    whole = user(
        7, userName="smithh7", preferredLanguage="fr-CA", timezone="America/Winnipeg",
        name={"givenName": "Jim", "familyName": "Smithh", "middleName": "Lee"}, nickName="Jimmy",
        phoneNumbers=[{"value": "tel:+14169671111;ext=12", "type": "work"}],
        extension={"grants": GRANTS, "endDate": "2040-01-01T00:00:00Z", "sequence": 3,
                   "requestNumber": "RQ-1"},
    )  # fmt: skip
    machine = user(
        8, extension={
            "personId": "R00007", "accountKind": "machine",
            "registeredNetworks": [{"value": "192.0.2.7/32", "label": "plant"}],
            "grants": [{"roleGroup": "MIM", "participantId": "109120"}],
        },
    )  # fmt: skip
    second = {"reason": "transmission_rights", "participantId": "109120"}
    return [
        user(1, userName="Smith.B", extension={"grants": GRANTS}),
        user(2),
        user(3),
        whole,
        machine | {"name": whole["name"], "emails": whole["emails"]},
        user(4, active=False, extension={"grants": GRANTS[:1]}),
        user(5, userName="jim@community.example", extension={"accountKind": "email"}),
        user(6, userName="smithg", externalId=None),
        user(9, userName="trader2", emails=whole["emails"], name=whole["name"],
             extension={"personId": "R00007", "secondAccount": second, "grants": GRANTS[:1]}),
    ]  # fmt: skip


def test_a_load_writes_the_rows_of_a_bulk(
    world: World, told: Pusher, load: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Column by column, but for keys, times, random values and who did it (PR-01, TM-12). A push
    that gathers its rows writes the same as one that does not."""
    before = newest(world)
    operations = [{"method": "POST", "path": "/Users", "bulkId": f"b{number}", "data": one}
                  for number, one in enumerate(people())]  # fmt: skip
    with monkeypatch.context() as alone:
        alone.setattr(new_users, "create", lambda *_: None)
        assert set(statuses(bulk(told, *operations))) == {"201"}
    pushed = rows(world, before)
    with world.work() as work:
        number = number_of_accounts.not_deactivated(work)
    remove(world, before)
    assert set(statuses(bulk(told, *operations))) == {"201"}
    gathered = rows(world, before)
    for name, found in pushed.items():
        assert gathered[name] == found, name
    remove(world, before)
    done = load(*people())
    assert (done.exit_code, done.stdout) == (0, "9 created, 0 unchanged, 0 refused\n"), done.output
    loaded = rows(world, before)
    for name, found in pushed.items():
        assert loaded[name] == found, name
    with world.work() as work:
        assert number_of_accounts.not_deactivated(work) == number
    assert len(pushed["account"]) == 9
    assert {row["kind"] for row in pushed["outbox_message"]} == {
        "account_created", "holder_access_changed", "account_suspended", "holder_account_ended",
    }  # fmt: skip


def newest(world: World) -> dict[str, int]:
    with world.work() as work:
        return {
            name: work.db.scalar(select(func.max(TABLES[name].c.id))) or 0
            for name in WRITTEN
            if "id" in TABLES[name].c
        }


def _added(name: str, before: dict[str, int]) -> Any:
    table = TABLES[name].c
    return table.id > before[name] if "id" in table else table.account_id > before["account"]


def rows(world: World, before: dict[str, int]) -> dict[str, list[dict[str, Any]]]:
    """What was added to each table, in order where its keys say which came first."""
    found = {}
    with world.work() as work:
        names = dict(work.db.execute(select(Account.id, Account.username)).all())
        persons = dict(work.db.execute(select(Person.id, Person.person_id)).all())
        for name, left_out in WRITTEN.items():
            table = TABLES[name]
            added = work.db.execute(
                select(table).where(_added(name, before)).order_by(*table.primary_key)
            ).mappings()
            found[name] = [_comparable(work, dict(row), left_out, names, persons) for row in added]
            if name not in ("event", "outbox_message"):
                found[name].sort(key=str)
    return found


def _comparable(
    work: Any, row: dict[str, Any], left_out: set[str], names: Any, persons: Any
) -> dict[str, Any]:
    if "body_sealed" in row:
        body = json.loads(work.vault.decrypt(row["body_sealed"]))
        row["body"] = [VARYING.sub("", text) for text in body.values()]
    for column, known in (("account_id", names), ("person_id", persons)):
        if isinstance(row.get(column), int):
            row[column] = known[row[column]]
    if "data" in row:
        row["data"] = {key: value for key, value in row["data"].items() if key != "pusher"}
    return {
        key: value
        for key, value in row.items()
        if key not in left_out | {"id"} and not (key.endswith("_at") and key != "ends_at" and value)
    }


def remove(world: World, before: dict[str, int]) -> None:
    """Remove what was added."""
    with world.work() as work:
        for name in reversed(WRITTEN):
            work.db.execute(delete(TABLES[name]).where(_added(name, before)))


def test_a_load_that_is_run_again_skips_what_it_made(
    world: World, told: Pusher, load: Loader
) -> None:
    """By ``externalId`` or ``userName``; also what was pushed, and what has changed since."""
    first, *rest = people()
    made = told.send("POST", body=first).json or {}
    rename = {"op": "replace", "path": "nickName", "value": "Jimbo"}
    assert told.patch(made["id"], rename).status_code == 200
    counts = ("created", "unchanged", "refused")
    done = load.found(first, *rest)
    assert [done[name] for name in counts] == [8, 1, 0], done
    mails, trail = len(world.mails()), len(world.events())
    again = load.found(first, *rest, user(10))
    assert [again[name] for name in counts] == [1, 9, 0], again
    assert len(world.mails()) == mails + 1
    assert len(world.events()) == trail + 3
    # A push of the same User later is a repetition too.
    assert told.send("POST", body=rest[0]).status_code == 200


def test_a_refused_line_changes_nothing_and_is_named(
    world: World, told: Pusher, load: Loader
) -> None:
    """With its number and the error that a push gets; the other lines are done."""
    bad: list[tuple[Any, int, str]] = [
        (b"{", 400, "The body must be a JSON object."),
        (b'"' + b"x" * 300_000 + b'"', 413, "The body must not exceed 262144 bytes."),
        (user(2, name=None), 400, ""),
        (user(3, extension={"personId": ""}), 400, ""),
        (user(4) | {"title2": "x"}, 400, "Unknown attribute: title2."),
        (user(5, extension={"grants": [GRANTS[0] | {"roleGroup": "None"}]}), 400, ""),
        (user(5, extension={"grants": [GRANTS[0] | {"participantId": "1"}]}), 400, ""),
        (user(5, extension={"grants": [GRANTS[0] | {"roleGroup": "MIM"}]}), 400, ""),
        (user(5, userName="ADMIN90"), 409, ""),
        (user(6, userName="one"), 409, ""),
        (user(1), 409, ""),
        (user(7, emails=[{"value": "nobody"}]), 400, ""),
        (user(8, extension={"accountKind": "machine"}), 400, ""),
        (user(9, extension={"endDate": "2001-01-01T00:00:00Z"}), 400, ""),
        (user(2, password="secret"), 400, ""),
    ]  # fmt: skip
    good = [user(1, userName="one"), user(20, userName="twenty")]
    pushed = [told.send("POST", body=good[0])]
    for body, *_ in bad:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        pushed.append(told.send("POST", raw=raw))
    texts = [(answer.status_code, (answer.json or {}).get("detail")) for answer in pushed[1:]]
    before = len(world.events("scim.created"))
    done = load.found(good[0], b"", *(body for body, *_ in bad), good[1])
    assert (done["created"], done["unchanged"], done["refused"]) == (1, 1, len(bad))
    for place, (row, (body, status, detail)) in enumerate(zip(done["refusals"], bad, strict=True)):
        assert (row["line"], row["status"]) == (place + 3, status), row
        assert detail in row["detail"]
        # The server has a limit of its own for bodies.
        assert status == 413 or (row["status"], row["detail"]) == texts[place], body
    assert len(world.events("scim.created")) == before + 1
    refused = [one for one in world.events("scim.refused") if "line" in one.data]
    assert [one.data["line"] for one in refused] == [row["line"] for row in done["refusals"]]
    assert told.found("userName pr") == ["admin90", "one", "twenty"]
    with world.work() as work:
        assert {row.person_id for row in work.db.scalars(select(Person))} == {
            "R00090", "R00001", "R00020",
        }  # fmt: skip


def test_a_line_needs_a_key_by_which_it_is_found_again(load: Loader) -> None:
    done = load.found(user(1, externalId=None))
    assert done["refusals"][0]["detail"] == "externalId or userName is required."


def test_a_load_can_stop_at_the_first_error(pusher: Pusher, load: Loader, monkeypatch: Any) -> None:
    monkeypatch.setattr(first_load, "BATCH", 2)
    lines = (user(1), user(2, name=None), user(3), user(4))
    done = load(*lines, more=("--stop-at-first-error",))
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (
        1, "1 created, 0 unchanged, 1 refused",
    )  # fmt: skip
    assert "\n2              400: name is required.\n" in done.stdout
    assert pusher.found("userName pr") == ["smithbj"]


def test_a_dry_run_changes_nothing(world: World, pusher: Pusher, load: Loader) -> None:
    """Lines of later batches may need those before them."""
    before = newest(world)
    machine = user(2, externalId="m", extension={
        "personId": "R00001", "accountKind": "machine",
        "registeredNetworks": [{"value": "192.0.2.1"}],
    })  # fmt: skip
    again = user(3, userName="one")
    done = load(user(1, userName="one"), machine | {"name": user(1)["name"]}, again,
                more=("--dry-run",))  # fmt: skip
    assert done.stdout.endswith(
        "2 would be created, 0 unchanged, 1 would be refused\nDry run: nothing was changed.\n"
    ), done.output
    assert newest(world) == before
    assert pusher.found("userName pr") == []


def test_n73_a_load_has_the_limits_of_its_client(
    world: World, pusher: Pusher, load: Loader
) -> None:
    """N73: its operations and participants; without the scope it loads nothing."""
    with world.work() as work:
        work.db.execute(
            update(TABLES["client"])
            .where(TABLES["client"].c.client_id == pusher.rp.client_id)
            .values(push_participants=["111340"])
        )
    grants = [{"roleGroup": "EMI Trader", "participantId": "109120"}]
    done = load.found(user(1, extension={"grants": grants}), user(2))
    assert (done["created"], done["refusals"][0]["status"]) == (1, 403)
    with world.work() as work:
        work.db.execute(
            update(TABLES["client"])
            .where(TABLES["client"].c.client_id == pusher.rp.client_id)
            .values(scopes=["openid"])
        )
    refused = load(user(3))
    assert refused.exit_code == 1
    assert "with the scope scim" in refused.output


def test_lines_are_counted_as_in_an_editor() -> None:
    """Empty lines and a byte order mark are no Users; a longer line than a push is cut."""
    long = b"x" * (2 * MAX_BODY)
    file = BytesIO(b"\xef\xbb\xbf{}\n\n" + long + b"\n \n{}")
    found = list(first_load.lines(file))
    assert [(one.number, one.text[:2]) for one in found] == [(1, b"{}"), (3, b"xx"), (5, b"{}")]
    assert len(found[1].text) == MAX_BODY + 2
    assert found[-1].end == len(file.getvalue())


def test_a_value_that_a_column_cannot_hold_is_refused_and_not_cut(world: World) -> None:
    values = {"at": datetime.now(UTC), "name": "x" * 61, "outcome": "ok", "data": {}}
    if world.settings.database_url.startswith("sqlite"):
        pytest.skip("SQLite has no lengths")
    with pytest.raises(Unstorable), world.work() as work, work.gathered() as gathering:
        gathering.add_values(TABLES["event"], values)


def event(work: Any) -> Event:
    return Event(at=work.now, name="x", outcome="ok", data={})


@pytest.mark.parametrize(
    "ask",
    [
        lambda work: work.run(select(func.count())),
        lambda work: work.run(Prepared(select(func.count()))),
        lambda work: work.db.scalar(select(func.count())),
        lambda work: work.db.connection(),
        lambda work: work.db.begin_nested(),
        lambda work: (work.db.add(event(work)), work.db.flush()),
    ],
    ids=["Core", "prepared", "ORM", "connection", "savepoint", "flush"],
)
def test_what_was_not_read_ahead_is_not_asked(world: World, ask: Any) -> None:
    """Nothing is sent, and the transaction goes on."""
    with world.work() as work, work.gathered() as gathering:
        work.run(select(func.count()))
        with pytest.raises(NotReadAhead), gathering.part():
            ask(work)
        assert work.run(select(func.count())).scalar() == 1
        assert ask(work) is not None


def test_a_batch_sends_few_statements(world: World, told: Pusher, run: Run) -> None:
    """Their number does not depend on the number of accounts (each table is written once)."""
    load = first_load.FirstLoad(told.rp.client_id)

    def sent(numbers: range) -> int:
        made = (user(n, userName=f"n{n}", extension={"grants": GRANTS}) for n in numbers)
        batch = [first_load.Line(n, json.dumps(one).encode(), 0) for n, one in enumerate(made)]

        def act() -> Any:
            with world.work() as work:
                found = load.run(work, batch)
            assert {one.result for one in found} == {"created"}, found
            return SimpleNamespace(status_code=200)

        return len(count(world, act))

    assert sent(range(100, 103)) == sent(range(200, 240)) <= 35


def test_what_another_transaction_took_is_found_line_by_line(
    world: World, pusher: Pusher, load: Loader, monkeypatch: Any
) -> None:
    """R03: a user name that was free when the batch was read and is taken when it is written."""
    world.account("taken")
    read, asked = accounts.TAKEN_NAMES._read, []

    def too_early(work: Any, keys: Any) -> Any:
        asked.append(keys)
        return {} if len(asked) == 1 else read(work, keys)

    monkeypatch.setattr(accounts.TAKEN_NAMES, "_read", too_early)
    done = load.found(user(1, userName="one"), user(2, userName="taken"))
    assert (done["created"], done["refused"]) == (1, 1)

"""Exports of the registration system: read, compared, pushed by the command line (PR-07)."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from idp.cli.main import main
from registration_bridge import export, reconciliation
from registration_bridge.export import BadExport, Entry
from registration_bridge.export_mapping import user_of
from registration_bridge.reconciliation import Step
from tests.scim.pusher import CORE, EXTENSION, Pusher
from tests.world import World

SOON = json.dumps({"userName": "a", EXTENSION: {"grants": [
    {"roleGroup": "EMI Trader", "participantId": "1", "validFrom": "soon"}]}})  # fmt: skip


def of_csv(*rows: dict[str, str]) -> list[Entry]:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    return export.read(io.StringIO(text.getvalue()), is_csv=True)


def of_lines(*users: Any) -> list[Entry]:
    text = "\n".join(json.dumps(user) for user in users)
    return export.read(io.StringIO(text), is_csv=False)


ADA = {
    "externalId": "reg-1", "personId": "R1", "givenName": "Ada", "familyName": "Lovelace",
    "email": "ada@participant.example", "phone": "416 967 1111 ext 7", "state": "active",
    "grants": "EMI Viewer@111340; EMI Trader@109120", "middleName": "",
}  # fmt: skip


def known(pusher: Pusher) -> dict[tuple[str, str], dict[str, Any]]:
    """What the gateway says, by what accounts are recognised by."""
    users = pusher.send("GET", "/scim/v2/Users").json["Resources"]
    return {key: user for user in users for key in export.keys_of(user)}


def steps(pusher: Pusher, entries: list[Entry]) -> list[Step]:
    return reconciliation.plan(entries, known(pusher))


def apply(pusher: Pusher, made: list[Step]) -> list[str]:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": [{"bulkId": str(n)} | step.operation()
                           for n, step in enumerate(made)]}  # fmt: skip
    answer = pusher.send("POST", "/scim/v2/Bulk", body)
    assert answer.status_code == 200, answer.text
    return [entry["status"] for entry in answer.json["Operations"]]


@pytest.mark.parametrize("form", ["csv", "lines"])
def test_pr07_a_pushed_export_leaves_no_difference(pusher: Pusher, form: str) -> None:
    """PR-07: made, changed in every attribute, suspended, restored, closed; after each the same
    export differs in nothing."""
    machine = {"externalId": "reg-2", "personId": "R2", "accountKind": "machine",
               "givenName": "Grace", "familyName": "Hopper", "email": "g@participant.example",
               "networks": "192.0.2.7=Desk; 2001:DB8::/48", "grants": "MIM@109120",
               "state": "active"}  # fmt: skip
    later = [
        ADA | {"givenName": "Augusta", "middleName": "King", "preferredName": "Ada",
               "email": "a@participant.example", "phone": "", "grants": "", "language": "fr",
               "timezone": "America/Winnipeg", "sequence": "7", "requestNumber": "Q-1"},
        machine | {"networks": "198.51.100.0/24", "state": "suspended"},
    ]  # fmt: skip
    last = [ADA | {"state": "closed"}, machine]
    expected = [["201", "201"], ["200", "200"], ["204", "200"]]
    for rows, statuses in zip(([ADA, machine], later, last), expected, strict=True):
        entries = of_csv(*rows)
        if form == "lines" and rows is not last:
            users = []
            for entry in entries:
                users.append(user_of(entry.values))
                if not entry.values["grants"]:
                    users[-1][EXTENSION]["grants"] = []
                    users[-1]["phoneNumbers"] = []
            entries = of_lines(*users)
        assert apply(pusher, steps(pusher, entries)) == statuses
        assert steps(pusher, entries) == []
    assert pusher.found("userName pr") == ["APIIESO00001"]


def test_pr07_grants_keep_who_granted_them(pusher: Pusher) -> None:
    """PR-07: grants are pushed as a whole; those that the export only names keep the request that
    they come from, and one that names its own brings it."""
    viewer = {"roleGroup": "EMI Viewer", "participantId": "111340",
              "grantedBy": "Rights Administrator", "requestNumber": "Q-1"}  # fmt: skip
    trader = {"roleGroup": "EMI Trader", "participantId": "109120", "requestNumber": "Q-2"}
    apply(pusher, steps(pusher, of_csv(ADA | {"grants": ""})))
    for grants, text in (([viewer], "EMI Viewer@111340"), ([trader, viewer], ADA["grants"])):
        user = {"externalId": "reg-1", EXTENSION: {"grants": grants}}
        assert apply(pusher, steps(pusher, of_lines(user))) == ["200"]
        assert not steps(pusher, of_csv(ADA | {"grants": text}))
    wanted = "EMI Viewer@111340; EMI Trader@109120; EMI Viewer@109120"
    made = steps(pusher, of_csv(ADA | {"grants": wanted}))
    assert made[0].differences == [
        (
            "grants",
            ["EMI Trader@109120", "EMI Viewer@111340"],
            ["EMI Trader@109120", "EMI Viewer@109120", "EMI Viewer@111340"],
        )
    ]
    assert apply(pusher, made) == ["200"]
    user = known(pusher)["externalId", "reg-1"]
    added = {"roleGroup": "EMI Viewer", "participantId": "109120"}
    assert user[EXTENSION]["grants"] == [trader, added, viewer]


@pytest.mark.parametrize("is_known", [True, False])
def test_ma10_a_new_custodian_is_pushed_with_all_values(pusher: Pusher, *, is_known: bool) -> None:
    """MA-10: the new custodian has the former one's family name and telephone: both are said of
    the new one, whether registered before or not; what the export leaves empty is removed."""
    machine = {"externalId": "reg-2", "personId": "R2", "accountKind": "machine",
               "givenName": "Grace", "middleName": "Brewster", "familyName": "Hopper",
               "preferredName": "", "email": "g@participant.example",
               "phone": "416 967 1111", "networks": "192.0.2.7"}  # fmt: skip
    other = {"personId": "R3", "givenName": "Vincent", "middleName": "",
             "email": "v@participant.example"}  # fmt: skip
    assert apply(pusher, steps(pusher, of_csv(machine))) == ["201"]
    if is_known:
        own = {"name": {"givenName": "Vincent", "familyName": "Smith"}, "nickName": "Vince",
               "emails": [{"value": "v@participant.example"}]}  # fmt: skip
        pusher.create(3, **own, extension={"personId": "R3"})
    entries = of_csv(machine | other)
    assert apply(pusher, steps(pusher, entries)) == ["200"]
    assert steps(pusher, entries) == []
    shown = known(pusher)["externalId", "reg-2"]
    assert shown["name"] == {"givenName": "Vincent", "familyName": "Hopper"}
    assert "nickName" not in shown
    assert shown["phoneNumbers"][0]["value"] == "tel:+14169671111"


def test_columns_missing_from_the_export_are_no_difference(pusher: Pusher) -> None:
    """A file with two columns compares two; user names compare without case."""
    made = pusher.create(1)
    assert steps(pusher, of_csv({"userName": made["userName"].upper()})) == []
    assert steps(pusher, of_lines({"userName": made["userName"], "schemas": [CORE]})) == []
    (step,) = steps(pusher, of_csv({"externalId": "reg-1", "familyName": "Jones"}))
    assert step.differences == [("familyName", "Smithb", "Jones")]
    (step,) = steps(pusher, of_csv({"externalId": "reg-1", "state": "closed"}))
    assert (step.action, step.user_id) == ("close", made["id"])
    assert steps(pusher, of_csv({"externalId": "reg-9", "state": "closed"})) == []


@pytest.mark.parametrize(
    ("text", "is_csv", "reason"),
    [
        ("externalId,shoeSize\n1,2\n", True, "line 1: unknown columns"),
        ("", True, "line 1"),
        ("externalId,email\n1\n", True, "line 2: the number of values"),
        ("externalId,email\n1,2,3\n", True, "line 2: the number of values"),
        ("externalId,email\n,a@b.example\n", True, "line 2: externalId or userName"),
        (
            "externalId,email\n1,a@b.example\n1,c@b.example\n",
            True,
            "line 3: 1 is already in line 2",
        ),
        ("externalId,state\n1,asleep\n", True, "line 2: state must be one of"),
        ("externalId,grants\n1,Trader\n", True, "line 2: write a grant as"),
        ("externalId,sequence\n1,x\n", True, "line 2: sequence"),
        ('{"userName": "a"}\n{', False, "line 2: not a JSON object"),
        ("[]", False, "line 1: not a JSON object"),
        ('{"userName": "a", "emails": [7]}', False, "line 1: not a SCIM User"),
        ('{"userName": "a", "name": "x"}', False, "line 1: not a SCIM User"),
        (SOON, False, "line 1: not a SCIM User"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, is_csv: bool, reason: str) -> None:
    with pytest.raises(BadExport, match=reason):
        export.read(io.StringIO(text), is_csv=is_csv)


def test_a_dry_run_changes_nothing(world: World, pusher: Pusher) -> None:
    """The same answers, and no account, event, mail or refusal of it."""
    made = pusher.create(1)
    before = (len(world.events()), len(world.mails()))
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1",
         "data": user_of(of_csv(ADA | {"externalId": "x"})[0].values)},
        {"method": "DELETE", "path": f"/Users/{made['id']}"},
        {"method": "DELETE", "path": "/Users/nobody"},
    ]  # fmt: skip
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "Operations": operations}  # fmt: skip
    answer = pusher.send("POST", "/scim/v2/Bulk?dryRun=true", body)
    assert [entry["status"] for entry in answer.json["Operations"]] == ["201", "204", "404"]
    answer = pusher.send("DELETE", f"/scim/v2/Users/{made['id']}?dryRun=true")
    assert answer.status_code == 200
    assert pusher.send("DELETE", "/scim/v2/Users/nobody?dryRun=true").status_code == 404
    assert (len(world.events()), len(world.mails())) == before
    assert pusher.found("userName pr") == [made["userName"]]
    assert pusher.send("DELETE", f"/scim/v2/Users/{made['id']}?dryRun=maybe").status_code == 400


def run(demo: dict[str, Any], *arguments: str, **changes: str) -> Result:
    """A command of ``gateway scim`` against the running demo."""
    pushed = demo["provisioning"]
    environment = {
        "GATEWAY_URL": demo["issuer"],
        "GATEWAY_CLIENT_ID": pushed["client_id"],
        "GATEWAY_CLIENT_SECRET": pushed["client_secret"],
    } | changes
    return CliRunner().invoke(main, ["scim", *arguments], env=environment)


@pytest.mark.xdist_group("live")
def test_pr07_push_and_diff_over_http(live_demo: dict[str, Any], tmp_path: Path) -> None:
    """The commands against a running gateway: trial, push, no drift, drift."""
    file = tmp_path / "export.csv"

    def write(**changes: str) -> None:
        row = ADA | {"externalId": "cli-1", "grants": ""} | changes
        file.write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")

    write()
    tried = run(live_demo, "push", str(file))
    assert tried.exit_code == 0, tried.output
    assert "nothing was changed" in tried.output
    assert "1 mail: account_created" in tried.output
    found = json.loads(run(live_demo, "diff", str(file), "--json").stdout)["drift"]
    # Those that the demo has by itself.
    own = [row["account"] for row in found if row["drift"] == "not in the export"]
    assert "tremblam" in own
    rest = [part for name in own for part in ("--except", name)]
    missing = run(live_demo, "diff", str(file), "--json", *rest)
    assert missing.exit_code == 1
    assert [row["drift"] for row in json.loads(missing.stdout)["drift"]] == ["not in the gateway"]
    done = run(live_demo, "push", str(file), "--apply", "--json")
    assert done.exit_code == 0, done.output
    assert [step["status"] for step in json.loads(done.stdout)["steps"]] == [201]
    same = run(live_demo, "diff", str(file), *rest)
    assert (same.exit_code, "No drift." in same.output) == (0, True), same.output
    write(givenName="Augusta")
    changed = run(live_demo, "push", str(file))
    assert "givenName: Ada → Augusta" in changed.output
    write(state="closed")
    assert run(live_demo, "push", str(file), "--apply").exit_code == 0
    write(externalId="cli-2", email="no address")
    refused = run(live_demo, "push", str(file), "--apply")
    assert refused.exit_code == 1
    assert "not a valid e-mail address" in " ".join(refused.output.split())


@pytest.mark.xdist_group("live")
def test_the_commands_report_connection_and_file_errors(
    live_demo: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "export.csv"
    file.write_text("externalId\n1\n")
    wrong = run(live_demo, "diff", str(file), GATEWAY_CLIENT_SECRET="wrong")
    assert (wrong.exit_code, "no token" in wrong.output) == (1, True)
    none = run(live_demo, "diff", str(file), GATEWAY_CLIENT_SECRET="")
    assert (none.exit_code, "--secret-file" in none.output) == (2, True)
    file.write_text("shoeSize\n1\n")
    bad = run(live_demo, "push", str(file))
    assert (bad.exit_code, "line 1" in bad.output) == (2, True)

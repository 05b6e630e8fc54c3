"""The command line: tables for people, JSON for programs, exit codes, and the trail."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from idp.audit import events
from idp.directory import accounts
from idp.models import AccountKind, Event
from idp.policy.console import OPERATOR, ConsoleRole
from idp.settings import Settings
from tests.shell import good
from tests.world import World

CREATE_EMI = (
    "client", "create", "--client-id", "emi", "--name", "EMI",
    "--redirect-uri", "https://emi.rp.test/callback",
)  # fmt: skip
CREATE_ADA = (
    "account", "create", "--username", "moreaua", "--person-id", "1001", "--given-name", "Ada",
    "--family-name", "Moreau", "--email", "ada@participant.example",
)  # fmt: skip


def test_a_client_from_creation_to_its_end(run: Any, world: World) -> None:
    """Access Management: create, show, list, update, rotate, disable; each is audited."""
    made = good(run(*CREATE_EMI, "--json"))
    assert len(made["client_secret"]) >= 43
    assert made["require_pkce"] is True
    shown = good(run("client", "show", "emi", "--json"))
    assert "client_secret" not in shown
    assert "secret_digest" not in shown
    assert made["uses_popups"] is False
    changed = good(run("client", "update", "emi", "--trusted", "--popups", "--home-url", "https://emi.rp.test/", "--json"))  # fmt: skip  # noqa: E501
    assert (changed["trusted"], changed["uses_popups"]) == (True, True)
    assert changed["redirect_uris"] == ["https://emi.rp.test/callback"]
    rotated = good(run("client", "rotate-secret", "emi", "--json"))
    assert rotated["client_secret"] != made["client_secret"]
    assert good(run("client", "disable", "emi", "--json"))["disabled"] is True
    assert [c["client_id"] for c in good(run("client", "list", "--json"))] == ["emi"]
    names = [event.name for event in world.events() if event.name.startswith("client.")]
    assert names == [
        "client.created",
        "client.updated",
        "client.secret_rotated",
        "client.disabled",
    ]
    assert all((e.actor or "").startswith("cli:") for e in world.events() if "client." in e.name)


def test_n84_the_audit_trail_contains_no_secrets(run: Any) -> None:
    """N84: what is shown once is nowhere else."""
    made = good(run(*CREATE_EMI, "--json"))
    rotated = good(run("client", "rotate-secret", "emi", "--json"))
    exported = run("audit", "export").stdout
    assert made["client_secret"] not in exported
    assert rotated["client_secret"] not in exported


@pytest.mark.parametrize(
    "uri",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "http://rp.test/cb"],
)
def test_n09_a_dangerous_redirect_uri_is_refused(run: Any, uri: str) -> None:
    """N09: at registration and for post-logout; exit code 1 and the reason."""
    for option in ("--redirect-uri", "--post-logout-redirect-uri"):
        result = run(*CREATE_EMI, option, uri)
        assert result.exit_code == 1
        assert result.stderr.startswith("refused: ")


def test_an_account_is_created_with_its_mail_and_without_showing_the_link(
    run: Any, world: World
) -> None:
    """A.04, AC-01: pending, activation mail queued, link in the mail only."""
    result = run(*CREATE_ADA, "--json")
    assert good(result)["state"] == "pending"
    assert "token=" not in result.output
    shown = good(run("account", "show", "moreaua", "--json"))
    assert [event["name"] for event in shown["last_events"]] == ["link.sent", "account.created"]
    assert [a["username"] for a in good(run("account", "list", "--json"))] == ["moreaua"]


def test_rg09_a_new_account_does_not_change_the_person(run: Any, world: World) -> None:
    """RG-09: what is said of a person who is known is as registered, or refused."""
    world.account("APIIESO7", person_id="P7", kind=AccountKind.MACHINE)
    create = ("account", "create", "--person-id", "P7")
    other = run(*create, "--family-name", "Mopp", "--email", "thief@participant.example")
    assert other.exit_code == 1
    assert "P7 is registered with another family_name, email;" in other.output
    good(run(*create, "--family-name", "Moreau", "--json"))
    assert world.account_row("moreaua").person.email == "APIIESO7@participant.example"


def test_role_groups_are_assigned_and_revoked(run: Any, world: World) -> None:
    """PR-02: by hand, audited, seen at once."""
    good(run(*CREATE_EMI, "--json"))
    good(run(*CREATE_ADA, "--json"))
    good(run("role-group", "create", "EMI Bids", "--client", "emi", "--json"))
    target = ("--account", "moreaua", "--role-group", "EMI Bids", "--participant", "109120")
    unknown = run("role-group", "assign", *target)
    assert (unknown.exit_code, unknown.output) == (
        1, "refused: participant 109120 is not registered\n")  # fmt: skip
    assert run("participant", "create", "109120", "Northern Lakes").exit_code == 0
    assert good(run("role-group", "assign", *target, "--json"))["changed"] is True
    assert good(run("role-group", "assign", *target, "--json"))["changed"] is False
    held = good(run("account", "show", "moreaua", "--json"))["role_groups"]
    assert [(row["participant"], row["role_group"]) for row in held] == [("109120", "EMI Bids")]
    assert good(run("role-group", "revoke", *target, "--json"))["changed"] is True
    assert good(run("role-group", "list", "--json"))[0]["clients"] == ["emi"]
    names = [event.name for event in world.events() if "role_group." in event.name]
    assert names == ["role_group.created", "role_group.assigned", "role_group.revoked"]


@pytest.mark.parametrize(
    "command",
    [
        ("client", "show", "nobody"),
        ("account", "show", "nobody"),
        ("key", "revoke", "nobody"),
        ("key", "revoke", "-9nobody"),
        ("key", "revoke", "--nobody"),
        ("role-group", "revoke", "--account", "x", "--role-group", "y", "--participant", "1"),
    ],
)
def test_an_unknown_name_is_refused_with_exit_code_1(run: Any, command: tuple[str]) -> None:
    """Exit code 1 and one sentence on standard error, no trace."""
    result = run(*command)
    assert result.exit_code == 1
    assert result.stderr.startswith("refused: no ")
    assert "Traceback" not in result.output


def test_usage_errors_have_exit_code_2(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 2: a wrong command line, or settings that are unsafe, each reason on a line."""
    assert run("client", "create").exit_code == 2
    assert run("client", "update", "emi").exit_code == 2
    monkeypatch.setenv("IDP_SECRET_KEY", "short")
    monkeypatch.setenv("IDP_ISSUER", "http://gateway.test")
    result = run("account", "list")
    assert result.exit_code == 2
    assert result.stderr.count("configuration: ") == 2


def test_keys_are_listed_rotated_and_revoked(run: Any) -> None:
    """N89, N90 from the command line."""
    before = good(run("key", "list", "--json"))
    assert {(key["alg"], key["state"]) for key in before} == {
        (alg, state) for alg in ("RS256", "ES256") for state in ("active", "next")
    }
    rotated = good(run("key", "rotate", "--alg", "ES256", "--force", "--json"))
    assert good(run("key", "revoke", rotated["active"], "--json"))["state"] == "revoked"
    states = {key["kid"]: key["state"] for key in good(run("key", "list", "--json"))}
    assert states[rotated["active"]] == "revoked"


def test_the_chain_is_verified_and_a_changed_record_is_found(run: Any, world: World) -> None:
    """TM-12: verify says so, exit code 1 when the trail was changed."""
    good(run(*CREATE_EMI, "--json"))
    assert good(run("audit", "verify", "--json"))["fault"] is None
    lines = [json.loads(line) for line in run("audit", "export").stdout.splitlines()]
    assert any(line["name"] == "client.created" and line["seal"] for line in lines)
    with world.work() as work:
        from sqlalchemy import update

        from idp.models import Event

        work.db.execute(update(Event).where(Event.seq == 1).values(ip="203.0.113.9"))
    result = run("audit", "verify", "--json")
    assert result.exit_code == 1
    assert "record 1 " in json.loads(result.stdout)["fault"]
    text = run("audit", "verify")
    assert text.exit_code == 1
    assert text.stderr.startswith("Integrity check failed: changed 1.\nrecord 1 (event ")
    # The alert of a broken trail reads these records.
    assert [event.reason for event in world.events("trail.verified")] == [None, *["broken"] * 2]
    assert world.events("trail.verified")[-1].data["faults"] == {"changed": 1}


def test_the_chain_is_verified_with_an_earlier_key(
    run: Any, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """TM-12: another secret key; the old one comes from a file or from IDP_AUDIT_KEYS."""
    good(run(*CREATE_EMI, "--json"))
    assert run("audit", "verify").stdout.startswith("Integrity check passed: ")
    (tmp_path / "old").write_text(world.settings.secret_key + "\n")
    monkeypatch.setenv("IDP_SECRET_KEY", "n" * 40)
    broken = run("audit", "verify", "--json")
    assert set(json.loads(broken.stdout)["faults"]) == {"unknown_key"}
    assert "with an unknown key" in json.loads(broken.stdout)["fault"]
    assert run("audit", "verify", "--key", str(tmp_path / "old")).exit_code == 0
    monkeypatch.setenv("IDP_AUDIT_KEYS", world.settings.secret_key)
    assert run("audit", "verify").exit_code == 0


def test_settings_are_listed_without_secrets(run: Any, settings: Settings) -> None:
    """N84: every setting with meaning and source; no secret."""
    result = run("settings", "--json")
    rows = {row["name"]: row for row in good(result)}
    assert rows["IDP_SECRET_KEY"]["value"] == "(set)"
    assert rows["IDP_BCRYPT_COST"]["source"] == "environment"
    assert all(row["meaning"] for row in rows.values())
    assert settings.secret_key not in result.output
    assert settings.key_encryption_keys[0] not in result.output


@pytest.mark.parametrize(
    "command",
    ["settings", "client list", "account list", "role-group list", "key list", "purge"],
)
def test_every_listing_has_a_table_and_json(run: Any, command: str) -> None:
    """Tables for people, JSON for programs."""
    table = run(*command.split())
    assert table.exit_code == 0
    assert table.stdout.strip()
    good(run(*command.split(), "--json"))


def test_the_command_line_issues_temporary_passwords_for_operators(world: World, run: Any) -> None:
    """CR-05, N74: the temporary password alone on the output, its spelling beside it."""
    username = world.operator(ConsoleRole.ACCESS)
    why = ("--reason", "lost the password", "--ticket", "OPS-1")
    result = run("account", "act", "temporary-password", username, *why)
    assert result.exit_code == 0, result.output
    temporary = result.stdout.splitlines()[0]
    assert world.browser().sign_in(username, temporary).request.path == "/signin/password"
    assert world.events("console.temporary-password")[-1].actor.startswith("cli:")
    result = run("account", "act", "restore", username, *why)
    assert result.exit_code == 1
    assert "reset_required; this action is not available" in result.output
    assert run("account", "act", "lock", username, "--reason", "x").exit_code == 2
    result = run("account", "act", "lock", username, "--reason", "two\nlines", "--ticket", "T")
    assert "one line each" in result.output
    assert run("account", "act", "lock", username, *why).exit_code == 0
    assert world.account_row(username).state == "locked"


def test_a_mass_change_stop_is_shown_and_confirmed(
    run: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The breaker of mass changes from the command line; exit code 1 while it is open."""
    monkeypatch.setenv("IDP_MASS_CHANGE_LEAST", "1")
    assert good(run("registration", "status", "--json"))["stopped"] is False
    account = world.account()
    with world.work() as work:
        events.record(work, "scim.suspended", account=accounts.by_username(work, account))
        # The command line has the clock of the machine.
        work.db.execute(update(Event).values(at=datetime.now(UTC)))
    shown = run("registration", "status")
    assert (shown.exit_code, shown.output) == (1, "stopped: 1 of 1 accounts in the last hour\n")
    assert run("registration", "confirm").exit_code == 2
    done = run("registration", "confirm", "--reason", "the end of a participant")
    assert (done.exit_code, done.output) == (0, "open: 0 of 1 accounts in the last hour\n")
    assert world.events("scim.mass_change_confirmed")[-1].data["why"] == "the end of a participant"


@pytest.mark.parametrize(
    ("grant_type", "scopes"),
    [
        ("client_credentials", []),
        ("authorization_code", ["openid", "profile", "email", "groups", "participants"]),
    ],
)
def test_the_scopes_of_a_client_must_match_its_grant_types(
    run: Any, grant_type: str, scopes: list[str]
) -> None:
    """N32: what nobody named is what it can use; what it can never use is refused by name."""
    create = ("client", "create", "--name", "X", "--redirect-uri", "https://x.test/cb",
              "--grant-type", grant_type)  # fmt: skip
    assert good(run(*create, "--json"))["scopes"] == scopes
    refused = run(*create, "--scope", "offline_access")
    assert refused.exit_code == 1
    assert "it can never get the scope 'offline_access'" in refused.output


GROUP_EMI_BIDS = ("role-group", "create", "EMI Bids", "--participation", "Energy Market")


def test_tm08_participants_are_registered_by_the_operator(run: Any, world: World) -> None:
    """TM-08, PR-02: made once, renamed, ended with its role groups, restored without them."""
    made = good(run("participant", "create", "109120", "Northern Lakes", "--json"))
    assert made == {
        "number": "109120", "name": "Northern Lakes", "status": "active", "participations": [],
    }  # fmt: skip
    twice = run("participant", "create", "109120", "Other")
    assert (twice.exit_code, twice.output) == (
        1, "refused: participant 109120 is already registered\n")  # fmt: skip
    assert run("participant", "create", "10/9", "Other").exit_code == 1
    assert run("participant", "rename", "109120", "Lakes Inc.").output == "109120 is Lakes Inc.\n"
    needed = run("participant", "enter", "109120", "Energy Market")
    assert needed.output == "109120 participates in Energy Market.\n"
    made = good(run(*GROUP_EMI_BIDS, "--json"))
    assert made["participation"] == "Energy Market"
    holder = world.account()
    world.grant_role(holder, "EMI Bids")
    left = run("participant", "leave", "109120", "Energy Market")
    assert left.output == "109120 no longer participates in Energy Market.\n"
    assert good(run("account", "show", holder, "--json"))["role_groups"] == []
    twice = run("participant", "leave", "109120", "Energy Market")
    assert twice.output == "refused: participant 109120 does not participate in Energy Market\n"
    refused = run("role-group", "assign", "--account", holder, "--role-group", "EMI Bids",
                  "--participant", "109120")  # fmt: skip
    assert refused.output.startswith("refused: EMI Bids needs the participation Energy Market")
    free = run("role-group", "set", "EMI Bids", "--participation", "")
    assert free.output == "EMI Bids: required participation none.\n"
    assert run("role-group", "set", "EMI Bids").exit_code == 2
    world.grant_role(holder, "EMI Bids")
    ended = run("participant", "end", "109120")
    assert ended.output == "109120 has ended. 1 assignments were revoked.\n"
    assert good(run("participant", "list", "--json"))[0]["status"] == "ended"
    assert run("participant", "restore", "109120").output == "109120 is active\n"
    assert good(run("account", "show", holder, "--json"))["role_groups"] == []
    world.participant(OPERATOR)
    assert run("participant", "end", OPERATOR).output == (
        "refused: the operator of the gateway cannot be ended\n"
    )


def test_a_mapping_profile_is_registered_by_options(run: Any, world: World) -> None:
    """UI-09, N72: by two operators, in text and as JSON; ``extension`` takes it away again; what
    cannot be is a usage fault."""
    one, other = (world.operator(ConsoleRole.ACCESS) for _ in range(2))
    create = (
        "client", "create", "--client-id", "okta", "--name", "Okta", "--grant-type",
        "client_credentials", "--scope", "scim", "--push-person-id", "externalId",
        "--push-account-kind", "email", "--push-default-participant", "109120",
        "--push-participant", "109120",
    )  # fmt: skip
    assert run(*create).exit_code == 1
    proposal = good(run(*create, "--as", one, "--json"))["proposal"]
    listed = run("client", "proposals").stdout
    for line in ("push_person_id: None -> externalId", "push_account_kind: None -> email"):
        assert line in listed
    assert run("client", "confirm", proposal, "--as", one).exit_code == 1
    assert "client_secret" in run("client", "confirm", proposal, "--as", other).stdout
    profile = ("push_person_id", "push_account_kind", "push_default_participant")
    shown = good(run("client", "show", "okta", "--json"))
    assert [shown[name] for name in profile] == ["externalId", "email", "109120"]
    text = run("client", "show", "okta").stdout
    assert all(re.search(rf"^{name}\s+{shown[name]}$", text, re.MULTILINE) for name in profile)
    changed = run(
        "client", "update", "okta", "--push-person-id", "extension", "--as", one, "--json"
    )
    good(run("client", "confirm", good(changed)["proposal"], "--as", other, "--json"))
    assert good(run("client", "show", "okta", "--json"))["push_person_id"] == ""


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--push-person-id", "title"), 2, "'title' is not one of"),
        (("--push-account-kind", "machine"), 2, "'machine' is not one of"),
        (
            ("--push-participant", "111340", "--push-default-participant", "109120"),
            1,
            "push_default_participant is one of push_participants",
        ),
    ],
)
def test_an_invalid_mapping_profile_is_refused(
    run: Any, world: World, options: tuple[str, ...], code: int, said: str
) -> None:
    """UI-09: named, and nothing is registered."""
    world.relying_party()
    result = run("client", "update", "emi", *options)
    assert (result.exit_code, said in result.stderr) == (code, True)
    assert good(run("client", "show", "emi", "--json"))["push_participants"] == []

"""Compares what clients were told with what the database holds: the invariants I1 to I7.

It reads the history, the tables and the answers of commands, and calls no service of the gateway.
Only the digests of secrets are calculated with its vault."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Container

from tests.faults.history import Call, History, patience
from tests.faults.installation import Installation

#: The event that each success has, in the transaction of its change.
EVENTS = {
    "sign_in": "signin.succeeded",
    "authorize": "authorize.granted",
    "redeem": "token.issued",
    "refresh": "token.issued",
    "machine": "token.issued",
    "create": "scim.created",
}
#: Times that a worker gets to answer, queue and seal.
SETTLE_SECONDS = 90


class Checker:
    """What is wrong, as sentences. Empty lists mean that nothing was lost."""

    def __init__(self, installation: Installation, history: History) -> None:
        self.installation, self.history = installation, history
        self.faults: list[str] = []
        self.vault = installation.vault()
        self.events: dict[str, set[str]] = defaultdict(set)
        for request_id, name in installation.rows(
            "SELECT request_id, name FROM event WHERE request_id IS NOT NULL AND outcome = 'ok'"
        ):
            self.events[request_id].add(name)
        rows = installation.rows
        self.sessions = dict(rows("SELECT digest, ended_at FROM browser_session"))
        self.codes = dict(rows("SELECT digest, consumed_at FROM authorization_code"))
        self.spent = dict(rows("SELECT digest, consumed_at FROM refresh_token"))
        grants = 'JOIN "grant" g ON g.id = t.grant_id'
        self.tokens = dict(rows(f"SELECT t.handle, g.id FROM access_token t {grants}"))  # noqa: S608
        self.revoked = dict(
            rows(f"SELECT t.digest, g.revoked_at FROM refresh_token t {grants}")  # noqa: S608
        )
        self.answered = dict(rows("SELECT request_id, processed_at FROM recovery_request"))

    def digest(self, purpose: str, value: str, known: Container[str]) -> str:
        """Under the key that made the row, or under the present one."""
        made = self.vault.digests(purpose, value)
        return next((each for each in made if each in known), made[0])

    def one(self, statement: str, *values: object) -> object:
        """The first column of the only row; None without one."""
        found = self.installation.rows(statement, *values)
        return found[0][0] if found else None

    def expect(self, what: bool, fault: str) -> None:
        if not what:
            self.faults.append(fault)

    def check(self) -> list[str]:
        """All invariants; returns the faults."""
        for call in self.history.calls:
            if call.is_success:
                self.promised(call)
            elif call.is_refusal:
                self.refused(call)
        self.spent_once()
        self.whole()
        self.mailed()
        self.sound()
        return self.faults

    def promised(self, call: Call) -> None:
        """I1, I2, I4, I6: what an answer promised is there."""
        # A push that was stored before, without an answer, is repeated with 200.
        is_repeated = call.name == "create" and call.status == 200
        if (name := EVENTS.get(call.name)) and not is_repeated:
            self.expect(name in self.events[call.request_id], f"I1: no {name} for {call}")
        got, sent = call.got, call.sent
        for purpose, key, known in (
            ("session", "session", self.sessions),
            ("code", "code", self.codes),
            ("refresh", "refresh_token", self.spent),
        ):
            if value := got.get(key):
                self.expect(self.digest(purpose, value, known) in known, f"I1: no {key} for {call}")
        if jti := got.get("jti"):
            self.expect(jti in self.tokens, f"I2: no grant for the token of {call}")
        if call.name == "redeem":
            spent = self.codes.get(self.digest("code", sent["code"], self.codes))
            self.expect(spent is not None, f"I3: the code is not spent by {call}")
        if call.name == "refresh":
            token = sent["refresh_token"]
            spent = self.spent.get(self.digest("refresh", token, self.spent))
            self.expect(spent is not None, f"I3: the token is not spent by {call}")
        self.denied(call)

    def denied(self, call: Call) -> None:
        """I4: access that ended has ended."""
        if call.name == "revoke":
            token = call.sent["refresh_token"]
            ended = self.revoked.get(self.digest("refresh", token, self.revoked))
            self.expect(ended is not None, f"I4: not revoked by {call}")
        if call.name == "sign_out":
            session = call.sent["session"]
            ended = self.sessions.get(self.digest("session", session, self.sessions))
            self.expect(ended is not None, f"I4: not signed out by {call}")
        if call.name == "suspend":
            state = self.one("SELECT state FROM account WHERE username = ?", call.sent["username"])
            self.expect(state == "suspended", f"I4: {state} after {call}")
            live = self.one(
                'SELECT count(*) FROM "grant" g JOIN account a ON a.id = g.account_id'
                " WHERE a.username = ? AND g.revoked_at IS NULL",
                call.sent["username"],
            )
            self.expect(live == 0, f"I4: {live} grants after {call}")

    def refused(self, call: Call) -> None:
        """I1: of what was refused, nothing is there."""
        name = EVENTS.get(call.name)
        self.expect(
            not (call.request_id and name in self.events[call.request_id]),
            f"I1: {name} though refused: {call}",
        )

    def spent_once(self) -> None:
        """I3: no code twice; one successor of each refresh token."""
        codes = Counter(c.sent["code"] for c in self.history.named("redeem") if c.is_success)
        for code, times in codes.items():
            self.expect(times == 1, f"I3: the code {code[:6]} was redeemed {times} times")
        successors: dict[str, set[str]] = defaultdict(set)
        for call in self.history.named("refresh"):
            if call.is_success:
                successors[call.sent["refresh_token"]].add(call.got["refresh_token"])
        for token, given in successors.items():
            self.expect(len(given) == 1, f"I3: {len(given)} successors of {token[:6]}")
        branches = self.installation.rows(
            "SELECT grant_id, count(*) FROM refresh_token WHERE consumed_at IS NULL"
            " GROUP BY grant_id HAVING count(*) > 1"
        )
        self.expect(not branches, f"I3: families with several unspent tokens: {branches}")

    def whole(self) -> None:
        """I1, I2: each change has its event and each event its change, also where the client was
        told nothing."""
        issued = self.one(
            "SELECT count(*) FROM event WHERE name = 'token.issued' AND outcome = 'ok'"
        )
        tokens = self.one("SELECT count(*) FROM access_token")
        self.expect(issued == tokens, f"I1: {issued} events of issue, {tokens} access tokens")
        granted = self.one("SELECT count(*) FROM event WHERE name = 'authorize.granted'")
        codes = self.one("SELECT count(*) FROM authorization_code")
        self.expect(granted == codes, f"I1: {granted} events of authorization, {codes} codes")
        spent = self.one(
            "SELECT count(*) FROM refresh_token r WHERE consumed_at IS NOT NULL AND"
            " successor_digest IS NOT NULL AND NOT EXISTS"
            " (SELECT 1 FROM refresh_token n WHERE n.digest = r.successor_digest)"
        )
        self.expect(spent == 0, f"I1: {spent} spent refresh tokens without successor")
        made = self.one("SELECT count(*) FROM event WHERE name = 'scim.created'")
        people = self.one(
            "SELECT count(*) FROM account a JOIN person p ON p.id = a.person_id"
            " WHERE p.person_id LIKE 'R%'"
        )
        self.expect(made == people, f"I6: {made} events of creation, {people} accounts")
        held = Counter(
            number
            for (number,) in self.installation.rows(
                "SELECT p.person_id FROM account a JOIN person p ON p.id = a.person_id"
            )
        )
        for call in self.history.named("create"):
            if call.status in (200, 201, 409):
                number = f"R{int(call.sent['external_id'].removeprefix('reg-')):05}"
                self.expect(held[number] == 1, f"I6: {held[number]} accounts after {call}")

    def mailed(self) -> None:
        """I5: each promised mail is queued or sent, once, and no other."""
        for call in self.history.named("recover"):
            if call.is_success:
                answered = self.answered.get(call.request_id)
                self.expect(answered is not None, f"I5: not answered by the worker: {call}")
        links = self.one("SELECT count(*) FROM event WHERE name = 'link.sent' AND outcome = 'ok'")
        mails = self.one(
            "SELECT count(*) FROM outbox_message WHERE kind IN"
            " ('account_created', 'password_reset_link')"
        )
        self.expect(links == mails, f"I5: {links} links in the trail, {mails} mails with links")

    def sound(self) -> None:
        """I7, and what the database says of itself."""
        said = self.installation.run("audit", "verify", check=False)
        self.expect("Integrity check passed" in said, f"I7: {said}")
        numbers = self.installation.rows("SELECT min(seq), max(seq), count(seq) FROM event")[0]
        self.expect(numbers[1] == numbers[2], f"I7: gaps in the trail: {numbers}")
        if self.installation.url.startswith("sqlite"):
            said = str(self.one("PRAGMA integrity_check"))
            self.expect(said == "ok", f"the file is damaged: {said}")
            broken = self.installation.rows("PRAGMA foreign_key_check")
            self.expect(not broken, f"rows point to nothing: {broken}")


def settle(installation: Installation) -> float:
    """Wait until a worker has answered the recoveries and sealed all events."""
    began = time.monotonic()
    while time.monotonic() < began + SETTLE_SECONDS * patience():
        waiting = installation.rows(
            "SELECT (SELECT count(*) FROM event WHERE seq IS NULL)"
            " + (SELECT count(*) FROM recovery_request WHERE processed_at IS NULL)"
        )
        if waiting[0][0] == 0:
            return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"the worker leaves {waiting[0][0]} of its tasks undone")


def check(installation: Installation, history: History) -> None:
    """All invariants hold after ``history``. A worker must run."""
    settle(installation)
    faults = Checker(installation, history).check()
    assert not faults, "\n".join(faults[:20])
    strange = [call for call in history.calls if call.status == 500]
    assert not strange, strange[:3]

"""The registration bridge: when a push is repeated after a conflict (R03)."""

from __future__ import annotations

import pytest
from scim2_models import InvalidValueException, PreconditionFailedException
from sqlalchemy.exc import IntegrityError, OperationalError

from idp.errors import Collision, ServiceError
from registration_bridge import push_transaction
from tests.world import World


class Push:
    """A change that fails so many times, and the number of its attempts."""

    def __init__(self, error: Exception, failures: int) -> None:
        self._error, self._failures = error, failures
        self.attempts = 0

    def __call__(self) -> str:
        self.attempts += 1
        if self.attempts <= self._failures:
            raise self._error
        return "done"


class Aborted(Exception):
    """What the driver says of a transaction that another one stopped."""

    sqlstate = "40001"


CONTENTION = OperationalError("", {}, Aborted())
FAULT = IntegrityError("", {}, Exception("a range is violated"))
CONFLICTS = [PreconditionFailedException(), Collision("taken"), CONTENTION]


@pytest.fixture(autouse=True)
def rolled_back(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """The number of roll-backs."""
    found: list[None] = []
    monkeypatch.setattr(push_transaction, "roll_back", lambda: found.append(None))
    return found


@pytest.mark.parametrize("error", CONFLICTS)
def test_r03_a_push_is_repeated_five_times(error: Exception, rolled_back: list[None]) -> None:
    """R03: each attempt begins on the new state; then the conflict itself is the answer."""
    push = Push(error, push_transaction.RETRIES)
    assert push_transaction.with_retries(push, is_conditional=False) == "done"
    assert (push.attempts, len(rolled_back)) == (6, 5)
    push = Push(error, push_transaction.RETRIES + 1)
    with pytest.raises(type(error)) as told:
        push_transaction.with_retries(push, is_conditional=False)
    assert told.value is error
    assert push.attempts == 6


@pytest.mark.parametrize("error", CONFLICTS[:2])
def test_r03_a_push_that_requires_a_version_is_not_repeated(error: Exception) -> None:
    push = Push(error, 1)
    with pytest.raises(type(error)):
        push_transaction.with_retries(push, is_conditional=True)
    assert push.attempts == 1


def test_r03_another_error_of_the_database_is_not_repeated() -> None:
    push = Push(FAULT, 1)
    with pytest.raises(IntegrityError):
        push_transaction.with_retries(push, is_conditional=False)
    assert push.attempts == 1


@pytest.mark.parametrize(("detail", "told"), [("no such group", "no such group"), ("", "refused")])
def test_pr06_a_refusal_always_has_a_detail(detail: str, told: str) -> None:
    """PR-06: its own, or else its code."""
    with pytest.raises(InvalidValueException) as raised:
        push_transaction.with_retries(Push(ServiceError(detail), 1), is_conditional=False)
    assert raised.value.detail == told


def test_r07_a_refusal_that_cannot_be_recorded_is_503(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R07, I1: the database went away after the refusal. The client is told to come back."""

    def away(*_: object, **__: object) -> None:
        raise OperationalError("", {}, Exception("no answer"))

    monkeypatch.setattr(push_transaction.events, "record", away)
    answer = world.app.test_client().get("/scim/v2/Users", base_url=world.settings.issuer)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.mimetype == "application/scim+json"

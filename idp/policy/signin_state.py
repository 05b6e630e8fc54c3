"""The state of a sign-in as one frozen value.

``idp.signin.state_loader.load`` is the only function that makes a ``SignInState``, from the stored
interaction, the browser's session and the account. ``oidc.interaction.decide`` takes it and nothing
else that is stored. ``idp.signin.transitions`` has one function for each change of the stage.

The legal rows of the table ``interaction``. A column that is not named is NULL:

===============  =============================================================================
stage            columns that are set
===============  =============================================================================
started          none
password_change  account_id, security_stamp, change_reason; temporary_password_id if the reason
                 is ``temporary``
second_factor    account_id, security_stamp, proved, second_factor
proved           the same
authenticated    the same, and authenticated_at
===============  =============================================================================

``has_secret`` and ``remember`` are flags. ``consented_at``, ``denied_at`` and ``account_chosen_at``
are answers of the person who is signed in. They are independent of the stage, and
``answered_by_id`` is set exactly when one of them is.

``LEGAL_STAGE`` and ``LEGAL_ANSWERS`` are the same table as CHECK constraints. A row that breaks it
counts as ``Started``: the person signs in again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from idp.mfa.prompt_reasons import NoPromptReason


class Stage(StrEnum):
    """How far the sign-in has come, as stored."""

    #: Nobody has proved anything.
    STARTED = "started"
    #: The password was right, but a new one has to be chosen first.
    PASSWORD_CHANGE = "password_change"  # noqa: S105 - the name of a stage
    #: The first factor was right; a second one is required.
    SECOND_FACTOR = "second_factor"
    #: Every required factor was right. Enrolment may be left to do.
    PROVED = "proved"
    #: The session was started.
    AUTHENTICATED = "authenticated"


class ChangeReason(StrEnum):
    """Why a new password has to be chosen before the sign-in counts."""

    TEMPORARY = "temporary"
    RENEWAL = "renewal"


_PROVED = frozenset({"account_id", "security_stamp", "proved", "second_factor"})
#: The columns that are set in each stage; the others are NULL.
SET_COLUMNS: Mapping[Stage, frozenset[str]] = {
    Stage.STARTED: frozenset(),
    Stage.PASSWORD_CHANGE: frozenset({"account_id", "security_stamp", "change_reason"}),
    Stage.SECOND_FACTOR: _PROVED,
    Stage.PROVED: _PROVED,
    Stage.AUTHENTICATED: _PROVED | {"authenticated_at"},
}
STAGE_COLUMNS = tuple(sorted(frozenset().union(*SET_COLUMNS.values())))


def is_legal(stage: str, values: Mapping[str, object]) -> bool:
    """Whether the table above allows these columns together."""
    if stage not in list(Stage):
        return False
    given = {name for name in STAGE_COLUMNS if values[name] is not None}
    is_temporary = values["change_reason"] == ChangeReason.TEMPORARY
    has_temporary = values["temporary_password_id"] is not None
    return given == SET_COLUMNS[Stage(stage)] and has_temporary == is_temporary


def _as_check() -> str:
    def is_set(stage: Stage, column: str) -> str:
        return f"{column} IS {'NOT ' if column in SET_COLUMNS[stage] else ''}NULL"

    stages = (
        " AND ".join([f"stage = '{stage}'", *(is_set(stage, name) for name in STAGE_COLUMNS)])
        for stage in Stage
    )
    return f"({' OR '.join(f'({stage})' for stage in stages)})"


LEGAL_STAGE = (
    f"{_as_check()} AND (temporary_password_id IS NOT NULL)"
    f" = (COALESCE(change_reason, '') = '{ChangeReason.TEMPORARY}')"
)
LEGAL_ANSWERS = (
    "(answered_by_id IS NULL)"
    " = (consented_at IS NULL AND denied_at IS NULL AND account_chosen_at IS NULL)"
)


@dataclass(frozen=True)
class Evidence:
    """What was proved in this sign-in."""

    #: As values of ``amr`` (RFC 8176).
    methods: tuple[str, ...]
    #: Whether a one-time secret that was sent to the holder was shown.
    has_secret: bool = False

    @property
    def is_more_than_password(self) -> bool:
        """Whether a factor or a one-time secret was shown. A password alone sets up no factor."""
        return self.has_secret or bool(set(self.methods) - {"pwd"})


@dataclass(frozen=True)
class SecondFactorDecision:
    """Whether a second factor is required after the first one, and why or why not. The same names
    are in the audit event ``signin.assessed``."""

    #: Why it is asked for, as the page tells the person.
    reasons: tuple[str, ...] = ()
    #: Whether only a strong factor will do, where the account has one.
    needs_strong: bool = False
    #: Why it is not asked for; empty exactly when a second factor is required.
    no_prompt: tuple[NoPromptReason, ...] = ()

    @property
    def is_required(self) -> bool:
        return not self.no_prompt


@dataclass(frozen=True)
class Started:
    """Nobody has proved anything, or what was proved no longer counts."""


@dataclass(frozen=True)
class PasswordChangeRequired:
    """The password was right, but a new one has to be chosen first."""

    account_id: int
    reason: ChangeReason
    #: The temporary password that was used, if the reason is ``temporary``.
    temporary_password_id: int | None


@dataclass(frozen=True)
class SecondFactorRequired:
    """The first factor was right; a second one is required."""

    account_id: int
    evidence: Evidence
    decision: SecondFactorDecision


@dataclass(frozen=True)
class EnrolmentRequired:
    """Every required factor was right, but the account has to be set up before it counts."""

    account_id: int
    evidence: Evidence
    decision: SecondFactorDecision


@dataclass(frozen=True)
class Proved:
    """Nothing is left to do: the session can be started."""

    account_id: int
    evidence: Evidence
    decision: SecondFactorDecision


@dataclass(frozen=True)
class Authenticated:
    """The session was started in this interaction (``prompt=login``, ``max_age``)."""

    account_id: int
    evidence: Evidence
    decision: SecondFactorDecision


#: After the first factor and before the session.
InProgress = PasswordChangeRequired | SecondFactorRequired | EnrolmentRequired | Proved
Progress = Started | InProgress | Authenticated


@dataclass(frozen=True)
class SessionView:
    """The browser's session, as far as the decision needs it."""

    subject: str
    account_kind: str
    auth_time: datetime
    acr: str
    #: The level to which the session can rise with the factors of its account.
    reachable_acr: str | None = None


@dataclass(frozen=True)
class ClientView:
    """The relying party, as far as the decision needs it."""

    trusted: bool
    minimum_acr: str | None
    account_kinds: tuple[str, ...] = ("personal",)


@dataclass(frozen=True)
class Answers:
    """What the person who is signed in has answered in this interaction, and agreed to before."""

    account_chosen: bool = False
    consented: bool = False
    denied: bool = False
    remembered_scopes: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class SignInState:
    """All that the next step of a sign-in depends on, apart from the request and the time."""

    progress: Progress = Started()
    session: SessionView | None = None
    #: Whether accounts are signed in in this browser of which none is active.
    has_others: bool = False
    #: None for a sign-in to the gateway's own pages.
    client: ClientView | None = None
    answers: Answers = Answers()

"""The next step of a sign-in: a pure function of its state and the request.

Every page of a sign-in returns to the dispatcher, which asks ``decide`` again from the start, so
no page can be skipped and no page knows another (OIDC Core 3.1.2.1 to 3.1.2.6).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, assert_never

from idp.policy.scopes import ACR_MFA, satisfies
from idp.policy.signin_state import (
    Answers,
    Authenticated,
    ClientView,
    EnrolmentRequired,
    PasswordChangeRequired,
    Progress,
    Proved,
    SecondFactorRequired,
    SessionView,
    SignInState,
    Started,
)


@dataclass(frozen=True, kw_only=True)
class AuthorizationRequest:
    """A validated authorization request. Kept as JSON with its interaction."""

    redirect_uri: str
    scopes: tuple[str, ...]
    response_mode: str = "query"
    state: str | None = None
    nonce: str | None = None
    code_challenge: str | None = None
    prompt: tuple[str, ...] = ()
    max_age: int | None = None
    login_hint: str = ""
    ui_locales: tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    claims: dict[str, Any] = field(default_factory=dict)
    #: The subject of the ``id_token_hint``; "" for a hint that is not valid.
    expected_subject: str | None = None
    #: Thumbprint of the key that the code is bound to (RFC 9449 section 10).
    dpop_jkt: str | None = None
    #: The pushed request that it came from (``pushed_requests``).
    pushed_id: int | None = None
    #: The device that asks (``device_authorizations``); it has no redirect URI.
    device_id: int | None = None

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> AuthorizationRequest:
        lists = ("scopes", "prompt", "ui_locales", "acr_values")
        values: dict[str, Any] = {k: tuple(v) if k in lists else v for k, v in data.items()}
        return cls(**values)

    @property
    def essential_acrs(self) -> tuple[str, ...]:
        """Levels demanded by an essential ``acr`` claim (OIDC Core 5.5.1.1)."""
        wish = (self.claims.get("id_token") or {}).get("acr") or {}
        if not wish.get("essential"):
            return ()
        values = wish.get("values", [wish["value"]] if "value" in wish else [])
        return tuple(str(value) for value in values)


@dataclass(frozen=True)
class SignIn:
    """Show the sign-in page."""


@dataclass(frozen=True)
class ChangePassword:
    """Show the page where a temporary or aged password is replaced."""


@dataclass(frozen=True)
class StepUp:
    """Show the page where a second factor is proved."""


@dataclass(frozen=True)
class Enrol:
    """Show the pages where factors and the security question are set up."""


@dataclass(frozen=True)
class OtherAccount:
    """Say that the application does not take this account, and ask for another one (EN-03)."""


@dataclass(frozen=True)
class SelectAccount:
    """Ask with which account of this browser to continue."""


@dataclass(frozen=True)
class Consent:
    """Ask for consent."""


@dataclass(frozen=True)
class ConfirmDevice:
    """Ask whether the device may act for the person, whatever was allowed before (RFC 8628 section
    5.4)."""


@dataclass(frozen=True)
class Proceed:
    """Everything is met: send the code to the client, let the device have its tokens, or go to the
    local page."""


@dataclass(frozen=True)
class Refuse:
    """Send an error to the client."""

    code: str
    description: str = ""


Step = (
    SignIn
    | ChangePassword
    | StepUp
    | Enrol
    | OtherAccount
    | SelectAccount
    | Consent
    | ConfirmDevice
    | Proceed
    | Refuse
)


def decide(state: SignInState, request: AuthorizationRequest | None, now: datetime) -> Step:
    """The next step. Without ``request`` the person signs in to the gateway's own pages."""
    step = _left_to_do(state.progress)
    if step is not None:
        return step
    client, session, answers = state.client, state.session, state.answers
    if request is None or client is None:
        return Proceed() if session else SignIn()
    if answers.denied:
        return Refuse("access_denied", "the person declined")
    silent = "none" in request.prompt
    if request.expected_subject == "":
        return Refuse("login_required", "the hint is not valid here")
    is_fresh = isinstance(state.progress, Authenticated)
    if "select_account" in request.prompt and not (answers.account_chosen or is_fresh):
        # What follows is decided for the account that is chosen.
        return SelectAccount() if session or state.has_others else SignIn()
    if session is None:
        return Refuse("login_required") if silent else SignIn()
    if request.expected_subject not in (None, session.subject):
        return Refuse("login_required", "another person is signed in")
    if not is_fresh and _must_authenticate(request, session, now):
        return Refuse("login_required") if silent else SignIn()
    if session.account_kind == "machine":
        return Refuse("access_denied", "machine accounts have no browser sign-on")
    if session.account_kind not in client.account_kinds:
        if silent:
            return Refuse("account_selection_required", "needs another account")
        return OtherAccount()
    if unmet := _unmet_level(request, client, session):
        reachable = session.reachable_acr
        if reachable and not silent and _reaches(request, client, reachable):
            return StepUp()
        return Refuse("unmet_authentication_requirements", f"this needs {unmet}")
    if not silent and _can_rise_as_asked(request, session):
        return StepUp()
    if request.device_id is not None:
        return Proceed() if answers.consented else ConfirmDevice()
    if _must_consent(request, client, answers):
        return Refuse("consent_required") if silent else Consent()
    return Proceed()


def _left_to_do(progress: Progress) -> Step | None:
    """What the person who is signing in has to do before anything else."""
    match progress:
        case PasswordChangeRequired():
            return ChangePassword()
        case SecondFactorRequired():
            return StepUp()
        case EnrolmentRequired():
            return Enrol()
        case Started() | Proved() | Authenticated():
            return None
        case _:
            assert_never(progress)


def _must_authenticate(request: AuthorizationRequest, session: SessionView, now: datetime) -> bool:
    if "login" in request.prompt or request.max_age == 0:
        return True
    if request.max_age is None:
        return False
    return (now - session.auth_time).total_seconds() > request.max_age


def _unmet_level(
    request: AuthorizationRequest, client: ClientView, session: SessionView
) -> str | None:
    """The demanded level that the session does not reach."""
    if _reaches(request, client, session.acr):
        return None
    if not satisfies(session.acr, client.minimum_acr):
        return client.minimum_acr
    wanted = request.essential_acrs
    return wanted[0] if wanted[0].isascii() else "a higher level"


def _reaches(request: AuthorizationRequest, client: ClientView, acr: str) -> bool:
    """Whether ``acr`` reaches what the client and the request demand."""
    wanted = request.essential_acrs
    asked = not wanted or any(satisfies(acr, level) for level in wanted)
    return asked and satisfies(acr, client.minimum_acr)


def _can_rise_as_asked(request: AuthorizationRequest, session: SessionView) -> bool:
    """Whether a factor of the account reaches a level of ``acr_values`` that the session lacks.
    They are a wish: who cannot reach one goes on without (OIDC Core 3.1.2.1, RFC 9470 section
    4)."""
    best = session.reachable_acr
    return not _reaches_a_wish(request, session.acr) and _reaches_a_wish(request, best)


def _reaches_a_wish(request: AuthorizationRequest, acr: str | None) -> bool:
    wishes = request.acr_values
    return not wishes or any(satisfies(acr, level) for level in wishes)


def needs_passkey(request: AuthorizationRequest, client: ClientView, best: str) -> bool:
    """Whether only a passkey reaches the demanded level, or the level that is asked for and that
    the account can reach (``best``)."""
    if not _reaches(request, client, ACR_MFA):
        return True
    return _reaches_a_wish(request, best) and not _reaches_a_wish(request, ACR_MFA)


def _must_consent(request: AuthorizationRequest, client: ClientView, answers: Answers) -> bool:
    if answers.consented:
        return False
    if "consent" in request.prompt:
        return True
    return not client.trusted and not set(request.scopes) <= answers.remembered_scopes

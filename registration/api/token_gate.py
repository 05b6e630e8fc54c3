"""Before every answer to a program: its access token; after it: refusals as problems."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, jsonify, request
from flask_babel import gettext
from joserfc.errors import JoseError
from requests import RequestException

from registration import access_tokens, current
from registration.access_tokens import NotAPerson, PersonUnknown, SessionEnded, TokenSignIn
from registration.browser_sessions import STRONG
from registration.delegation import Refused
from registration.models import Organization
from registration.pages.change_lines import refusal_lines
from registration.pages.sign_in_pages import gateway_keys
from registration.pages.standing import NotAllowed, NotHere
from registration.problems import Problem
from service_base import logs

log = logs.Logger("registration.api")
#: Longer tokens are not read.
MAX_TOKEN = 16_384
Answer = dict[str, Any] | Response


def gate(view: Callable[..., Answer], scope: str) -> Callable[..., Response]:
    """The view for programs whose token has this scope. A refusal rolls back what it wrote."""

    @wraps(view)
    def guarded(**arguments: Any) -> Response:
        try:
            _admit(scope)
            found = view(**arguments)
            return found if isinstance(found, Response) else jsonify(found)
        except Problem as error:
            problem = error
        except NotHere:
            problem = Problem("not_found")
        except NotAllowed as error:
            problem = refused(error.refused, error.here)
        response = problem.response()
        current.work().db.rollback()
        return response

    return guarded


def refused(answer: Refused, here: Organization) -> Problem:
    """What delegation refuses, and who can."""
    why, *who = refusal_lines(answer, here)
    return Problem("not_allowed", why, reason=answer.reason, who_can=who)


def require_fresh_factor() -> None:
    """Grants and revocations need a second factor that was proved recently (RFC 9470)."""
    if not current.has_fresh_factor():
        seconds = current.runtime().settings.fresh_seconds
        raise _challenge(
            "factor_needed",
            "insufficient_user_authentication",
            gettext("Sign in again with extra verification."),
            acr_values=" ".join(STRONG),
            max_age=str(seconds),
        )


def _admit(scope: str) -> None:
    found = _sign_in(_token())
    if scope not in found.scopes:
        raise _challenge("scope_missing", "insufficient_scope", scope=scope)
    current.use_token(found)
    log.info("api_call", client_id=found.client_id, person=found.person.person_id)


def _token() -> str:
    """The bearer token of the header; those in queries and forms are not looked at (RFC 6750)."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Problem("token_missing", headers={"WWW-Authenticate": "Bearer"})
    return token.strip()


def _sign_in(token: str) -> TokenSignIn:
    work = current.work()
    try:
        if len(token) > MAX_TOKEN:
            raise ValueError("the token is too long")
        return access_tokens.sign_in(work, access_tokens.check(work, gateway_keys().decode(token)))
    except RequestException as error:
        log.error("gateway_away", reason=str(error))
        raise Problem("unavailable", headers={"Retry-After": "60"}) from error
    except (JoseError, ValueError, TypeError, KeyError, OverflowError, OSError) as error:
        log.warning("access_token_refused", reason=str(error))
        raise _challenge("token_invalid", "invalid_token") from error
    except SessionEnded as error:
        raise _challenge(error.code, "invalid_token") from error
    except (NotAPerson, PersonUnknown) as error:
        raise Problem(error.code) from error


def _challenge(code: str, error: str, detail: str = "", **parameters: str) -> Problem:
    """RFC 6750 section 3.1."""
    words = ", ".join(f'{key}="{one}"' for key, one in {"error": error, **parameters}.items())
    return Problem(code, detail, headers={"WWW-Authenticate": f"Bearer {words}"}, **parameters)

"""Sessions of people who signed in at the gateway: started by an ID token, ended here or there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from registration.models import Account, Person, Session, SpentToken
from registration.transaction import UnitOfWork
from service_base import request_ids

PERSON_ID = "urn:ieso:person_id"
#: Levels of authentication with a second factor, or with a passkey.
STRONG = ("urn:ieso:acr:mfa", "phr")
#: A session is marked as used at most this often.
SEEN_SECONDS = 60


def start(work: UnitOfWork, claims: dict[str, Any], id_token: str) -> str | None:
    """A session for the person of these claims, which the caller has validated; returns the token
    of its cookie. None if registration does not know the person."""
    person_id = str(claims.get(PERSON_ID) or "")
    person = work.db.scalars(select(Person).where(Person.person_id == person_id)).one_or_none()
    if person is None:
        return None
    username = str(claims.get("preferred_username") or "")
    work.db.execute(
        update(Account)
        .where(
            Account.username == username,
            Account.person_id == person.id,
            Account.first_sign_in_at.is_(None),
        )
        .values(first_sign_in_at=work.now)
        .execution_options(synchronize_session=False)
    )
    token = work.ports.token()
    work.db.add(
        Session(
            digest=work.keys.digests(token)[0],
            person_id=person.id,
            sid=str(claims["sid"]),
            subject=str(claims["sub"]),
            username=username,
            acr=str(claims.get("acr") or ""),
            authenticated_at=datetime.fromtimestamp(int(claims["auth_time"]), UTC),
            role_groups=[str(one) for one in claims.get("groups") or []],
            id_token=work.keys.encrypt(id_token),
            created_at=work.now,
            seen_at=work.now,
            expires_at=work.after(work.settings.session_seconds),
        )
    )
    work.db.flush()
    request_ids.is_asked_by(str(claims["sub"]))
    return token


def find(work: UnitOfWork, token: str) -> Session | None:
    """The session of this cookie, unless it has ended, expired or was idle for too long."""
    query = select(Session).where(
        Session.digest.in_(work.keys.digests(token)),
        Session.ended_at.is_(None),
        Session.expires_at > work.now,
        Session.seen_at > work.now - timedelta(seconds=work.settings.idle_seconds),
    )
    found = work.db.scalars(query).one_or_none()
    if found is not None and work.now - found.seen_at >= timedelta(seconds=SEEN_SECONDS):
        found.seen_at = work.now
    return found


def is_strong_since(acr: str, authenticated_at: datetime, since: datetime) -> bool:
    """Whether a sign-in of this level and time proved a second factor after a moment."""
    return acr in STRONG and authenticated_at >= since


def end(work: UnitOfWork, session: Session, why: str) -> str:
    """End it; returns its ID token, the hint of the sign-out at the gateway."""
    session.ended_at, session.ended_why = work.now, why
    return work.keys.decrypt(session.id_token)


def end_by_gateway(work: UnitOfWork, claims: dict[str, Any]) -> bool:
    """End the sessions of a logout token, which the caller has validated; False if the token came
    before (Back-Channel Logout 1.0 section 2.6)."""
    jti = str(claims["jti"])
    if work.db.get(SpentToken, jti) is not None:
        return False
    expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
    work.db.add(SpentToken(jti=jti, expires_at=expires_at))
    work.db.execute(
        update(Session)
        .where(Session.sid == str(claims["sid"]), Session.ended_at.is_(None))
        .values(ended_at=work.now, ended_why="gateway")
        .execution_options(synchronize_session=False)
    )
    work.db.flush()
    return True

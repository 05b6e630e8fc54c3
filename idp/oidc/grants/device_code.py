"""Device code (RFC 8628 sections 3.4 and 3.5): the device asks until a person has decided."""

from __future__ import annotations

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749.errors import AccessDeniedError, InvalidGrantError
from authlib.oauth2.rfc8628 import AuthorizationPendingError, ExpiredTokenError, SlowDownError

from idp.grants import device_authorizations
from idp.grants.device_authorizations import DeviceState
from idp.oidc.grants.pipeline import GrantType, Redeemed, TokenRequest
from idp.policy.scopes import DEVICE_CODE
from idp.session.end_reasons import EndReason

INVALID = "The device code is invalid or was used already."
#: The device asks again: such an answer is no refusal.
STILL_WAITING = (AuthorizationPendingError, SlowDownError)


def redeem(request: TokenRequest) -> Redeemed:
    """The grant that the person gave, to the first request after it."""
    work = request.work
    row = device_authorizations.find(work, request.required("device_code"))
    if row is None:
        raise InvalidGrantError(INVALID)
    if row.client_id != request.client.id:
        device_authorizations.end(work, row, EndReason.CODE_OF_OTHER_CLIENT)
        raise InvalidGrantError(INVALID)
    state = device_authorizations.poll(work, row)
    if error := _error(state):
        raise error
    grant = device_authorizations.grant_of(work, row)
    if state is not DeviceState.ALLOWED or grant is None:
        device_authorizations.end(work, row, EndReason.CODE_REUSED)
        raise InvalidGrantError(INVALID)
    return Redeemed(
        grant=grant,
        scopes=tuple(grant.scopes),
        is_first=True,
        inactive="The sign-in has ended.",
    )


def _error(state: DeviceState) -> OAuth2Error | None:
    """The answer to a device that gets no tokens yet, or never."""
    match state:
        case DeviceState.WAITING:
            return AuthorizationPendingError("Nobody has decided yet.")
        case DeviceState.TOO_SOON:
            return SlowDownError("Wait five seconds longer between two requests from now on.")
        case DeviceState.REFUSED:
            return AccessDeniedError("Access was refused.")
        case DeviceState.EXPIRED:
            return ExpiredTokenError("The device code has expired.")
        case _:
            return None


GRANT_TYPE = GrantType(name=DEVICE_CODE, redeem=redeem)

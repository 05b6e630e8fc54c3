"""Relying parties: create, edit, new secret, disable, and the role groups that they see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current, list_pages
from idp.clients import client_data, client_proposals, client_secrets, registrations
from idp.clients import registry as service
from idp.clients.client_data import ClientData
from idp.clients.client_proposals import Outcome
from idp.credentials.assertions import client_key
from idp.directory import role_groups
from idp.errors import Conflict, Invalid
from idp.mfa.second_factor_rule import Rule
from idp.models import AccountKind, AuthMethod, Client, RoleGroup
from idp.policy.registered_values import (
    ENCRYPTION_ALGS,
    ENCRYPTION_ENCS,
    MAX_OVERLAP_HOURS,
    OVERLAP_HOURS,
    SIGNING_ALGS,
    TlsSubjectField,
)
from idp.policy.scopes import ACRS, GRANT_TYPES, PERSON_ID_ATTRIBUTES, PUSHED_KINDS
from idp.web import client_logos, refusal_texts
from idp.web.console import labels, listing
from idp.web.console.listing import ListView
from idp.web.console.proposal_pages import shown

LISTS = (
    "scopes",
    "redirect_uris",
    "post_logout_redirect_uris",
    "allowed_origins",
    "exchange_audiences",
)
TEXTS = (
    "name",
    "description",
    "name_fr",
    "description_fr",
    "home_url",
    "backchannel_logout_uri",
    "event_push_uri",
    "frontchannel_logout_uri",
    "jwks_uri",
    "tls_subject",
    "sector_identifier",
    "audience",
    "push_default_participant",
)
CHOICES = (
    "auth_method",
    "tls_subject_field",
    "second_factor",
    "id_token_alg",
    "authorization_response_alg",
    "id_token_encryption_alg",
    "id_token_encryption_enc",
    "userinfo_alg",
    "userinfo_encryption_alg",
    "userinfo_encryption_enc",
    "introspection_alg",
    "access_token_alg",
    "access_token_format",
    "push_person_id",
    "push_account_kind",
)
FLAGS = (
    "token_endpoint_audience",
    "certificate_bound_tokens",
    "require_pkce",
    "require_pushed_requests",
    "dpop_bound_access_tokens",
    "fapi2_security_profile",
    "frontchannel_logout_session_required",
    "trusted",
    "uses_popups",
    "is_resource_server",
)

#: The orders of the list.
SORTS: dict[str, Callable[[Client], Any]] = {
    "name": lambda client: (client.name.casefold(), client.client_id),
    "client_id": lambda client: client.client_id,
    "authentication": lambda client: (client.auth_method, client.name.casefold()),
}


def register(pages: Blueprint) -> None:
    both, post = ["GET", "POST"], ["POST"]
    pages.add_url_rule("/clients", "clients", clients)
    pages.add_url_rule("/clients/new", "new_client", new_client, methods=both)
    pages.add_url_rule("/clients/<client_id>", "client", client)
    pages.add_url_rule("/clients/<client_id>", "update_client", update_client, methods=post)
    pages.add_url_rule("/clients/<client_id>/secret", "rotate_secret", rotate_secret, methods=post)
    for name, view in (
        ("disable", disable_client),
        ("enable", enable_client),
        ("end-old-secret", end_old_secret),
    ):
        path = f"/clients/<client_id>/{name}"
        pages.add_url_rule(path, view.__name__, view, methods=post)


def clients() -> BaseResponse:
    """All clients."""
    work, asked = current.work(), listing.asked_filters("text", "state")

    def matches(client: Client) -> bool:
        state = "disabled" if client.disabled_at else "enabled"
        text = f"{client.name} {client.client_id}".casefold()
        return asked["text"].casefold() in text and asked["state"] in ("", state)

    found = list_pages.single_page(service.list_clients(work), listing.asked_page(), SORTS, matches)
    body = render_template(
        "console/clients.html",
        view=ListView("console.clients", found, asked),
        waiting=len(client_proposals.list_pending(work)),
    )
    return Response(body)


def new_client() -> BaseResponse:
    """Register one; its secret is shown only once."""
    data = ClientData(name="")
    if request.method != "POST":
        return _form(None, data, [])
    data = _from_form(data)
    try:
        data = _with_new_key(data)
        outcome = client_proposals.create(
            current.work(),
            data,
            client_id=request.form.get("client_id", "").strip() or None,
            groups=_names(_chosen_groups()),
        )
    except (Invalid, Conflict) as error:
        return _form(None, data, _chosen_groups(), error=refusal_texts.of(error))
    return saved(outcome)


def client(client_id: str) -> BaseResponse:
    """The registration of one."""
    found = one(client_id)
    return _form(found, client_data.current_data(found), list(found.role_groups))


def update_client(client_id: str) -> BaseResponse:
    """Change the registration of one."""
    found = one(client_id)
    data = _from_form(client_data.current_data(found))
    groups = _chosen_groups()
    try:
        data = _with_new_key(data)
        outcome = client_proposals.update(current.work(), found, data, groups=_names(groups))
    except Invalid as error:
        return _form(found, data, groups, error=refusal_texts.of(error))
    return saved(outcome)


def rotate_secret(client_id: str) -> BaseResponse:
    """Create a new secret; the old one works for the chosen number of hours."""
    found, typed = one(client_id), request.form.get("overlap_hours", "").strip()
    try:
        hours = client_secrets.parse_overlap_hours(typed)
        outcome = client_proposals.rotate_secret(current.work(), found, overlap_hours=hours)
    except Invalid as error:
        return secret_refused(found, refusal_texts.of(error), typed)
    return shown(outcome)


def refused(found: Client, error: str) -> BaseResponse:
    """The page with the reason why another of its forms was refused."""
    return _form(found, client_data.current_data(found), list(found.role_groups), error=error)


def secret_refused(found: Client, error: str, typed: str) -> BaseResponse:
    """The page with the reason why no new secret was created."""
    data, groups = client_data.current_data(found), list(found.role_groups)
    return _form(found, data, groups, error=error, overlap_hours=typed)


def end_old_secret(client_id: str) -> BaseResponse:
    """End the secret from before the last rotation."""
    found = one(client_id)
    client_secrets.revoke_old(current.work(), found)
    flash(gettext("The previous secret no longer works."))
    return redirect(url_for("console.client", client_id=found.client_id), code=303)


def enable_client(client_id: str) -> BaseResponse:
    """Enable it again."""
    found = one(client_id)
    outcome = client_proposals.enable(current.work(), found)
    if outcome.client:
        flash(gettext("The application is enabled. Its previous tokens are still invalid."))
    return shown(outcome)


def disable_client(client_id: str) -> BaseResponse:
    """Disable it and revoke everything issued to it."""
    found = one(client_id)
    service.disable(current.work(), found)
    flash(gettext("The application is disabled. Its tokens are no longer valid."))
    return redirect(url_for("console.client", client_id=found.client_id), code=303)


def one(client_id: str) -> Client:
    """The client; an unknown one is a 404."""
    found = service.find(current.work(), client_id)
    if found is None:
        abort(404)
    return found


def _from_form(before: ClientData) -> ClientData:
    form = request.form
    values: dict[str, Any] = {name: form.get(name, "").strip() for name in TEXTS}
    values |= {name: tuple(form.get(name, "").split()) for name in LISTS}
    values |= {name: form.get(name, getattr(before, name)) for name in CHOICES}
    values |= {name: form.get(name) == "1" for name in FLAGS}
    values["grant_types"] = tuple(form.getlist("grant_types"))
    values["account_kinds"] = tuple(form.getlist("account_kinds"))
    values["keys"] = tuple(key for key in before.keys if key["kid"] in form.getlist("keys"))
    values["minimum_acr"] = form.get("minimum_acr") or None
    return replace(before, **values)


def _with_new_key(data: ClientData) -> ClientData:
    """With the key that was pasted, if any. Raises Invalid."""
    text = request.form.get("new_key", "").strip()
    return replace(data, keys=(*data.keys, client_key(text))) if text else data


def _chosen_groups() -> list[RoleGroup]:
    wanted = set(request.form.getlist("role_groups"))
    return [
        group for group, _ in role_groups.list_role_groups(current.work()) if group.name in wanted
    ]


def _form(
    found: Client | None,
    data: ClientData,
    groups: list[RoleGroup],
    *,
    error: str | None = None,
    overlap_hours: str = str(OVERLAP_HOURS),
) -> BaseResponse:
    work = current.work()
    body = render_template(
        "console/client.html",
        old_secret_until=client_secrets.old_secret_expires_at(work, found) if found else None,
        overlap_hours=overlap_hours,
        max_overlap_hours=MAX_OVERLAP_HOURS,
        client=found,
        registration=registrations.of_client(work, found) if found else None,
        client_logo=client_logos.url_of(found),
        icons=labels.ICONS.items(),
        data=data,
        error=error,
        groups=[group.name for group, _ in role_groups.list_role_groups(current.work())],
        seen=[group.name for group in groups],
        auth_methods=list(AuthMethod),
        tls_subject_fields=list(TlsSubjectField),
        grant_types=GRANT_TYPES,
        account_kinds=[(str(kind), labels.kind(kind)) for kind in AccountKind],
        algorithms=SIGNING_ALGS,
        encryption_algs=list(ENCRYPTION_ALGS),
        encryption_encs=ENCRYPTION_ENCS,
        acrs=ACRS,
        rules=list(Rule),
        person_id_attributes=PERSON_ID_ATTRIBUTES,
        pushed_kinds=PUSHED_KINDS,
    )
    return Response(body, status=400 if error else 200)


def _names(groups: list[RoleGroup]) -> tuple[str, ...]:
    return tuple(group.name for group in groups)


def saved(outcome: Outcome) -> BaseResponse:
    """The response to a change."""
    if outcome.client and not outcome.secret:
        flash(gettext("The application is saved."))
    return shown(outcome)

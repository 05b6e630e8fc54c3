"""What the pages share that ask for a confirmation: appointments, machines and others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Response, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from registration import permission
from registration.delegation import Refused
from registration.delegation_facts import Tier
from registration.delegation_rules import Reason
from registration.delegation_texts import TIERS
from registration.pages.standing import NotAllowed, NotHere, Standing
from service_base.refusals import NotFound, Refusal

MAX_WHY, MAX_LETTER = 400, 80


class Correctable(Exception):
    """Delegation refuses what another entry of the form can change."""


@contextmanager
def answers(here: Standing) -> Iterator[None]:
    """Refusals of delegation, and of what does not exist, become the answers of pages.
    Raises NotHere, NotAllowed or Correctable."""
    try:
        yield
    except NotFound as missing:
        raise NotHere from missing
    except permission.NotAllowed as refused:
        if refused.reason is Reason.NOT_YOURS:
            raise NotHere from refused
        if refused.reason in (Reason.LETTER_MISSING, Reason.ONESELF):
            raise Correctable(refused.sentence(gettext)) from refused
        raise NotAllowed(Refused(refused.reason, refused.who_can), here.here) from refused


def prove_first(here: Standing | None, target: str) -> BaseResponse:
    """A page that leads to the gateway for a second factor, and back. Without ``here``: of no
    organization."""
    url = url_for("auth.sign_in", next=target, fresh=1)
    return Response(render_template("prove_first.html", organization=here and here.here, url=url))


def sentence_of(refused: Exception) -> str:
    """As a sentence of a page."""
    said: str = refused.sentence(gettext) if isinstance(refused, Refusal) else str(refused)
    whole = said[:1].upper() + said[1:]
    return whole if whole.endswith(".") else f"{whole}."


def words(name: str, most: int) -> str:
    """What was entered in this field, in one line, cut off."""
    return " ".join(request.values.get(name, "").split())[:most]


def office_text(office: Tier) -> str:
    """The name of the office."""
    return str(gettext(TIERS[office]))


def list_url(here: Standing) -> str:
    """The address of the list of representatives."""
    return url_for("pages.representatives", organization_id=here.here.organization_id)

"""During a call, the account holder sees which agent is calling and can report that they are not on
the call."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response as BaseResponse

from idp import current
from idp.credentials.links import Problem, Purpose
from idp.helpdesk import caller_verification
from idp.web.login import mailed_link_page


def register(pages: Blueprint) -> None:
    pages.add_url_rule("/call", "call", call, methods=["GET", "POST"])


def call() -> BaseResponse:
    """The page of the link in the mail with the code for the call."""
    if "token" in request.args:
        return mailed_link_page.store_and_redirect(Purpose.CALL, "recover.call")
    found = mailed_link_page.find(Purpose.CALL)
    if isinstance(found, Problem):
        return mailed_link_page.problem_page(found, Purpose.CALL)
    _, account = found
    if request.method == "POST":
        caller_verification.report_impostor(current.work(), account)
        body = render_template(
            "message.html",
            title=gettext("Call reported"),
            message=gettext(
                "Customer Relations can make no more changes to your account during this call. "
                "They will investigate. If you have questions, call them."
            ),
            link=None,
        )
        return Response(body)
    agents = [
        agent.person.full_name
        for agent in caller_verification.agents_on_call(current.work(), account)
    ]
    body = render_template("call.html", agents=agents, username=account.username)
    return Response(body)

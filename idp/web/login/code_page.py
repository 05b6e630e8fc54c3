"""The page where a code is entered, for any purpose."""

from __future__ import annotations

from flask import Response, render_template, request


def page(message: str, *, again: str, wrong: bool = False) -> Response:
    """``message`` says where the code was sent, ``again`` is the page that sends a new one."""
    body = render_template(
        "code.html", message=message, again=again, action=request.path, wrong=wrong
    )
    return Response(body, status=400 if wrong else 200)

"""A small SOAP 1.1 service as market programs call it today. It checks no password: a proxy asks
the gateway first, and passes on who it is. It must be reachable through that proxy only.

    python -m examples.legacy.service 8005
"""

from __future__ import annotations

import sys
from wsgiref.simple_server import WSGIServer, make_server
from xml.sax.saxutils import escape

from flask import Flask, Response, request

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">
  <soap:Body><WhoAmIResponse xmlns="urn:example:legacy">
    <user>{user}</user><groups>{groups}</groups><participants>{participants}</participants>
    <password>{password}</password>
  </WhoAmIResponse></soap:Body>
</soap:Envelope>
"""


def create_app() -> Flask:
    """The service."""
    app = Flask(__name__)

    @app.post("/soap")
    def who_am_i() -> Response:
        """Answer whatever is asked with who asked."""
        told = {
            name: escape(request.headers.get(f"X-Gateway-{name.capitalize()}", ""))
            for name in ("user", "groups", "participants")
        }
        told["password"] = escape(request.headers.get("Authorization", ""))
        return Response(ENVELOPE.format(**told), content_type="text/xml; charset=utf-8")

    return app


def main() -> None:
    """Serve on the loopback address."""
    server: WSGIServer = make_server("127.0.0.1", int(sys.argv[1]), create_app())
    server.serve_forever()


if __name__ == "__main__":
    main()

"""Start a relying party: ``python -m examples.relying_party --name EMI --port 8001 ...``.

The client id and secret come from RP_CLIENT_ID and RP_CLIENT_SECRET.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from types import FrameType

from werkzeug.serving import make_server

from examples.relying_party.app import Config, create_app


def main() -> None:
    """Read the command line and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="relying_party", description=__doc__)
    parser.add_argument("--name", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--issuer", required=True)
    parser.add_argument("--others", default="", help="NAME=URL, comma-separated")
    options = parser.parse_args()
    config = Config(
        name=options.name,
        url=f"http://localhost:{options.port}",
        issuer=options.issuer,
        client_id=os.environ["RP_CLIENT_ID"],
        client_secret=os.environ["RP_CLIENT_SECRET"],
        others=tuple(
            tuple(pair.split("=", 1)) for pair in options.others.split(",") if "=" in pair
        ),
    )
    server = make_server("127.0.0.1", options.port, create_app(config), threaded=True)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.serve_forever()


def _stop(_number: int, _frame: FrameType | None) -> None:
    sys.exit(0)


if __name__ == "__main__":
    main()

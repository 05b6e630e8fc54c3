"""Exit 0 when the process in this container answers: the gateway, or with ``worker`` the worker.
The gateway listens to its public name only."""

import os
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

port = 8001 if "worker" in sys.argv else 8000
connection = HTTPConnection("127.0.0.1", port, timeout=3)
host = urlsplit(os.environ.get("IDP_ISSUER", "http://localhost:8000")).netloc
connection.request("GET", "/healthz", headers={"Host": host})
sys.exit(connection.getresponse().status != 200)

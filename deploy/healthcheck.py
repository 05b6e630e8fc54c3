"""Exit 0 when the gateway in this container answers; it listens to its public name only."""

import os
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

connection = HTTPConnection("127.0.0.1", 8000, timeout=3)
host = urlsplit(os.environ.get("IDP_ISSUER", "http://localhost:8000")).netloc
connection.request("GET", sys.argv[1] if len(sys.argv) > 1 else "/healthz", headers={"Host": host})
sys.exit(connection.getresponse().status != 200)

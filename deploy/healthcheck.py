"""Exit 0 when a process in this container answers at the port: the gateway, registration or one of
their workers. The pages listen to their public name only."""

import os
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
host = urlsplit(os.environ.get("IDP_ISSUER") or os.environ["REGISTRATION_URL"]).netloc
try:
    connection.request("GET", "/healthz", headers={"Host": host})
    status = connection.getresponse().status
except OSError as error:
    sys.exit(f"no answer: {error}")
if status != 200:
    sys.exit(f"status {status}")

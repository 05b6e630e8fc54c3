"""Exit 0 when a process in this container answers at the port: the gateway or the worker.
The gateway listens to its public name only."""

import os
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

connection = HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=3)
host = urlsplit(os.environ["IDP_ISSUER"]).netloc
try:
    connection.request("GET", "/healthz", headers={"Host": host})
    status = connection.getresponse().status
except OSError as error:
    sys.exit(f"no answer: {error}")
if status != 200:
    sys.exit(f"status {status}")

"""oauth2-proxy behind nginx, both as the recipe has them. The application is nginx too: it shows
the headers that it gets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.parse import quote, urlencode

BASE, ISSUER, PORT = os.environ["BASE_URL"], os.environ["ISSUER"], int(os.environ["PORT"])
HERE = Path.cwd()
LOGOUT = f"{ISSUER}/oauth2/v1/logout?" + urlencode(
    {"client_id": os.environ["CLIENT_ID"], "post_logout_redirect_uri": f"{BASE}/"}
)
PAGE = (
    "<p>$http_x_forwarded_preferred_username</p><p>$http_x_forwarded_groups</p>"
    "<code id=token>$http_x_forwarded_access_token</code>"
    f'<a id=signout href="/oauth2/sign_out?rd={quote(LOGOUT, safe="")}">Sign out</a>'
)
CONFIGURATION = f"""
daemon off;
pid {HERE}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {HERE}/temporary;
    proxy_temp_path {HERE}/temporary;
    fastcgi_temp_path {HERE}/temporary;
    uwsgi_temp_path {HERE}/temporary;
    scgi_temp_path {HERE}/temporary;
    large_client_header_buffers 8 32k;
    server {{
        listen 127.0.0.1:{PORT};
        include {HERE}/recipe/nginx;
    }}
    server {{
        listen 127.0.0.1:{PORT + 2};
        default_type text/html;
        location / {{ return 200 '{PAGE}'; }}
    }}
}}
"""

(HERE / "nginx.conf").write_text(CONFIGURATION, encoding="utf-8")
subprocess.Popen(["nginx", "-e", "stderr", "-c", str(HERE / "nginx.conf")])
os.execv(HERE / "oauth2-proxy", ["oauth2-proxy", "--config", str(HERE / "recipe/toml")])

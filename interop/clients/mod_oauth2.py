"""mod_oauth2: an API in Apache that takes access tokens, and an application that calls it, both as
the recipe has them. The page is that of the API."""

from __future__ import annotations

import os

from interop.apache import serve, signing_out

PAGE = f"""<p><!--#echo var="REMOTE_USER" --></p>
<p><!--#echo var="TOKEN_groups" --></p>
<a id="signout" href="{signing_out(os.environ["BASE_URL"])}">Sign out</a>
"""

serve(
    {"api/index.html": PAGE, "signed-out.html": "signed out"},
    modules="oauth2 headers proxy proxy_http",
)

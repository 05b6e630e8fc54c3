"""mod_auth_openidc: Apache as the recipe has it, and a page that shows what it passes on."""

from __future__ import annotations

import os

from interop.apache import serve, signing_out

PAGE = f"""<p><!--#echo var="REMOTE_USER" --></p>
<p><!--#echo var="OIDC_CLAIM_groups" --></p>
<code id="token"><!--#echo var="OIDC_access_token" --></code>
<a id="signout" href="{signing_out(os.environ["BASE_URL"])}">Sign out</a>
"""

serve({"minutes/index.html": PAGE, "signed-out.html": "signed out"})

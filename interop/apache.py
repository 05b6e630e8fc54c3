"""Apache in the foreground, with the lines of a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

COMMON = "authn_core authz_core authz_user auth_openidc dir filter include mime mpm_event"


def serve(pages: dict[str, str], modules: str = "") -> None:
    """Become Apache at PORT. Pages can show what modules pass on, by server-side includes."""
    here = Path.cwd()
    for path, text in pages.items():
        file = here / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    loaded = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in f"{COMMON} {modules}".split()
    )
    configuration = here / "httpd.conf"
    configuration.write_text(
        f"""{loaded}
ServerName localhost
Listen 127.0.0.1:{os.environ["PORT"]}
PidFile {here}/apache.pid
DefaultRuntimeDir {here}
ErrorLog /dev/stderr
User www-data
Group www-data
TypesConfig /dev/null
AddType text/html .html
AddOutputFilter INCLUDES .html
DocumentRoot {here}/site
DirectoryIndex index.html
<Directory {here}/site>
    Options +Includes
    Require all granted
</Directory>
Include {here}/recipe/apache
""",
        encoding="utf-8",
    )
    os.execvp("apache2", ["apache2", "-f", str(configuration), "-DFOREGROUND"])


def signing_out(base: str) -> str:
    """The address of mod_auth_openidc that ends both sessions."""
    return f"/openid/callback?logout={quote(base, safe='')}%2Fsigned-out.html"

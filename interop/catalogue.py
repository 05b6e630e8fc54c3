"""The clients: what is installed, which program uses it, and what it has."""

from __future__ import annotations

from dataclasses import dataclass

NODE = ".mjs"


@dataclass(frozen=True)
class Client:
    """A library and the program in ``clients/`` that uses it."""

    name: str
    program: str
    #: The packages with their oldest versions, as pip or npm writes them; the first one is shown.
    packages: tuple[str, ...]
    callback: str = "/callback"
    post_logout: str = "/"
    #: False for a library that sends no PKCE.
    pkce: bool = True
    #: False for a library that has no renewal of tokens.
    refreshes: bool = True
    #: False for a library that ends its own session only.
    signs_out: bool = True
    backchannel: str = ""
    #: True for a library that asks the frame of session management.
    monitors: bool = False
    #: True for a library in the browser: a public client, whose pages have the status as title.
    in_browser: bool = False

    @property
    def id(self) -> str:
        return self.program.partition(".")[0].replace("_", "-")

    @property
    def is_node(self) -> bool:
        return self.program.endswith(NODE)


CLIENTS = (
    Client(
        "Authlib with Flask",
        "authlib_flask.py",
        ("authlib>=1.9.10", "flask>=3.1.3", "requests>=2.32"),
    ),
    Client(
        "Authlib with Starlette",
        "authlib_starlette.py",
        (
            "authlib>=1.9.10",
            "starlette>=1.10",
            "httpx>=0.28,<1",
            "itsdangerous>=2.2",
            "uvicorn>=0.54",
        ),
    ),
    Client(
        "mozilla-django-oidc",
        "django_mozilla.py",
        ("mozilla-django-oidc>=5.0.2", "django>=5.2.19,<6"),
        callback="/oidc/callback/",
    ),
    Client(
        "django-allauth",
        "django_allauth.py",
        ("django-allauth[socialaccount]>=65.22.1", "django>=5.2.19,<6", "requests>=2.32"),
        callback="/accounts/oidc/gateway/login/callback/",
        refreshes=False,
        signs_out=False,
    ),
    Client(
        "passport-openidconnect",
        "passport_openidconnect.mjs",
        (
            "passport-openidconnect@^0.1.2",
            "passport@^0.7.0",
            "express@^5.3.0",
            "express-session@^1.19.0",
        ),
        pkce=False,
        refreshes=False,
        signs_out=False,
    ),
    Client(
        "express-openid-connect",
        "express_openid_connect.mjs",
        ("express-openid-connect@^3.4.0", "express@^5.3.0", "express-session@^1.19.0"),
        post_logout="",
        backchannel="/backchannel-logout",
    ),
    Client(
        "@auth/express",
        "auth_express.mjs",
        ("@auth/express@^0.12.3", "express@^5.3.0"),
        callback="/auth/callback/gateway",
        refreshes=False,
        signs_out=False,
    ),
    Client(
        "oauth4webapi",
        "oauth4webapi.mjs",
        ("oauth4webapi@^3.8.8", "express@^5.3.0", "express-session@^1.19.0"),
    ),
    Client(
        "oidc-client-ts",
        "oidc_client_ts.mjs",
        ("oidc-client-ts@^3.5.0", "esbuild@^0.28.2", "express@^5.3.0"),
        monitors=True,
        in_browser=True,
    ),
)

"""The clients: what is installed, which program uses it, and what it has."""

from __future__ import annotations

from dataclasses import dataclass

NODE = ".mjs"


@dataclass(frozen=True)
class Pages:
    """The addresses of a client. Those of the programs here are all the same."""

    signin: str = "/signin"
    #: Opens with the role group.
    reader: str = "/reader"
    #: Needs a role group that the person lacks; without it, another person tries the reader.
    editor: str = "/editor"
    #: Says that tokens were renewed; without it, the reader shows a new one.
    refresh: str = "/refresh"
    #: Without it, the reader has a link.
    signout: str = "/signout"
    #: Where who is not signed in is led to, unless that is the gateway.
    login: str = ""
    #: An API, whose answer is the reader: it answers 401 without a token.
    api: str = ""
    #: What the reader shows of the person: ``username``, ``email``, or nothing.
    shows: str = "username"


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
    #: The chapter of docs/recipes that is run: its commands, and its files in the folder "recipe".
    recipe: str = ""
    #: What of the recipe a trial cannot wait for, and by what it is replaced.
    hurried: tuple[tuple[str, str], ...] = ()
    pages: Pages = Pages()
    #: Packages of npm beside those of pip, packages of Debian, and a program in Go.
    node_packages: tuple[str, ...] = ()
    debian: tuple[str, ...] = ()
    go: str = ""
    #: Programs of the machine.
    needs: tuple[str, ...] = ()
    start_seconds: int = 30
    #: True for a library in the browser: a public client, whose pages have the status as title.
    in_browser: bool = False

    @property
    def id(self) -> str:
        return self.program.partition(".")[0].replace("_", "-")

    @property
    def is_node(self) -> bool:
        return self.program.endswith(NODE)

    @property
    def pip_packages(self) -> tuple[str, ...]:
        return () if self.is_node or "mvn" in self.needs else self.packages

    @property
    def npm_packages(self) -> tuple[str, ...]:
        return self.packages if self.is_node else self.node_packages


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
    Client(
        "mod_auth_openidc",
        "mod_auth_openidc.py",
        recipe="Apache with mod_auth_openidc",
        packages=(),
        debian=("libapache2-mod-auth-openidc", "apache2-bin"),
        hurried=(("TokenBeforeExpiry 60", "TokenBeforeExpiry 600"),),
        pages=Pages("/minutes/", "/minutes/", editor="", refresh="", signout=""),
        backchannel="/openid/callback?logout=backchannel",
    ),
    Client(
        "mod_oauth2",
        "mod_oauth2.py",
        recipe="An API behind Apache with mod_oauth2",
        packages=(),
        debian=("libapache2-mod-oauth2", "libapache2-mod-auth-openidc", "apache2-bin"),
        refreshes=False,
        pages=Pages("/tariffs/", "/tariffs/", editor="", signout="", api="/api/", shows=""),
    ),
    Client(
        "oauth2-proxy behind nginx",
        "oauth2_proxy.py",
        recipe="oauth2-proxy",
        packages=(),
        go="github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6",
        needs=("nginx",),
        hurried=(('cookie_refresh = "9m"', 'cookie_refresh = "1s"'),),
        pages=Pages("/", "/", editor="", refresh="", signout=""),
    ),
    Client(
        "Flask-OIDC",
        "flask_oidc.py",
        ("flask-oidc>=2.4", "flask>=3.1.3", "flask-session>=0.8", "cachelib>=0.13"),
        recipe="Flask with Flask-OIDC",
        pages=Pages("/rosters", "/rosters", editor="", signout="/"),
    ),
    Client(
        "Flask-AppBuilder",
        "flask_appbuilder.py",
        ("flask-appbuilder>=5.3", "authlib>=1.9.10", "requests>=2.32"),
        recipe="Flask-AppBuilder",
        refreshes=False,
        pages=Pages(
            "/login/ieso",
            "/dashboard/",
            editor="",
            signout="/logout/",
            login="/login/",
            shows="email",
        ),
    ),
    Client(
        "oauthenticator with JupyterHub",
        "jupyterhub.py",
        ("oauthenticator>=17.4", "jupyterhub>=6.1.1"),
        node_packages=("configurable-http-proxy@^5.3.0",),
        recipe="JupyterHub",
        hurried=(("auth_refresh_age = 300", "auth_refresh_age = 1"),),
        pages=Pages(
            "/hub/person", "/hub/person", editor="", refresh="/hub/refresh", signout="/hub/logout"
        ),
        start_seconds=60,
    ),
    Client(
        "Spring Security with Spring Boot",
        "spring_security.py",
        ("org.springframework.boot:spring-boot-starter-oauth2-client:3.5.0",),
        recipe="Spring Security",
        needs=("java", "mvn"),
        pages=Pages("/bids", "/bids", editor="", signout="/logout"),
        backchannel="/logout/connect/back-channel/ieso",
        start_seconds=600,
    ),
    Client(
        "openid-client",
        "openid_client.mjs",
        ("openid-client@^6.9.0", "express@^5.3.0", "express-session@^1.19.0"),
        recipe="Express with openid-client",
        refreshes=False,
        pages=Pages("/signin", "/auctions", editor="", signout="/"),
    ),
)

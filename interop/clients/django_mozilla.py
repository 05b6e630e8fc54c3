"""mozilla-django-oidc: role groups as Django groups, silent renewal of its session, sign-out."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse

ISSUER, PORT = os.environ["ISSUER"], os.environ["PORT"]
DATABASE = Path("django.sqlite3")
ME = Path(__file__).stem

if not settings.configured:
    settings.configure(
        SECRET_KEY=os.urandom(32).hex(),
        ALLOWED_HOSTS=["localhost"],
        ROOT_URLCONF=ME,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "mozilla_django_oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "mozilla_django_oidc.middleware.SessionRefresh",
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        AUTHENTICATION_BACKENDS=[f"{ME}.GatewayBackend"],
        OIDC_RP_CLIENT_ID=os.environ["CLIENT_ID"],
        OIDC_RP_CLIENT_SECRET=os.environ["CLIENT_SECRET"],
        OIDC_RP_SCOPES="openid profile email groups",
        OIDC_RP_SIGN_ALGO="RS256",
        OIDC_USE_PKCE=True,
        OIDC_OP_AUTHORIZATION_ENDPOINT=f"{ISSUER}/oauth2/v1/authorize",
        OIDC_OP_TOKEN_ENDPOINT=f"{ISSUER}/oauth2/v1/token",
        OIDC_OP_USER_ENDPOINT=f"{ISSUER}/oauth2/v1/userinfo",
        OIDC_OP_JWKS_ENDPOINT=f"{ISSUER}/oauth2/v1/keys",
        OIDC_OP_LOGOUT_URL_METHOD=f"{ME}.sign_out",
        ALLOW_LOGOUT_GET_METHOD=True,
        OIDC_STORE_ID_TOKEN=True,
        LOGIN_REDIRECT_URL="/",
        LOGOUT_REDIRECT_URL="/",
    )
    # The program is the module of its settings and addresses too.
    sys.modules[ME] = sys.modules[__name__]
    django.setup()

from django.contrib.auth.models import Group  # noqa: E402 - needs the settings
from django.shortcuts import redirect  # noqa: E402
from django.urls import include, path  # noqa: E402
from mozilla_django_oidc.auth import OIDCAuthenticationBackend  # noqa: E402


class GatewayBackend(OIDCAuthenticationBackend):
    """A person is known by ``sub``; role groups become Django groups of the same name."""

    def verify_claims(self, claims: dict[str, Any]) -> bool:
        return "sub" in claims

    def filter_users_by_claims(self, claims: dict[str, Any]) -> Any:
        return self.UserModel.objects.filter(username=claims["sub"])

    def create_user(self, claims: dict[str, Any]) -> Any:
        return self.update_user(self.UserModel.objects.create_user(claims["sub"]), claims)

    def update_user(self, user: Any, claims: dict[str, Any]) -> Any:
        user.first_name = claims["preferred_username"]
        user.save()
        user.groups.set(Group.objects.filter(name__in=claims["groups"]))
        return user


def sign_out(request: HttpRequest) -> str:
    """Where the browser goes after the session of Django has ended."""
    query = {
        "id_token_hint": request.session["oidc_id_token"],
        "post_logout_redirect_uri": request.build_absolute_uri("/"),
    }
    return f"{ISSUER}/oauth2/v1/logout?{urlencode(query)}"


def page_of(role_group: str) -> Any:
    def page(request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return HttpResponse(status=401)
        if not request.user.groups.filter(name=role_group).exists():
            return HttpResponse(status=403)
        return HttpResponse(f"{role_group}: {request.user.first_name}")

    return page


def refresh(request: HttpRequest) -> HttpResponse:
    """Once with an expired session, which the middleware renews with prompt=none."""
    if not request.session.pop("renewing", False):
        request.session.update({"renewing": True, "oidc_id_token_expiration": 0})
        return redirect("/refresh")
    renewed = request.session["oidc_id_token_expiration"] > 0
    return HttpResponse("refreshed" if renewed else "not renewed")


urlpatterns = [
    path("", lambda request: HttpResponse("home")),
    path("signin", lambda request: redirect("oidc_authentication_init")),
    path("signout", lambda request: redirect("oidc_logout")),
    path("refresh", refresh),
    path("reader", page_of("Interop Reader")),
    path("editor", page_of("Interop Editor")),
    path("oidc/", include("mozilla_django_oidc.urls")),
]

if __name__ == "__main__":
    DATABASE.unlink(missing_ok=True)
    execute_from_command_line(["", "migrate", "--verbosity=0"])
    Group.objects.create(name="Interop Reader")
    Group.objects.create(name="Interop Editor")
    execute_from_command_line(["", "runserver", "--noreload", "--skip-checks", f"localhost:{PORT}"])

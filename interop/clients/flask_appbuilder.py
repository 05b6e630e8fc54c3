"""Flask-AppBuilder: the settings of the recipe, and a page that needs a permission."""

from __future__ import annotations

import os
import secrets
import shutil
import sys

# This file has the name of the library. The settings are a module.
sys.path[0] = os.getcwd()
shutil.copy("recipe/python", "config.py")

from flask import Flask, g  # noqa: E402
from flask_appbuilder import AppBuilder, BaseView, expose, has_access  # noqa: E402
from flask_sqlalchemy import SQLAlchemy  # noqa: E402


class Dashboard(BaseView):
    route_base = "/dashboard"
    default_view = "show"

    @expose("/")
    @has_access
    def show(self) -> str:
        return f"{g.user.email}: {[role.name for role in g.user.roles]}"


app = Flask(__name__)
app.config.from_object("config")
app.config.update(SECRET_KEY=secrets.token_hex(), SQLALCHEMY_DATABASE_URI="sqlite:///:memory:")
with app.app_context():
    AppBuilder(app, SQLAlchemy(app).session).add_view_no_menu(Dashboard)
app.run("localhost", int(os.environ["PORT"]))

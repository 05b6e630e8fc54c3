"""The floor: what Flask, granian, one ES256 signature and one commit cost without a gateway."""

from __future__ import annotations

import os
import secrets
import time

from flask import Flask, jsonify
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import create_engine, insert

from benchmarks.floor_table import FLOOR_TABLE
from idp.db import engine_options, prepare_engine

engine = create_engine(os.environ["FLOOR_DATABASE"], **engine_options(os.environ["FLOOR_DATABASE"]))
prepare_engine(engine)
key = ECKey.generate_key("P-256", private=True)
app = Flask(__name__)


@app.post("/token")
def token() -> object:
    """Sign and commit."""
    jti = secrets.token_urlsafe(16)
    now = int(time.time())
    claims = {"iss": "https://floor.test", "sub": "floor", "iat": now, "exp": now + 600, "jti": jti}
    signed = jwt.encode({"alg": "ES256"}, claims, key, algorithms=["ES256"])
    with engine.begin() as connection:
        connection.execute(insert(FLOOR_TABLE).values(jti=jti))
    return jsonify(access_token=signed)


@app.get("/read")
def read() -> object:
    """Return a small JSON document."""
    return jsonify(status="ok")

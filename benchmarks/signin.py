"""Whether the time of a refused sign-in or recovery request tells who exists (N47, N48).

Signs in wrongly again and again as somebody who does not exist, with a wrong password, and with
accounts in every state, in turns; prints the median of each and the probability that it comes
from the same distribution as the one of nobody (Mann-Whitney, two-sided). A difference of the
medians below 10 %, or a probability above 0.01, is what the catalogue of tests asks for.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from math import erfc, sqrt
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

from cryptography.fernet import Fernet

from benchmarks.console import PORT, ROOT, Visitor, wait
from idp import foundation
from idp.app import create_app, db
from idp.cli.database_commands import upgrade_database
from idp.credentials import passwords
from idp.credentials.hashing import PasswordHasher
from idp.directory import accounts, lifecycle
from idp.models import AccountKind, AccountState
from idp.policy.lockout import Budget
from idp.session import failed_attempts
from idp.settings import Settings
from idp.transaction import UnitOfWork, committing

PASSWORD = "Quartz-Heron7-lantern"


def main() -> None:
    """Prepare, serve, measure in turns, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environ = environment(folder)
        names = prepare(environ)
        process = subprocess.Popen(
            [sys.executable, "-m", "idp.cli", "serve", "--port", str(PORT), "--workers", "1"],
            env=os.environ | environ, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        try:
            wait()
            print(f"{'sign-in as':28} {'median':>9} {'p':>7}")
            show(measure("/signin", names, options.samples))
            print(f"\n{'recovery for':28} {'median':>9} {'p':>7}")
            show(measure("/recover", names, options.samples))
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def measure(path: str, names: dict[str, str], samples: int) -> dict[str, list[float]]:
    """Milliseconds for each case, taken in turns so that other load affects all cases alike."""
    visitor = Visitor(HTTPConnection("localhost", PORT, timeout=60), {})
    page = visitor.ask("GET", path)[2]
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page)[0]
    found: dict[str, list[float]] = {case: [] for case in names}
    for _ in range(samples):
        for case, name in names.items():
            form = {"csrf_token": token, "username": name, "password": PASSWORD}
            if case == "wrong password":
                form["password"] = "Wrong-Heron7-lantern"
            start = time.perf_counter()
            status, _, _ = visitor.ask("POST", path, urlencode(form))
            found[case].append((time.perf_counter() - start) * 1000)
            if status not in (200, 400):
                raise SystemExit(f"{case} answered {status}")
    return found


def show(found: dict[str, list[float]]) -> None:
    """Print a line for each case, next to the unknown name."""
    nobody = found["nobody"]
    for case, times in found.items():
        away = median(times) / median(nobody) - 1
        p = "" if case == "nobody" else f"{mann_whitney(times, nobody):7.3f}"
        print(f"{case:28} {median(times):6.1f} ms {p:>7}  {away:+6.1%}")


def mann_whitney(first: list[float], second: list[float]) -> float:
    """Two-sided p by the normal approximation (Mann and Whitney 1947); times have no ties."""
    m, n = len(first), len(second)
    ranks = sorted([(x, 0) for x in first] + [(x, 1) for x in second])
    rank_sum = sum(rank for rank, (_, group) in enumerate(ranks, 1) if group == 0)
    u = rank_sum - m * (m + 1) / 2
    return erfc(abs(u - m * n / 2) / sqrt(m * n * (m + n + 1) / 12) / sqrt(2))


def environment(folder: str) -> dict[str, str]:
    """Settings with limits high enough for the run."""
    return {
        "IDP_ISSUER": f"http://localhost:{PORT}",
        "IDP_DATABASE_URL": f"sqlite:///{Path(folder) / 'bench.db'}",
        "IDP_SECRET_KEY": "b" * 48,
        "IDP_KEY_ENCRYPTION_KEYS": Fernet.generate_key().decode(),
        "IDP_PASSWORD_PEPPERS": "k1:" + "p" * 48,
        "IDP_LOG_LEVEL": "ERROR",
        "IDP_BCRYPT_COST": "8",
        "IDP_LOCKOUT_FAILURES": "1000",
        "IDP_SIGNIN_LIMIT": "1000000 per minute",
        "IDP_SIGNIN_FAILURE_LIMIT": "1000000 per minute",
        "IDP_RECOVERY_LIMIT": "1000000 per minute",
    }


def prepare(environ: dict[str, str]) -> dict[str, str]:
    """Create an account in each state; returns the name to use for each case."""
    settings = Settings.from_environ(environ)
    app = create_app(settings)
    names = {"nobody": "nobody-00", "wrong password": "holder-00"}
    base = foundation.connect(settings)
    upgrade_database(base)
    base.close()
    with app.app_context():
        with committing(app.extensions["runtime"].work()) as work:
            hasher = app.extensions["hasher"]
            for number, state in enumerate((AccountState.ACTIVE, *AccountState)):
                name = f"holder-{number:02}"
                add(work, hasher, name, state)
                if number:
                    names[str(state)] = name
            names["too many failures"] = names.pop(str(AccountState.ACTIVE))
            locked = accounts.by_username(work, names["too many failures"])
            for scope in ("account", "network"):
                key = f"{scope}:{locked.id}" + (":127.0.0.1" if scope == "network" else "")
                one = Budget(
                    1, failed_attempts.SENDING.window * 24, failed_attempts.SENDING.lock * 24
                )
                failed_attempts.consume(work, key, locked, one)
        db.engine.dispose()
    return names


def add(work: UnitOfWork, hasher: PasswordHasher, name: str, state: AccountState) -> None:
    """Create one account with the password, in a state."""
    person = accounts.NewPerson(
        person_id=name, given_name="Ada", family_name="Moreau", email=f"{name}@bench.example"
    )
    account = accounts.create_account(
        work, accounts.get_or_create_person(work, person), kind=AccountKind.PERSONAL, username=name
    )
    if state is not AccountState.PENDING:
        passwords.store(work, account, hasher.hash(PASSWORD), source="bench")
        lifecycle.change_state(work, account, AccountState.ACTIVE, reason="bench")
        lifecycle.change_state(work, account, state, reason="bench")


if __name__ == "__main__":
    main()

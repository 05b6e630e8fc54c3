"""Replay a log file: what is scored is kept at intervals, and an interrupted replay goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from idp.mfa.risk_values import MODEL
from idp.risk_lab import evaluation, sign_in_log
from idp.risk_lab.compared_models import Engine, Model
from idp.risk_lab.lab_refusals import LogChanged
from idp.risk_lab.score_store import Progress, ScoreStore
from idp.risk_lab.sign_in_log import Reading

#: Scored rows between two times at which they are kept.
KEEP = 5_000
#: Rows between two calls of ``show``.
STEP = 500


def replay(
    file: Path,
    models: Sequence[Model],
    store: ScoreStore,
    *,
    sample: float = 1.0,
    show: Callable[[Reading], None],
) -> Reading:
    """Score the rows of ``file`` that are not in the store yet, and return what was read. The rows
    before are learned again, which is ten times as fast. Raises the refusals of
    ``lab_refusals``."""
    engines = ", ".join(model.name for model in models)
    before = store.begin(
        {
            "size": file.stat().st_size,
            "sample": sample,
            "release of the engine": MODEL,
            "list of engines": engines,
        }
    )
    if before.whole is not None:
        _check_whole(file, before.digest, store)
        for model, copies in zip(models, before.whole["copies"], strict=True):
            if isinstance(model, Engine):
                model.copies, model.hours_to_find = copies
        return Reading(**before.whole["reading"])
    reading = Reading()
    with file.open("rb") as source:
        rows = sign_in_log.read(source, reading, sample)
        for done in evaluation.run(rows, models, store, before.rows):
            if done == before.rows and reading.digest != before.digest:
                raise LogChanged(str(store.path))
            if done > before.rows and done % KEEP == 0:
                store.save(Progress(done, reading.digest))
            if done % STEP == 0:
                show(reading)
    if (refusal := reading.refusal) is not None:
        raise refusal
    copies = [
        (one.copies, one.hours_to_find) if isinstance(one, Engine) else None for one in models
    ]
    whole = {"reading": asdict(reading), "copies": copies}
    store.save(Progress(reading.kept, reading.digest, whole))
    show(reading)
    return reading


def _check_whole(file: Path, digest: str, store: ScoreStore) -> None:
    """Everything is scored: only make sure that it is the same log."""
    with file.open("rb") as source:
        if hashlib.file_digest(source, "sha256").hexdigest() != digest:
            raise LogChanged(str(store.path))

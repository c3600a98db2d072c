"""A quick job that the page waits for while it shows how far it is; one nobody waits for is stopped.

What the last few answered can be remembered, for a page that asks the same each time it is drawn.
"""

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from app.display.plain import plain, seconds
from app.visitor import cancel, forget, submit
from fedprompt.errors import JobError
from fedprompt.workspace.jobs.jobs import ENDED, wait
from fedprompt.workspace.liveness import is_alive
from fedprompt.workspace.workspace import Workspace

__all__ = ["run_once", "run_quick"]

PATIENCE_SECONDS = 900.0
GRACE_SECONDS = 2.0
POLL_SECONDS = 0.04
REMEMBERED = 8


def run_quick(ws: Workspace, kind: str, arguments: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """Run a job in the quick lane and return its result; draws a bar meanwhile.

    Raises:
        JobError: it failed, took longer than a quarter of an hour, or no job process is there.
    """
    place = st.empty()
    start = time.monotonic()
    job = submit(ws, kind, arguments)
    try:
        while (row := ws.bank.job(job)).state not in ENDED:
            waited = time.monotonic() - start
            if waited > PATIENCE_SECONDS:
                raise JobError(
                    "this took longer than 15 minutes and was stopped; run fewer rows at a time",
                    code="still-running",
                )
            if waited > GRACE_SECONDS and not is_alive(ws.home, "quick"):
                raise JobError("no model process is running; start the app with 'fedprompt ui'", code="no-process")
            if waited > 0.3:
                _draw(place, row.progress or {}, label)
            time.sleep(POLL_SECONDS)
    finally:
        place.empty()
        if ws.bank.job(job).state not in ENDED:
            _abandon(ws, job)
    return wait(ws, job, POLL_SECONDS).result or {}


def run_once(
    seen: str, key: object, ws: Workspace, kind: str, arguments: Mapping[str, Any], label: str
) -> Mapping[str, Any]:
    """Return what a quick job answers; the last few answers of a session stand under ``seen``, each by its ``key``.

    Raises:
        JobError: as :func:`run_quick`.
    """
    answers: dict[object, Mapping[str, Any]] = st.session_state.setdefault(seen, {})
    if key not in answers:
        found = run_quick(ws, kind, arguments, label)
        while len(answers) >= REMEMBERED:
            answers.pop(next(iter(answers)))
        answers[key] = found
    return answers[key]


def _abandon(ws: Workspace, job: str) -> None:
    """Stop a job that the visitor left, and wipe what it was given."""
    cancel(ws, job)
    until = time.monotonic() + GRACE_SECONDS
    while ws.bank.job(job).state not in ENDED and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    forget(ws, job)


def _draw(place: Any, told: Mapping[str, Any], label: str) -> None:
    total = float(told.get("total") or 0.0)
    share = min(1.0, float(told.get("done") or 0.0) / total) if total > 0 else 0.0
    text = plain(label)
    if told.get("message"):
        text += f" · {plain(str(told['message']))}"
    if isinstance(told.get("seconds_left"), int | float) and share < 1:
        text += f" · {seconds(float(told['seconds_left']))}"
    place.progress(share, text=text)

"""Who sits before the browser: the user of this machine, or whoever signed in, and what their role lets them do.

Invariant: a page asks here to draw a control (``barred``), and the action asks once more when it is used
(:mod:`fedprompt.workspace.acting`): between the two a role may have been taken away, and a sign-in may have run out.
"""

import time
from functools import lru_cache
from pathlib import Path

import streamlit as st

from app.display.named import named
from app.display.plain import plain
from app.door import stands
from fedprompt.errors import FedPromptError
from fedprompt.workspace.acting import visitors
from fedprompt.workspace.home import Home, find_home
from fedprompt.workspace.jobs.jobs import cancel, forget, submit
from fedprompt.workspace.jobs.rights import deed_of
from fedprompt.workspace.machine.sign_in import FILE, SignIn, is_loopback, sign_in_of
from fedprompt.workspace.people import FILE as PEOPLE
from fedprompt.workspace.people import Deed, Person, Rules, is_fresh, machine_person, person_of, read_rules

__all__ = [
    "barred",
    "cancel",
    "check_server",
    "forget",
    "person",
    "require",
    "sign_in",
    "submit",
    "visitor",
    "why_not",
    "why_not_job",
]


def sign_in() -> SignIn | None:
    """Return how people sign in here; None where nobody has to.

    Raises:
        FedPromptError: there are secrets that cannot be read, or whose ``[auth]`` lacks something.
    """
    if st.secrets.load_if_toml_exists():
        return sign_in_of(st.secrets.to_dict())
    for path in st.get_option("secrets.files"):
        if Path(path).exists():
            raise FedPromptError(
                f"{path} cannot be read, so nobody can sign in; see the server's log", code="cannot-read"
            )
    return None


def check_server() -> None:
    """Let the server pass, or refuse it where strangers reach it and nobody signs in.

    Raises:
        FedPromptError: it listens beyond this machine without sign-in, or it was started past the home's secrets, or
            without what looks at every request first.
    """
    # A page that is tried without a browser has no headers, and no server that could have a doorway.
    if not stands() and st.context.headers.to_dict():
        raise FedPromptError(
            "this server does not check its visitors, so it shows no page; start it with 'fedprompt ui', which does",
            code="nobody-signs-in",
        )
    ours = find_home().path / FILE
    if ours.exists() and str(ours) not in st.get_option("secrets.files"):
        raise FedPromptError(
            f"this server was started without {ours}; start it with 'fedprompt ui', which reads that file",
            code="nobody-signs-in",
        )
    if not is_loopback(st.get_option("server.address")) and sign_in() is None:
        raise FedPromptError(
            "this server is open to other machines without sign-in; start it with 'fedprompt ui', which "
            f"listens on 127.0.0.1, or add an [auth] section to {ours}",
            code="nobody-signs-in",
        )


def visitor() -> Person | None:
    """Return who this is; None for whoever has to sign in first, or again.

    Raises:
        FedPromptError: the settings of signing in, or of people's roles, cannot be used.
    """
    if sign_in() is None:
        return machine_person()
    claims, rules = st.user.to_dict(), _rules_of(find_home())
    if claims.get("is_logged_in") is not True or not is_fresh(claims, rules, time.time()):
        return None
    return person_of(claims, rules)


def person() -> Person:
    """Return who this is.

    Raises:
        FedPromptError: nobody has signed in, or the settings cannot be used.
    """
    found = visitor()
    if found is None:
        raise FedPromptError(
            "you are not signed in, or your session has expired; reload this page and sign in", code="not-signed-in"
        )
    return found


def why_not(deed: Deed) -> str | None:
    """Return in a sentence why this visitor may not do something, None where they may."""
    return person().why_not(deed)


def barred(deed: Deed) -> bool:
    """Return whether to disable a control; where it is so, the reason is drawn first."""
    why = why_not(deed)
    if why is not None:
        named(f"barred_{deed}").caption(f":material/lock: {plain(why)}")
    return why is not None


def require(deed: Deed) -> None:
    """Let an action pass or refuse it.

    Raises:
        FedPromptError: this visitor may not do it.
    """
    person().require(deed)


def why_not_job(kind: str) -> str | None:
    """Return in a sentence why this visitor may not start or stop jobs of a kind, None where they may."""
    deed = deed_of(kind)
    return None if deed is None else why_not(deed)


def _rules_of(home: Home) -> Rules:
    try:
        state = (home.path / PEOPLE).stat()
    except OSError:
        return read_rules(home)
    return _rules(home, (state.st_mtime_ns, state.st_size, state.st_ino, state.st_mode))


@lru_cache(maxsize=2)
def _rules(home: Home, stamp: tuple[int, ...]) -> Rules:
    return read_rules(home)


# From now on each action of this process asks for the right of whoever sits before the browser.
visitors(person)

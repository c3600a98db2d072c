"""A page's draft: what was typed is kept at once and comes back after a reload, another page or a restart.

A page names its boxes and draws them within :func:`drafted`. Invariant: a
box that is not drawn just now keeps what it held, and no version that another window wrote is overwritten unseen.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import streamlit as st

from app.display.named import named
from app.display.plain import plain, sentence
from app.session import guarded, workspace
from app.visitor import person, why_not
from fedprompt.errors import FedPromptError
from fedprompt.workspace.drafts import DraftFolder

__all__ = [
    "Boxes",
    "draft_values",
    "drafted",
    "flag",
    "listed",
    "mapped",
    "note_change",
    "number",
    "one_of",
    "put_values",
    "set_aside",
    "settle",
    "text",
    "when",
    "whole",
]

Check = Callable[[Any], bool]


@dataclass(frozen=True)
class Boxes:
    """The boxes of a page.

    ``checks``: pattern of a box's key -> whether a value can stand in it. ``first``: the keys that say which boxes
    there are; ``alive``: whether a box is still one of the page. ``restored`` is called once other values were put in.
    """

    page: str
    checks: Mapping[str, Check]
    first: tuple[str, ...] = ()
    alive: Callable[[str], bool] = lambda key: True
    restored: Callable[[], None] = lambda: None

    def fits(self, key: str, value: object) -> bool:
        """Return whether this is a box of the page, and the value one that it can hold."""
        return any(re.fullmatch(pattern, key) and check(value) for pattern, check in self.checks.items())


@dataclass
class _Open:
    """A draft as this window knows it."""

    version: str | None
    values: dict[str, Any]
    saved: float
    new: bool = True  # nothing was drawn yet, so that what boxes hold at first is no change
    elsewhere: bool = False
    problem: str = ""


def text(longest: int) -> Check:
    """Return a check for text."""
    return lambda value: isinstance(value, str) and len(value) <= longest


def flag(value: object) -> bool:
    """Return whether this is true or false."""
    return isinstance(value, bool)


def whole(low: int, high: int) -> Check:
    """Return a check for a whole number."""
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def number(low: float, high: float) -> Check:
    """Return a check for a number that is no whole one for the box that holds it."""
    return lambda value: isinstance(value, float) and low <= value <= high


def one_of(*choices: object) -> Check:
    """Return a check for one of these."""
    return lambda value: any(value == one and type(value) is type(one) for one in choices)


def listed(check: Check, most: int = 100) -> Check:
    """Return a check for a list."""
    return lambda value: isinstance(value, list) and len(value) <= most and all(map(check, value))


def mapped(check: Check, most: int = 100) -> Check:
    """Return a check for values by name."""
    return lambda value: (
        isinstance(value, dict)
        and len(value) <= most
        and all(isinstance(k, str) and check(v) for k, v in value.items())
    )


@contextmanager
def drafted(boxes: Boxes) -> Iterator[None]:
    """Draw a page whose boxes have a draft."""
    _open_draft(boxes)
    try:
        yield
    except FedPromptError:
        _close_draft(boxes)
        raise
    _close_draft(boxes)


def _open_draft(boxes: Boxes) -> None:
    """Put the draft into the boxes, keep what was typed since, and say when that was; call it before they are drawn."""
    state, key = st.session_state, _key(boxes)
    state[f"{key}_boxes"] = boxes
    known: _Open | None = state.get(key)
    if known is None:
        found = _folder().read(boxes.page)
        values = {} if found is None else {k: v for k, v in found.values.items() if boxes.fits(k, v)}
        known = state[key] = _Open(None if found is None else found.version, values, found.saved if found else 0.0)
    for name in sorted(known.values, key=lambda one: one not in boxes.first):
        if name not in state and boxes.alive(name):
            state[name] = known.values[name]
    if not known.new:
        _keep(boxes, known)
    place = st.empty()
    state[f"{key}_place"] = place
    _draw(boxes, known, place)
    if state.get(f"{key}_aside"):
        st.button(
            "Undo: restore the previous text",
            key=f"{key}_back",
            icon=":material/undo:",
            type="tertiary",
            on_click=_bring_back,
            args=(boxes,),
        )


def _close_draft(boxes: Boxes) -> None:
    """Keep what the page made of what was typed; call it once all is drawn."""
    state, key = st.session_state, _key(boxes)
    known: _Open = state[key]
    if known.new:
        known.new, known.values = False, draft_values(boxes)
    elif not known.elsewhere and _keep(boxes, known):
        _draw(boxes, known, state[f"{key}_place"])


def draft_values(boxes: Boxes) -> dict[str, Any]:
    """Return what the boxes hold, those included that are not drawn just now."""
    state = st.session_state
    known: _Open | None = state.get(_key(boxes))
    names = [*state, *(() if known is None else known.values)]
    found = {}
    for name in sorted({str(one) for one in names}):
        value = state[name] if name in state else None if known is None else known.values.get(name)
        if boxes.fits(name, value) and boxes.alive(name):
            found[name] = value
    return found


def put_values(boxes: Boxes, values: Mapping[str, Any]) -> None:
    """Put values into the boxes in place of what they hold; what does not fit is left out."""
    state = st.session_state
    for name in [str(one) for one in state]:
        if boxes.fits(name, state[name]):
            del state[name]
    fitting = {name: value for name, value in values.items() if boxes.fits(name, value)}
    for name, value in fitting.items():
        state[name] = value
    known: _Open | None = state.get(_key(boxes))
    if known is not None:
        state[_key(boxes)] = _Open(known.version, {}, known.saved, False, known.elsewhere)
    boxes.restored()


def set_aside(page: str) -> None:
    """Keep what a page's boxes hold before other things are put into them, so that there is a way back."""
    boxes: Boxes | None = st.session_state.get(f"{page}_draft_boxes")
    if boxes is None or why_not("try") is not None:
        return
    folder, beside = _folder(), f"{page}_before"
    folder.keep(beside, draft_values(boxes), folder.version(beside))
    st.session_state[f"{page}_draft_aside"] = True


@guarded
def _bring_back(boxes: Boxes) -> None:
    found = _folder().read(f"{boxes.page}_before")
    st.session_state.pop(f"{boxes.page}_draft_aside", None)
    if found is not None:
        put_values(boxes, found.values)


def note_change(page: str) -> None:
    """Have what is put into the boxes now be kept, even if the page is drawn for the first time."""
    known: _Open | None = st.session_state.get(f"{page}_draft")
    if known is not None:
        known.new = False


def settle(key: str, choices: Sequence[object], first: object = None) -> None:
    """Have a box that chooses hold one of its choices; ``first`` where it holds none, its own first without that."""
    state = st.session_state
    if key in state and state[key] not in choices:
        del state[key]
    if first is not None:
        state.setdefault(key, first)


def when(at: float) -> str:
    """Return a time as people say it: the hour where it was today, else the day too."""
    moment = datetime.fromtimestamp(at, UTC).astimezone()
    same = moment.date() == datetime.now(UTC).astimezone().date()
    return moment.strftime("%H:%M:%S" if same else "%d %b %H:%M")


def _key(boxes: Boxes) -> str:
    return f"{boxes.page}_draft"


def _folder() -> DraftFolder:
    return DraftFolder(workspace().home, person().mark)


def _keep(boxes: Boxes, known: _Open) -> bool:
    """Write the draft if it changed; return whether there is something new to say."""
    folder, values = _folder(), draft_values(boxes)
    if values == known.values:
        before, known.elsewhere = known.elsewhere, folder.version(boxes.page) != known.version
        return before != known.elsewhere
    if why_not("try") is not None:
        return False
    try:
        found = folder.keep(boxes.page, values, known.version)
    except FedPromptError as error:
        known.elsewhere = error.code == "changed-elsewhere"
        known.problem = "" if known.elsewhere else str(error)
        return True
    known.version, known.values, known.saved = found.version, values, found.saved
    known.elsewhere, known.problem = False, ""
    return True


def _draw(boxes: Boxes, known: _Open, place: Any) -> None:
    with place.container(gap="small"):
        if known.elsewhere:
            _draw_elsewhere(boxes)
        elif known.problem:
            named(f"{boxes.page}_draft_problem").warning(plain(sentence(known.problem)), icon=":material/save:")
        elif known.saved:
            named(f"{boxes.page}_draft_saved").caption(
                f":material/check_circle: Draft saved on this machine at {when(known.saved)}."
            )
        elif why_not("try") is None:
            named(f"{boxes.page}_draft_begun").caption(
                ":material/edit: Your text is saved as a draft on this machine, visible only to you."
            )


def _draw_elsewhere(boxes: Boxes) -> None:
    named(f"{boxes.page}_draft_elsewhere").warning(
        "Another window changed this draft. You see this window's version below. It is not saved until you choose.",
        icon=":material/difference:",
    )
    with st.container(horizontal=True):
        st.button(
            "Show other version",
            key=f"{boxes.page}_draft_take",
            icon=":material/sync:",
            on_click=_take,
            args=(boxes,),
        )
        st.button(
            "Keep this version",
            key=f"{boxes.page}_draft_mine",
            icon=":material/save:",
            on_click=_insist,
            args=(boxes,),
        )


@guarded
def _take(boxes: Boxes) -> None:
    """Show what the other window wrote."""
    found = _folder().read(boxes.page)
    values = {} if found is None else dict(found.values)
    put_values(boxes, values)
    known: _Open = st.session_state[_key(boxes)]
    known.version, known.saved = (None, 0.0) if found is None else (found.version, found.saved)
    known.values = {name: value for name, value in values.items() if boxes.fits(name, value)}
    known.elsewhere, known.new = False, True


@guarded
def _insist(boxes: Boxes) -> None:
    """Write this window's version over the other one, which was seen to be there."""
    known: _Open = st.session_state[_key(boxes)]
    known.version, known.values = _folder().version(boxes.page), {}

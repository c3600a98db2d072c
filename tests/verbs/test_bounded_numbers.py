"""No number of a message is without a bound, and none comes in as a text of one."""

import json
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from fedprompt.errors import EgressRefused
from fedprompt.study.score import BINS
from fedprompt.verbs.wire import unpack_reply, unpack_task
from tests.coded import coded

TASK, STUDY, PROMPT, OTHER = "t1:" + "0" * 32, "s1:" + "0" * 32, "p1:" + "0" * 32, "p1:" + "1" * 32
OF = {"prompt": PROMPT, "split": "test", "metric": "accuracy", "n": 2, "total": 1.0, "squares": 1.0}
SCORE = {
    **OF,
    "groups": 2,
    "group_squares": 0.5,
    "confusion": [[1, 1], [0, 0]],
    "bins": [{"n": 2, "confidence": 1.5, "right": 1}, *[{"n": 0, "confidence": 0.0, "right": 0}] * (BINS - 1)],
}
PAIR = {"first": PROMPT, "second": OTHER, "split": "test", "n": 2, "total": 0.0, "squares": 0.0, "better": 0}
CHOICE = {"kind": "mixture-global", "prompt": "h1:" + "0" * 32, "share": 0.5}
FORMS: dict[str, tuple[str, dict[str, Any], bool]] = {
    "describe": ("reply", {"verb": "describe", "tune": 1, "validation": 1, "test": 1, "labels": [1, 2]}, False),
    "tune": ("reply", {"verb": "tune", "round": 1, "cases": 2}, True),
    "evaluate": (
        "reply",
        {
            "verb": "evaluate",
            "scores": [SCORE],
            "comparisons": [{**PAIR, "worse": 0, "groups": 2, "group_squares": 0.0}],
            "looks": 1,
            "clipped": 0,
            "choice": CHOICE,
        },
        False,
    ),
    "worth": ("reply", {"verb": "worth", "n": 8, "draws": 3, "cases": 20, "right": [12, 13]}, False),
    "tune task": ("task", {"verb": "tune", "study": STUDY, "round": 1, "steps": 1, "seed": 1}, True),
}


def packed(kind: str, body: dict[str, Any], arrays: bool) -> bytes:
    text = np.frombuffer(json.dumps({**body, "task": TASK}).encode(), dtype=np.uint8)
    beside = {("delta" if kind == "reply" else "start"): np.zeros((1, 1), np.float32)} if arrays else {}
    return bytes(save({kind: text, **beside}))


def taken(kind: str, data: bytes) -> None:
    (unpack_reply if kind == "reply" else unpack_task)(data)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where there are numbers."""
    if isinstance(value, int | float):
        return [at]
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in inner for place in places(one, (*at, key))]


def replaced(value: Any, at: tuple[Any, ...], by: Any) -> Any:
    if not at:
        return by
    copy: Any = dict(value) if isinstance(value, dict) else [*value]
    copy[at[0]] = replaced(value[at[0]], at[1:], by)
    return copy


@pytest.mark.parametrize("form", FORMS)
def test_every_number_has_bounds(form: str) -> None:
    kind, body, arrays = FORMS[form]
    taken(kind, packed(kind, body, arrays))
    found = places(body)
    assert found
    for place in found:
        for wrong in (10**19, -(10**19), 1e298, -1e298, "1", "9" * 4000, True, None, [1]):
            if wrong is None and place[-1] == "share":
                continue
            with pytest.raises(EgressRefused):
                taken(kind, packed(kind, replaced(body, place, wrong), arrays))


@pytest.mark.parametrize("form", FORMS)
def test_a_number_of_four_thousand_digits_is_never_made(form: str) -> None:
    kind, body, arrays = FORMS[form]
    for place in places(body):
        data = packed(kind, replaced(body, place, "@"), arrays)
        held = load(data)
        text = held.pop(kind).tobytes().replace(b'"@"', b"9" * 4000)
        with pytest.raises(EgressRefused, check=coded("not-well-formed", names="40")):
            taken(kind, bytes(save({kind: np.frombuffer(text, dtype=np.uint8), **held})))

"""An envelope holds a reply's bytes, a head and a trail, and nothing else passes."""

from typing import Any

import pytest

from fedprompt.errors import EgressRefused
from fedprompt.federation.transports.flare.envelope import checked_reply
from fedprompt.trust.chain import MAX_TRAIL

GOOD = {"data": b"x", "head": "a" * 64, "trail": ["b" * 64]}


def test_an_envelope_is_made_anew() -> None:
    found = checked_reply(GOOD)
    assert found == GOOD and found is not GOOD


@pytest.mark.parametrize(
    "change",
    [
        {"note": "Mrs Smith"},
        {"data": "text"},
        {"data": None},
        {"head": "a" * 63},
        {"head": "A" * 64},
        {"head": b"a" * 64},
        {"trail": ("b" * 64,)},
        {"trail": ["b" * 65]},
        {"trail": ["b" * 64] * (MAX_TRAIL + 1)},
        {"trail": [7]},
    ],
)
def test_anything_else_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(EgressRefused):
        checked_reply({**GOOD, **change})
    with pytest.raises(EgressRefused):
        checked_reply({"data": b"x"})

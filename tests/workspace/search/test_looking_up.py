"""What is typed to find a prompt is an id's beginning, a tag, or words; nothing that is typed is refused."""

import pytest

from fedprompt.bank.filters import Filter
from fedprompt.workspace.search.looking_up import LONGEST, typed_filter


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("", Filter()),
        ("  ", Filter()),
        ("good or bad", Filter(words="good or bad")),
        (" p1:3f9c ", Filter(begins="p1:3f9c")),
        ("p1:", Filter(begins="p1:")),
        ("p1:xyz", Filter(words="p1:xyz")),
        ("@staging", Filter(tag="staging")),
        ("sentiment@staging", Filter(tag="sentiment@staging")),
        ("sentiment@", Filter(words="sentiment@")),
        ("@", Filter(words="@")),
        ("ada@Example", Filter(words="ada@Example")),
        ("x" * 500, Filter(words="x" * LONGEST)),
    ],
)
def test_what_is_typed_is_understood(typed: str, meant: Filter) -> None:
    assert typed_filter(typed, Filter()) == meant


def test_what_was_wanted_before_stays_wanted() -> None:
    assert typed_filter("mood", Filter(kind="soft", retired=True)) == Filter(kind="soft", retired=True, words="mood")

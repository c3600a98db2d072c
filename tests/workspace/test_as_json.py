"""What an action returns is JSON under its fields' names, and comes back from it as the same value."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from fedprompt.site.policy import Policy
from fedprompt.workspace.as_json import ABSENT, INLINE, as_json, from_json


@dataclass(frozen=True)
class Row:
    name: str
    value: float | None
    groups: int | None = field(default=None, metadata=ABSENT)


@dataclass(frozen=True)
class Took:
    calls: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Whole:
    from_: str
    took: Took = field(metadata=INLINE)
    rows: tuple[Row, ...]
    by_site: Mapping[str, Row]
    policy: Policy
    best: Row | None
    more: Took | None


@dataclass(frozen=True)
class Perhaps:
    name: str
    took: Took | None = field(metadata=INLINE)


WHOLE = Whole(
    "p1:1", Took(2, ("dear",)), (Row("a", None), Row("b", 0.5, 3)), {"ant": Row("c", 1.0)}, Policy(), None, None
)
JSON = {
    "from": "p1:1",
    "calls": 2,
    "notes": ["dear"],
    "rows": [{"name": "a", "value": None}, {"name": "b", "value": 0.5, "groups": 3}],
    "by_site": {"ant": {"name": "c", "value": 1.0}},
    "policy": Policy().model_dump(mode="json"),
    "best": None,
    "more": None,
}


def test_fields_are_keys_in_their_order_and_one_that_may_be_absent_has_none() -> None:
    assert as_json(WHOLE) == JSON
    assert list(as_json(WHOLE)) == list(JSON)
    json.dumps(as_json(WHOLE), allow_nan=False)


def test_what_was_kept_comes_back_as_the_same_value() -> None:
    assert from_json(Whole, json.loads(json.dumps(JSON))) == WHOLE


@pytest.mark.parametrize("found", [Perhaps("a", None), Perhaps("a", Took(1, ()))])
def test_what_stands_inline_may_be_missing_as_a_whole(found: Perhaps) -> None:
    assert ("calls" in as_json(found)) == (found.took is not None)
    assert from_json(Perhaps, as_json(found)) == found


def test_what_an_earlier_version_did_not_write_is_empty_and_what_a_later_one_wrote_is_passed_over() -> None:
    kept: dict[str, Any] = {"name": "a", "later": 1}
    assert from_json(Row, kept) == Row("a", None)
    assert from_json(Took, {"calls": 1}) == Took(1, ())

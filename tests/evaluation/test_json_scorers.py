"""JSON is read strictly; a schema from a study fetches nothing and cannot hold the site up."""

import json
from typing import Any

import pytest

from fedprompt.evaluation.scorers import JsonSchema, JsonValid, scorer_with
from fedprompt.evaluation.scorers.registry import OptionError

PERSON = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"minimum": 0}}}


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ('{"a": [1, 2.5, null]}', 1.0),
        (" 5\n", 1.0),
        ("{'a': 1}", 0.0),
        ("NaN", 0.0),
        ("[Infinity]", 0.0),
        ('Sure: {"a": 1}', 0.0),
        ('```json\n{"a": 1}\n```', 0.0),
        ("", 0.0),
        ("[" * 100_000, None),
        ("1" * 5000, 0.0),
    ],
)
def test_json_is_the_whole_output(output: str, value: float | None) -> None:
    assert JsonValid().score(output, "").value == value


def test_a_fence_may_be_allowed() -> None:
    assert JsonValid(fenced=True).score('```json\n{"a": 1}\n```', "").value == 1.0
    assert JsonValid(fenced=True).score("```\n[1]\n```\n", "").value == 1.0
    assert JsonValid(fenced=True).score("[1]", "").value == 1.0
    assert JsonValid(fenced=True).score("```json\n{a}\n```", "").value == 0.0


@pytest.mark.parametrize(
    ("output", "value"),
    [
        ('{"name": "A", "age": 3}', 1.0),
        ('{"name": "A", "age": -3}', 0.0),
        ('{"age": 3}', 0.0),
        ("[]", 0.0),
        ("{", 0.0),
    ],
)
def test_a_schema_accepts_or_refuses(output: str, value: float) -> None:
    assert JsonSchema(PERSON).score(output, "").value == value


def test_references_within_a_schema_are_followed_in_every_draft() -> None:
    new = {"$id": "https://example.org/s", "$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}
    old = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "definitions": {"n": {"type": "integer"}},
        "items": {"$ref": "#/definitions/n"},
    }
    for schema in (new, old):
        assert JsonSchema(schema).score("[1, 2]", "").value == 1.0
        assert JsonSchema(schema).score('["1"]', "").value == 0.0


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"$ref": "https://example.org/schema.json"}, "points outside the schema"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "points outside the schema"),
        ({"$dynamicRef": "other.json#x"}, "points outside the schema"),
        ({"$ref": "#/$defs/none"}, "points nowhere"),
        ({"type": "strin"}, "type: is not valid"),
        ({"$schema": "urn:other"}, "unknown draft"),
        ({"$schema": 5}, "schema"),
        ({"patternProperties": {"^a": {}}}, "patternProperties: is not supported"),
        ({"pattern": "((a{1000}){1000}){1000}"}, "multiply to more than"),
        ({"enum": list(range(1001))}, "at most 1,000 elements"),
        ({"description": "x" * 20_001}, "at most 20,000"),
    ],
)
def test_a_schema_that_is_none_or_reaches_out_is_refused_when_read(schema: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        scorer_with("json-schema", {"schema": schema})


def doubling(depth: int) -> dict[str, Any]:
    """A schema of some kilobytes that takes 2 ** depth steps."""
    defs: dict[str, Any] = {f"d{k}": {"allOf": [{"$ref": f"#/$defs/d{k + 1}"}] * 2} for k in range(depth)}
    return {"$defs": {**defs, f"d{depth}": {"type": "string"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("schema", "output"),
    [
        ({"$ref": "#"}, "{}"),
        ({"pattern": "(a+)+$"}, json.dumps("a" * 5000 + "!")),
        ({"propertyNames": {"pattern": "(a+)+$"}}, json.dumps({"a" * 5000 + "!": 1})),
        (doubling(40), '"x"'),
        ({"uniqueItems": True}, json.dumps([{} for _ in range(1001)])),
        ({"multipleOf": 0.1}, "1" + "0" * 400),
    ],
    ids=["endless", "pattern", "names", "doubling", "unique", "huge"],
)
def test_what_cannot_be_told_in_time_is_no_zero(
    schema: dict[str, Any], output: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fedprompt.evaluation.scorers.json_schema.SECONDS", 0.1)
    assert JsonSchema(schema).score(output, "").value is None


def test_a_reason_quotes_neither_output_nor_schema() -> None:
    for output in ('{"name": "secret"}', '{"secret": 1}', "secret"):
        assert "secret" not in JsonSchema(PERSON).score(output, "secret").reason

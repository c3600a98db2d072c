"""The output is JSON that a schema accepts (JSON Schema, drafts 3 to 2020-12, by the package jsonschema).

The schema comes with the study, so it is bounded: in size, it fetches nothing, patterns are searched as
``bounded_pattern`` says, and every keyword looks at the clock, since references alone can take time without end.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue

from fedprompt.evaluation.scorers.bounded_pattern import PatternTimeout, compiled, finds
from fedprompt.evaluation.scorers.json_text import read_json
from fedprompt.evaluation.scorers.scorer import Scored
from fedprompt.prompts.ids import canonical_json

__all__ = ["JsonSchema"]

MAX_BYTES = 20_000
MAX_ELEMENTS = 1000  # of a list that is compared pairwise, in a schema or under uniqueItems
SECONDS = 1.0
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
Keyword = Callable[[Any, Any, Any, Any], Iterable[Any] | None]


def _checked(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    _validator(canonical_json(schema).decode())
    return schema


Schema = Annotated[dict[str, JsonValue], AfterValidator(_checked)]


@dataclass(frozen=True)
class JsonSchema:
    """1 if the whole output is JSON and the schema accepts it, else 0.

    Args:
        schema: the JSON schema, written in the study; ``$ref`` only within it, no ``patternProperties``.
        fenced: a Markdown code fence may stand around the JSON.
    """

    schema: Schema
    name: str = "json-schema"
    fenced: bool = False

    def score(self, output: str, answer: str) -> Scored:
        """Return 1.0 or 0.0, or None where it cannot be told in time; the answer plays no part."""
        found = read_json(output, self.fenced)
        if found.problem:
            return Scored(0.0 if found.judged else None, found.problem)
        accepted = _validator(canonical_json(self.schema).decode()).accepts(found.value, SECONDS)
        if accepted is None:
            return Scored(None, "the schema could not be applied in time", passing=True)
        return Scored(
            float(accepted), "the output matches the schema" if accepted else "the output does not match the schema"
        )


class _Validator:
    """A schema made ready. Where two threads ask at once, the later deadline holds for both."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema import validators
        from jsonschema.exceptions import SchemaError
        from referencing import Registry
        from referencing.exceptions import NoSuchResource, Unresolvable
        from referencing.jsonschema import DRAFT202012, UnknownDialect

        self._deadline = 0.0
        dialect = schema.get("$schema")
        if not isinstance(dialect, str | None):
            raise ValueError("$schema: is not a text")
        kind = validators.validator_for(schema, default=None if dialect else validators.Draft202012Validator)
        if kind is None:
            raise ValueError("$schema: unknown draft; leave it out for draft 2020-12")
        try:
            kind.check_schema(schema)
        except SchemaError as error:
            place = ".".join(str(part) for part in error.absolute_path) or "it"
            raise ValueError(f"{place}: is not valid in JSON Schema ({error.message[:200]})") from error
        except RecursionError as error:
            raise ValueError("nests too deeply for a schema") from error
        timed = {name: self._timed(name, check) for name, check in kind.VALIDATORS.items()}
        try:
            resource = DRAFT202012.create_resource(schema) if dialect is None else _resource(schema)
            registry: Any = Registry().with_resource(resource.id() or "", resource)
            resolver = registry.resolver_with_root(resource)
            for reference in _references(schema):
                resolver.lookup(reference)
        except UnknownDialect as error:
            raise ValueError("$schema: unknown draft; leave it out for draft 2020-12") from error
        except (Unresolvable, NoSuchResource) as error:
            raise ValueError(f"$ref: points nowhere ({str(error)[:100]})") from error
        self._validator = validators.extend(kind, {**timed, "pattern": self._pattern})(schema, registry=registry)

    def accepts(self, value: Any, seconds: float) -> bool | None:
        """Return whether the schema accepts a value, or None where that cannot be told."""
        from referencing.exceptions import Unresolvable

        self._deadline = time.monotonic() + seconds
        try:
            return bool(self._validator.is_valid(value))
        except (PatternTimeout, RecursionError, ArithmeticError, Unresolvable):
            return None

    def _timed(self, name: str, check: Keyword) -> Keyword:
        def timed(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
            if time.monotonic() > self._deadline:
                raise PatternTimeout
            if name == "uniqueItems" and isinstance(instance, list) and len(instance) > MAX_ELEMENTS:
                raise PatternTimeout
            yield from check(validator, value, instance, schema) or ()

        return timed

    def _pattern(self, validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
        from jsonschema.exceptions import ValidationError

        left = self._deadline - time.monotonic()
        if left <= 0:
            raise PatternTimeout
        if validator.is_type(instance, "string") and finds(pattern, instance, seconds=left) is None:
            yield ValidationError("does not match")


@lru_cache(maxsize=64)
def _validator(text: str) -> _Validator:
    """Return the validator of a schema's canonical JSON.

    Raises:
        ValueError: the schema is too large, is none, points outside itself, or asks what is not bounded.
    """
    if len(text) > MAX_BYTES:
        raise ValueError(f"a schema has at most {MAX_BYTES:,} characters, but this one has {len(text):,}")
    schema = json.loads(text)
    for key, value in _walk(schema):
        if key in REFERENCES and isinstance(value, str) and not value.startswith("#"):
            raise ValueError(f"{key}: points outside the schema, and nothing is downloaded; write '#/$defs/NAME'")
        if key == "patternProperties" and isinstance(value, dict):
            raise ValueError("patternProperties: is not supported; name the properties, or use propertyNames")
        if isinstance(value, list) and len(value) > MAX_ELEMENTS:
            raise ValueError(f"{key}: a list in a schema has at most {MAX_ELEMENTS:,} elements")
        if key == "pattern" and isinstance(value, str):
            compiled(value)
    return _Validator(schema)


def _walk(schema: Any) -> Iterator[tuple[str, Any]]:
    open_ = [schema]
    while open_:
        node = open_.pop()
        if isinstance(node, dict):
            yield from node.items()
            open_.extend(node.values())
        elif isinstance(node, list):
            open_.extend(node)


def _references(schema: Any) -> set[str]:
    return {value for key, value in _walk(schema) if key in REFERENCES and isinstance(value, str)}


def _resource(schema: Any) -> Any:
    from referencing import Resource

    return Resource.from_contents(schema)

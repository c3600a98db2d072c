"""Other tools' files, damaged in many ways, come in or are refused in a sentence; nothing else ever ends an import.

Text is cut, doubled and mixed with what each format takes for its own; values of JSON and YAML are put elsewhere or
replaced. A nightly run tries 10,000 of each format (``--hypothesis-profile=nightly``).
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fedprompt.errors import FedPromptError
from fedprompt.exports.protocol import ImportContext
from fedprompt.exports.registry import format_named

pytestmark = pytest.mark.whole

HERE = ImportContext()
EXAMPLES = {25: 25, 10_000: 10_000}.get(settings.default.max_examples, 200)  # quick, nightly, all others
CHAT = [
    {"role": "system", "content": "Be kind"},
    {"role": "user", "content": [{"type": "text", "text": "Is {{text}}?"}]},
]


def _lc(kind: str, **kwargs: Any) -> dict[str, Any]:
    return {"lc": 1, "type": "constructor", "id": ["langchain", "prompts", "chat", kind], "kwargs": kwargs}


TEXT = _lc("PromptTemplate", template="In {lang}: {text}", partial_variables={"lang": "x"}, template_format="f-string")
LANGCHAIN = _lc(
    "ChatPromptTemplate",
    messages=[
        _lc("SystemMessage", content="Be kind"),
        _lc("MessagesPlaceholder", variable_name="history", optional=True, n_messages=2),
        _lc(
            "HumanMessagePromptTemplate",
            prompt=[TEXT, _lc("DictPromptTemplate", template={"type": "text", "text": "a"})],
        ),
        _lc("ChatMessagePromptTemplate", role="developer", prompt={**TEXT, "template_format": "mustache"}),
    ],
    partial_variables={"history": [_lc("HumanMessage", content="hi")]},
)
SAVED = {
    "_type": "few_shot",
    "examples": [{"a": "b"}],
    "example_prompt": {"_type": "prompt", "template": "{a}", "template_format": "jinja2"},
    "prefix": "p",
    "suffix_path": "beside.txt",
    "input_variables": ["text"],
}
PROMPTFOO = {
    "prompts": [
        "Is {{text}}?",
        "file://beside.txt",
        {"raw": json.dumps(CHAT), "label": "b"},
        "*.txt",
        "- role: user\n",
    ],
    "providers": [{"id": "x", "prompts": ["b"]}],
    "defaultTest": {"vars": {"text": "a"}, "options": {}},
}
LANGFUSE = {
    "data": [
        {"name": "a", "type": "chat", "prompt": CHAT, "config": {}, "version": 1},
        {"name": "a", "prompt": "{{x}}"},
    ]
}
SEEDS: tuple[tuple[str, str, str], ...] = (
    ("promptfoo", "theirs.yaml", yaml.safe_dump(PROMPTFOO, sort_keys=False)),
    ("promptfoo", "promptfooconfig.json", json.dumps(PROMPTFOO)),
    ("promptfoo", "chat.json", json.dumps(CHAT)),
    ("promptfoo", "chat.yaml", yaml.safe_dump(CHAT, sort_keys=False)),
    (
        "promptfoo",
        "two.txt",
        "Is {{text}}?\n---\n[{{ x | dump }}]\n---\n- role: user\n  content: {{x}}\n",
    ),
    ("promptfoo", "table.csv", 'prompt,label\n"a, {{text}}",b\n'),
    ("langchain", "theirs.json", json.dumps(LANGCHAIN)),
    ("langchain", "old.json", json.dumps(SAVED)),
    ("langchain", "old.yaml", yaml.safe_dump(SAVED)),
    ("langfuse", "theirs.json", json.dumps(LANGFUSE)),
)
FORMATS = sorted({format for format, _, _ in SEEDS})
TOKENS = [
    "{{",
    "}}",
    "{%",
    "{#",
    "{",
    "}",
    "[",
    "]",
    '"',
    "'",
    "\\",
    "\n",
    "\r",
    "\0",
    "\ufeff",
    "---",
    ": ",
    "- ",
    "*a",
]
TOKENS += [
    "&a ",
    "!!x ",
    "file://",
    "exec:",
    "../",
    "/",
    "*",
    "@@@langfusePrompt:",
    "\ud800",
    "1e999",
    "null",
    "true",
    "é",
]
TOKENS += [
    "{text!r}",
    "{a.b}",
    "{0}",
    "{{a-b}}",
    "{{#a}}",
    "{{{a}}}",
    "\u202e",
    "9" * 5000,
    "{soft}",
    "{{demonstrations}}",
]
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 2**70),
    st.floats(),
    st.sampled_from(TOKENS),
    st.just([]),
    st.just({}),
    st.just([[{"role": "user"}]]),
    st.just({"lc": 1, "type": "secret", "id": []}),
    st.just({"type": "not_implemented", "lc": 1, "id": ["a"]}),
).map(deepcopy)


@st.composite
def damaged_text(draw: st.DrawFn, text: str) -> bytes:
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        to = draw(st.integers(at, min(len(text), at + 40)))
        put = draw(st.one_of(st.just(""), st.sampled_from(TOKENS), st.just(text[at:to] * 2), st.text(max_size=5)))
        text = text[:at] + put + text[to:]
    return text.encode("utf-8", "surrogatepass")


@st.composite
def damaged_value(draw: st.DrawFn, value: Any) -> Any:
    for _ in range(draw(st.integers(1, 3))):
        value = deepcopy(value)  # so that no part is in it twice
        places: list[tuple[Any, Any]] = []
        waiting = [value]
        while waiting:
            one = waiting.pop()
            inner = (
                list(one.items()) if isinstance(one, dict) else list(enumerate(one)) if isinstance(one, list) else []
            )
            places += [(one, key) for key, _ in inner]
            waiting += [each for _, each in inner]
        if not places:
            return draw(odd)
        holder, key = draw(st.sampled_from(places))
        if draw(st.booleans()):
            holder[key] = draw(odd)
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(["type", "prompt", "lc", "role", "name", "é", "template"]))] = holder.pop(key)
        else:
            holder.append(deepcopy(holder[key]))
    return value


def _import(tmp_path: Path, format: str, name: str, content: bytes) -> None:
    (tmp_path / "beside.txt").write_bytes(content[:200] + b"\n{{text}}")
    path = tmp_path / name
    path.write_bytes(content)
    known = format_named(format)
    known.recognises(path, frozenset({name}))
    try:
        found = known.read(path, HERE)
    except FedPromptError as error:
        told = str(error)
        assert told and "\n" not in told and len(told) < 2000
        return
    assert all(one.prompt.id and one.dropped for one in found)


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_a_damaged_file_comes_in_or_is_one_sentence(tmp_path: Path, format: str, data: st.DataObject) -> None:
    _, name, text = data.draw(st.sampled_from([seed for seed in SEEDS if seed[0] == format]))
    _import(tmp_path, format, name, data.draw(damaged_text(text)))


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_values_in_the_wrong_place_come_in_or_are_one_sentence(
    tmp_path: Path, format: str, data: st.DataObject
) -> None:
    trees = [seed for seed in SEEDS if seed[0] == format and seed[1].endswith((".json", ".yaml"))]
    _, name, text = data.draw(st.sampled_from(trees))
    is_json = name.endswith(".json")
    value = data.draw(damaged_value(json.loads(text) if is_json else yaml.safe_load(text)))
    try:
        written = json.dumps(value) if is_json else yaml.safe_dump(value, sort_keys=False)
    except (yaml.YAMLError, ValueError):
        return
    _import(tmp_path, format, name, written.encode("utf-8", "surrogatepass"))

"""promptfoo's configurations come in as promptfoo would send their prompts, or are refused by what they are.

Expected texts follow the processors and ``maybeFilePath`` of promptfoo 0.123 and its guide's page on prompts.
"""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from fedprompt.errors import ExportError
from fedprompt.exports.protocol import ImportContext, Imported
from fedprompt.exports.registry import format_of
from fedprompt.exports.texts.promptfoo import Promptfoo
from fedprompt.prompts.template import Message
from tests.coded import coded

HERE = ImportContext()
CHAT = '[{"role": "system", "content": "Be kind"}, {"role": "user", "content": "Is {{text}} good?"}]'
MESSAGES = (Message("system", "Be kind"), Message("user", "Is {text} good?"))
FILES: dict[str, bytes] = {
    "mood.txt": b"Is {{text}} good?\n",
    "two.txt": b"\xef\xbb\xbfIs {{text}} good?\r\n---\r\nRate\r\n{{text}}.\r\n",
    "prompts/a.txt": b"A {{text}}",
    "prompts/b.md": b"# B\r\n{{text}}\r\n",
    "prompts/deep/c.txt": b"C {{text}}",
    "prompts/.hidden.txt": b"no",
    "chat.json": CHAT.encode(),
    "chat.yaml": b"- content: Be kind\n  role: system\n- role: user\n  content: 'Is {{text}} good?'\n",
    "open.yaml": b"- role: user\n  content: {{text}}\n",
    "open.json": b'[{"role": "user", "content": {{ text | dump }}}]',
    "lines.jsonl": b'[{"role":"user","content":"A {{text}}"}]\n[{"role":"user","content":"B {{text}}"}]\n',
    "table.csv": b'prompt,label\n"A, {{text}}",first\n"B ""{{text}}""",second\n',
    "lines.csv": b"prompt\nA {{text}}\nB {{text}}\n",
    "jinja.j2": b"J {{ text }}\n",
    "listed.yaml": b"- 'A {{text}}'\n- {label: b, raw: 'B {{text}}'}\n",
    "program.py": b"raise SystemExit",
    "other.xml": b"<a/>",
    "empty.txt": b"\n---\n\n",
    "twice.json": b'[{"role": "user", "role": "system", "content": "{{text}}"}]',
    "one.json": b'"Is {{text}} good?"',
    "damaged.json": b'[{"role": "user"',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def _read(folder: Path, prompts: Any, **more: Any) -> tuple[Imported, ...]:
    path = folder / "promptfooconfig.yaml"
    path.write_text(yaml.safe_dump({"prompts": prompts, **more}, sort_keys=False))
    assert format_of(path).name == "promptfoo"
    return Promptfoo().read(path, HERE)


def _held(found: tuple[Imported, ...]) -> list[Any]:
    """Return texts, or (role, text) of messages."""
    templates = [one.prompt.template for one in found]
    return [one.text if one.messages is None else [(m.role, m.content) for m in one.messages] for one in templates]


ASKED = [("system", "Be kind"), ("user", "Is {text} good?")]
READ: dict[str, tuple[Any, list[Any]]] = {
    "text": (["Is {{text}} good?"], ["Is {text} good?"]),
    "block text keeps its last line feed": (["Mood of:\n{{ text }}\n"], ["Mood of:\n{text}\n"]),
    "one text": ("Is {{text}} good?", ["Is {text} good?"]),
    "one file": ("mood.txt", ["Is {text} good?"]),
    "file url": (["file://mood.txt"], ["Is {text} good?"]),
    "bare file": (["./mood.txt"], ["Is {text} good?"]),
    "backslashes": (["prompts\\a.txt"], ["A {text}"]),
    "map of files": ({"mood.txt": "mood"}, ["Is {text} good?"]),
    "id": ([{"id": "file://mood.txt", "label": "mood"}], ["Is {text} good?"]),
    "raw": ([{"id": "x", "raw": "Is {{text}} good?", "label": "mood"}], ["Is {text} good?"]),
    "divided file": (["two.txt"], ["Is {text} good?", "Rate\n{text}."]),
    "glob": (["prompts/*"], ["A {text}", "# B\n{text}\n"]),
    "deep glob": (["file://prompts/**/*.txt"], ["A {text}", "C {text}"]),
    "letters": (["prompts/[ab].txt"], ["A {text}"]),
    "chat as JSON": ([CHAT], [ASKED]),
    "chat as YAML": (["- role: system\n  content: Be kind\n- role: user\n  content: 'Is {{text}} good?'\n"], [ASKED]),
    "chat as YAML, tag without quotes": (["- role: user\n  content: {{text}}\n"], [[("user", "{text}")]]),
    "chat as JSON, dumped": (['[{"role":"user","content":{{ text | dump }}}]'], [[("user", "{text}")]]),
    "parts": (
        ['[{"role":"user","content":[{"type":"text","text":"A "},{"type":"text","text":"{{text}}"}]}]'],
        [[("user", "A {text}")]],
    ),
    "chat file": (["file://chat.json"], [ASKED]),
    "chat file in YAML": (["chat.yaml"], [ASKED]),
    "open YAML file": (["open.yaml"], [[("user", "{text}")]]),
    "open JSON file": (["open.json"], [[("user", "{text}")]]),
    "lines of JSON": (["lines.jsonl"], [[("user", "A {text}")], [("user", "B {text}")]]),
    "table": (["table.csv"], ["A, {text}", 'B "{text}"']),
    "lines": (["lines.csv"], ["A {text}", "B {text}"]),
    "jinja": (["jinja.j2"], ["J {text}\n"]),
    "list in a file": ("file://listed.yaml", ["A {text}", "B {text}"]),
    "quoted text": (["{{ '{{' }} {{text}} {{ 'a\\n' }}"], ["{{{{ {text} a\n"]),
    "comment": (["A {# note -#}\n {{text}}"], ["A {text}"]),
    "Llama's own marks": (["[INST] {{text}} [/INST]"], ["[INST] {text} [/INST]"]),
}


@pytest.mark.parametrize("name", READ)
def test_a_prompt_comes_in_as_promptfoo_would_send_it(folder: Path, name: str) -> None:
    prompts, wanted = READ[name]
    assert _held(_read(folder, prompts)) == wanted


REFUSED: dict[str, tuple[Any, str]] = {
    "missing": (["prompts/gone.txt"], "names the file 'prompts/gone.txt', which is not there"),
    "no match": (["gone/*.txt"], "no file beside it is named as"),
    "folder": (["file://prompts/"], "names the folder 'prompts'"),
    "climbing": (["file://../mood.txt"], "outside its own folder"),
    "absolute": (["file:///etc/hosts.txt"], "outside its own folder"),
    "drive": (["C:\\mood.txt"], "outside its own folder"),
    "home": (["~/mood.txt"], "outside its own folder"),
    "climbing glob": (["../*/*.txt"], "outside its own folder"),
    "braces in a glob": (["prompts/*.{txt,md}"], "the pattern .* has braces"),
    "program": (["program.py"], "is made by the program 'program.py'"),
    "function": (["file://program.py:build"], "is made by the program"),
    "script": (["./make.sh"], "is made by the program"),
    "exec": (["exec:./make --all"], "runs a program"),
    "Langfuse": (["langfuse://mood:3:text"], "is in another place .*; export it from Langfuse"),
    "Portkey": (["portkey://pp-x"], "is in another place"),
    "Helicone": (["helicone://x:1.0"], "is in another place"),
    "web": (["https://example.org/p.txt"], "is in another place"),
    "other file": (["other.xml"], "prompts are not read from such files"),
    "variable path": (["file://{{env.DIR}}/mood.txt"], "whose name is no plain one"),
    "path with a line feed": (["file://mood.txt\n"], "with white space around it"),
    "empty file": (["empty.txt"], "holds no prompt"),
    "key twice": (["twice.json"], "the key 'role' is given twice"),
    "one value": (["one.json"], "is one value in JSON or YAML"),
    "damaged": (["damaged.json"], "is not JSON"),
    "filter": (["{{ text | upper }}"], "filter"),
    "dump in a text": (["Is {{ text | dump }} good?"], "filter"),
    "whole chat from a variable": (["{{ messages | dump }}"], "filter"),
    "environment": (["Hi {{env.NAME}} {{text}}"], "environment"),
    "block": (["{% if a %}b{% endif %}{{text}}"], "the block '{% if a %}' is more than a variable"),
    "raw block": (["{% raw %}{{text}}{% endraw %}"], "more than a variable"),
    "constant": (["{{text}} {{ none }}"], "is a constant"),
    "expression": (["{{ text.x }}"], "more than a variable"),
    "conversation": (["{{ _conversation }} {{text}}"], "stands for earlier answers"),
    "reference": ([{"$ref": "#/x"}], r"is a '\$ref' to another place"),
    "references": ({"$ref": "#/x"}, r"are a '\$ref'"),
    "number": ([5], "has no text of its own"),
    "label alone": ([{"label": "x"}], "has no text of its own"),
    "nothing": ([], "lists no prompts"),
    "no prompts": (None, "lists no prompts"),
    "JSON that is no chat": (['{"a": "{{text}}"}'], "no list of messages"),
    "chat with loops": (['[{% for m in x %}{"role": "user", "content": "{{m}}"}{% endfor %}]'], "a chat in JSON that"),
    "YAML with the content first": (["- content: '{{text}}'\n  role: user\n"], "write the role first"),
    "tool": (['[{"role": "tool", "content": "{{text}}"}]'], "this one has the role 'tool'"),
    "tool calls": (['[{"role": "assistant", "content": "", "tool_calls": [{"id": "1"}]}]'], "it holds tool_calls"),
    "image": (
        ['[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{{text}}"}}]}]'],
        "a part of the type 'image_url'",
    ),
    "no content": (['[{"role": "user"}]'], "needs a role among"),
    "message in a file": (['[{"role": "user", "content": "file://mood.txt"}]'], "is in the file 'mood.txt'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_text_is_refused_by_its_name(folder: Path, name: str) -> None:
    prompts, message = REFUSED[name]
    with pytest.raises(ExportError, match=message):
        _read(folder, prompts)


TOLD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "tests and providers": (["{{text}}"], {"providers": ["x"], "tests": [1]}, "its providers and tests were left out"),
    "filters of providers": (["{{text}}"], {"providers": [{"id": "x", "prompts": ["a"]}]}, "which provider gets which"),
    "defaults": (["{{text}} {{tone}}"], {"defaultTest": {"vars": {"tone": "kind"}}}, "gives to 'tone' were left out"),
    "settings of a prompt": ([{"raw": "{{text}}", "config": {"a": 1}}], {}, "its config was left out"),
    "looks like a path": (["Answer yes/no: {{text}}"], {}, "for which promptfoo looks for a file"),
    "hyphen": (["Dear {{my-name}}"], {}, "the variable 'my-name' became the field 'my_name'"),
    "carriage returns": (["prompts/b.md"], {}, "its carriage returns were left out"),
    "comment": (["{# a #}{{text}}"], {}, "its template's comments were left out"),
    "line": (["a\n---\n{{text}}"], {}, "its line '---' was kept as text"),
    "developer": (['[{"role":"developer","content":"{{text}}"}]'], {}, "'developer' became 'system'"),
    "name": (['[{"role":"user","name":"bo","content":"{{text}}"}]'], {}, "its name was left out"),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_is_left_out_or_changed_is_told(folder: Path, name: str) -> None:
    prompts, more, sentence = TOLD[name]
    assert any(sentence in one for found in _read(folder, prompts, **more) for one in found.dropped)


def test_a_prefix_that_the_configuration_adds_is_refused(folder: Path) -> None:
    with pytest.raises(ExportError, match="prefix", check=coded("adds-to-every-prompt")):
        _read(folder, ["{{text}}"], defaultTest={"options": {"prefix": "Please: "}})


def test_an_anchor_stands_for_what_it_names_and_one_that_grows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text("common: &c 'Is {{text}} good?'\nprompts:\n  - *c\n")
    assert _held(Promptfoo().read(path, HERE)) == ["Is {text} good?"]
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    path.write_text("\n".join(rows) + "\nprompts: ['{{text}}']\n")
    with pytest.raises(ExportError, check=coded("not-yaml")):
        Promptfoo().read(path, HERE)
    path.write_text("a: &a [*a]\nprompts: ['{{text}}']\n")
    with pytest.raises(ExportError, check=coded("not-yaml")):
        Promptfoo().read(path, HERE)


def test_a_link_is_not_followed(folder: Path) -> None:
    (folder / "out.txt").symlink_to("/etc/hosts")
    (folder / "way").symlink_to("/etc")
    for name in ("out.txt", "way/hosts.txt", "way/*.txt"):
        with pytest.raises(ExportError, check=coded("link")):
            _read(folder, [name])
    (folder / "empty.txt").unlink()
    assert {one.prompt.name for one in _read(folder, ["*.txt"])} == {"mood", "two 1", "two 2"}


def test_the_same_configuration_comes_in_from_a_folder_and_a_zip(folder: Path) -> None:
    for name in ("twice.json", "damaged.json"):
        (folder / name).unlink()
    (alone,) = _read(folder, ["prompts/a.txt"])
    (inside,) = Promptfoo().read(folder, HERE)
    packed = folder.parent / "packed.zip"
    for begin in ("", "project/"):
        with zipfile.ZipFile(packed, "w") as made:
            for file in ("promptfooconfig.yaml", "prompts/a.txt"):
                made.write(folder / file, begin + file)
        assert format_of(packed).name == "promptfoo"
        (zipped,) = Promptfoo().read(packed, HERE)
        assert alone.prompt.id == inside.prompt.id == zipped.prompt.id


def test_a_configuration_may_be_json_or_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "promptfooconfig.json"
    path.write_text('{"prompts": ["Is {{text}} good?"]}')
    assert format_of(path).name == "promptfoo"
    (one,) = Promptfoo().read(path, HERE)
    path = tmp_path / "theirs.yaml"
    path.write_bytes(b"\xef\xbb\xbfprompts:\r\n  - Is {{text}} good?\r\n")
    assert format_of(path).name == "promptfoo"
    (two,) = Promptfoo().read(path, HERE)
    assert one.prompt.id == two.prompt.id


@pytest.mark.parametrize("name", ["mood.txt", "chat.json", "lines.jsonl", "jinja.j2"])
def test_a_file_of_prompts_comes_in_alone_as_it_does_by_its_name(folder: Path, name: str) -> None:
    assert format_of(folder / name).name == "promptfoo"
    alone = Promptfoo().read(folder / name, HERE)
    assert [one.prompt.id for one in alone] == [one.prompt.id for one in _read(folder, [name])]


def test_line_ends_and_a_last_line_feed_of_a_text_file_make_no_other_prompt(tmp_path: Path) -> None:
    ids = set()
    for content in (b"A\n{{text}}", b"A\n{{text}}\n", b"A\r\n{{text}}\r\n", b"\xef\xbb\xbfA\r{{text}}\r"):
        path = tmp_path / "p.txt"
        path.write_bytes(content)
        ids |= {one.prompt.id for one in Promptfoo().read(path, HERE)}
    assert len(ids) == 1


def test_texts_without_end_are_refused_before_they_are_taken_apart(tmp_path: Path) -> None:
    for name, content, message in (
        ("a.txt", "{{" * 1_000_000, "longer than 400,000 characters"),
        ("b.txt", "a\n---\n" * 3000, "more than 2,000 prompts"),
        ("c.yaml", "prompts: " + "[" * 200_000, "nested deeper than 64"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(ExportError, match=message):
            Promptfoo().read(tmp_path / name, HERE)

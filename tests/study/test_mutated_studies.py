"""No file, however it is damaged, leads to anything but a study or one sentence: studies of our own are mutated."""

import random
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from fedprompt.errors import FedPromptError
from fedprompt.evaluation.scorers import complete_scorers
from fedprompt.study.files import parse_study, read_study
from fedprompt.study.showing import notes
from fedprompt.workspace.cases.study_draft import study_yaml

ROOT = Path(__file__).resolve().parents[2]
STUDIES = (*sorted((ROOT / "examples").glob("*.yaml")), ROOT / "fedprompt" / "workspace" / "demo_study.yaml")
LONGEST = 2500
RAW = (
    *(
        "yes",
        "NO",
        "on",
        "~",
        "null",
        "010",
        "1e3",
        "12:30",
        "2026-01-01",
        "2026-13-45",
        ".nan",
        "-.inf",
        "0x1F",
        "=",
        "<<",
    ),
    *(
        "&a",
        "*a",
        "&a [*a]",
        "!!python/object:os.system x",
        "!x",
        "{text}",
        "[text]",
        "{{text}}",
        "|",
        ">",
        "%",
        "@",
        "`",
        "'",
    ),
    *(
        '"',
        "\\",
        "\t",
        "\r",
        "\n",
        "\x00",
        "\ufeff",
        "\u2028",
        "#",
        ": ",
        "- ",
        "? ",
        "---\n",
        "...\n",
        "%YAML 9.9\n",
        "[" * 99,
    ),
    *(
        "9" * 4000,
        "-1",
        "0",
        "1" * 39,
        "{" * 70,
        "a: " * 70,
        "\U0001f600",
        "{% if text %}",
        "{}",
        "{0}",
        "${text}",
        "{soft}",
    ),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**38, 10**400, 0.0, -0.0, 1e308, float("nan"), float("inf"), "", " ", "\n"),
    *("text", "{text}", "{{text}}", "{soft}", "{demonstrations}", "yes", "9" * 50, "x" * 500, "\x1b[31m", "é", [], {}),
    *([[]], {"a": {}}, ["a", "a"], [1, "1", 1.0, True], {"name": "x"}, {"1": 1}, {1: 1}, [None] * 50, b"bytes"),
)


@cache
def originals() -> tuple[str, ...]:
    return tuple(path.read_text("utf-8") for path in STUDIES)


def damaged(rng: random.Random) -> bytes:
    """Return a study's bytes with some cut out, put in, doubled or flipped."""
    content = rng.choice(originals()).encode()
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(content) + 1)
        end = min(len(content), at + rng.choice((0, 1, 2, 8, 64)))
        put = rng.choice((b"", content[at:end] * 2, rng.randbytes(rng.randint(1, 4)), rng.choice(RAW).encode()))
        content = content[:at] + put + content[end:]
    return content


def altered(rng: random.Random) -> str:
    """Return a study some of whose values or keys are others, or gone, or written bare."""
    body: Any = yaml.safe_load(rng.choice(originals()))
    for _ in range(rng.randint(1, 3)):
        above: Any = body
        while isinstance(above, dict | list) and above:
            keys = list(above) if isinstance(above, dict) else list(range(len(above)))
            key = rng.choice(keys)
            if not isinstance(above[key], dict | list) or not above[key] or rng.random() < 0.3:
                break
            above = above[key]
        if not isinstance(above, dict | list) or not above:
            continue
        how = rng.randrange(4)
        if how == 0:
            del above[key]
        elif how == 1 and isinstance(above, dict):
            above[rng.choice(("x", 1, None, True, "on", "é" * 300, key))] = above.pop(key)
        elif how == 2 and isinstance(above, list):
            above.extend([above[key]] * rng.choice((1, 300)))
        else:
            above[key] = f"@@{rng.choice(RAW)}@@" if rng.random() < 0.3 else rng.choice(VALUES)
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, default_flow_style=rng.choice((None, False, True)))
    return text.replace("'@@", "").replace("@@'", "").replace('"@@', "").replace('@@"', "")


def a_study_or_a_sentence(read: Any) -> None:
    try:
        study = read()
    except FedPromptError as error:
        message = str(error)
        assert message and message == " ".join(message.splitlines()) and len(message) < LONGEST, message
        return
    # What was read can be used: it is written and read back as the same study, and has an id.
    assert parse_study(study_yaml(study), "again", complete_scorers) == study
    assert study.digest("m").startswith("s1:") and study.candidates() and isinstance(notes(study), tuple)


def examples(least: int) -> settings:
    """Return settings with at least so many examples, more where the profile asks for more, fewer in `make quick`."""
    asked = settings().max_examples
    return settings(max_examples=asked if asked < 100 else max(least, asked), deadline=None)


@examples(200)
@given(seed=st.integers(0, 2**64))
def test_a_damaged_file_is_a_study_or_one_sentence(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.yaml"
    path.write_bytes(damaged(random.Random(seed)))
    a_study_or_a_sentence(lambda: read_study(path, complete_scorers))


@examples(200)
@given(seed=st.integers(0, 2**64))
def test_an_altered_study_is_a_study_or_one_sentence(seed: int) -> None:
    text = altered(random.Random(seed))
    a_study_or_a_sentence(lambda: parse_study(text, "s.yaml", complete_scorers))

"""A word that only one site's cases have is looked for in all that commands print, draft, log, keep and export."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fedprompt.cli.main import main

pytestmark = pytest.mark.whole

CANARY = "quixotry"
PAIRS = [("positive", "a good day"), ("negative", "a bad day")]
STUDY = """
study: mood
model: scripted
fields: [text]
answer: {type: choice, labels: [positive, negative]}
templates:
  - {name: plain, text: "Review: {text}\\nSentiment:"}
  - {name: two-shot, text: "{demonstrations}Review: {text}\\nSentiment:", demonstrations: {count: 2}}
soft: {template: "Review: {text}{soft}\\nSentiment:", tokens: 2, init: "clearly"}
tuning: {steps: 1, batch: 5}
rounds: {count: 1}
privacy: {min_cases: 5}
"""
CASES = [(f"{CANARY} {n} was {text}", label) for n in range(20) for label, text in PAIRS]
Ran = Callable[..., str]


def lines(rows: list[tuple[str, ...]], separator: str = ",") -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


def objects(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


# A kind of trouble -> (ending, content). Each holds the word in texts alone, in places where a reader may trip over it.
TROUBLE: dict[str, tuple[str, str]] = {
    "no header": (".csv", lines(CASES)),
    "no header, tabs": (".tsv", lines(CASES, "\t")),
    "no header, answers that come once": (".csv", lines([(f"{CANARY} came up today", "neutral"), *CASES])),
    "keys that are a case": (".jsonl", objects([dict(zip(CASES[0], row, strict=True)) for row in CASES[1:]])),
    "lists": (".jsonl", objects([list(row) for row in CASES])),  # type: ignore[misc]
    "columns swapped": (".csv", lines([("answer", "text"), *CASES])),
    "a text among the labels": (".csv", lines([("text", "answer"), *CASES, ("so", f"Jane had {CANARY}")])),
    "texts that repeat as labels": (".csv", lines([("text", "answer"), *[(a, t) for t, a in CASES * 2]])),
    "an open quote": (".csv", lines([("text", "answer"), (f'"{CANARY}', "positive"), *CASES])),
    "text after a quote": (".csv", lines([("text", "answer"), (f'"{CANARY}" x', "positive"), *CASES])),
    "rows in a quote": (".csv", 'text,answer\n"' + lines(CASES[:3]) + f'{CANARY} so",negative\n' + lines(CASES)),
    "a cell too many": (".csv", lines([("text", "answer"), (CANARY, "x", "positive"), *CASES])),
    "a stray CR": (".csv", lines([("text", "answer"), (f"{CANARY}\rtwo", "positive"), *CASES])),
    "no JSON": (".jsonl", f'{{"text": "{CANARY}", "answer": positive}}\n'),
    "a key twice": (".jsonl", f'{{"{CANARY} is it. No, that.": 1, "{CANARY} is it. No, that.": 2}}\n'),
    "a list for a text": (".jsonl", objects([{"text": [CANARY], "answer": "positive"}])),
    "half a pair": (".jsonl", f'{{"text": "{CANARY} \\ud800", "answer": "positive"}}\n'),
    "one label only": (".csv", lines([("text", "answer"), *[(f"{CANARY} {n} x", "positive") for n in range(9)]])),
    "an empty cell": (".csv", lines([("text", "answer"), (CANARY, ""), *CASES])),
    "a key that one line lacks": (".jsonl", objects([{"text": CANARY}, {"text": "x", "answer": "positive"}])),
    "no text at all": (".parquet", CANARY),
}


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def ran(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Ran]:
    monkeypatch.setenv("FEDPROMPT_HOME", str(tmp_path / "home"))
    caplog.set_level(logging.DEBUG)

    def run(*words: object) -> str:
        caplog.clear()
        main(["--verbose", *map(str, words)])
        out, error = capfd.readouterr()
        said = out + error + caplog.text
        assert CANARY not in said, words
        assert "unexpected" not in said, words
        return out

    yield run


@pytest.mark.parametrize("kind", TROUBLE)
def test_nothing_of_a_case_is_printed_logged_or_drafted_whatever_is_wrong_with_its_file(
    kind: str, ran: Ran, study: Path, tmp_path: Path
) -> None:
    ending, content = TROUBLE[kind]
    data = tmp_path / f"cases{ending}"
    data.write_text(content)
    for header in ((), ("--header",), ("--no-header",)):
        ran("study", "new", "--data", data, *header)
        ran("study", "new", "--data", data, "--answer", "answer", *header)
        ran("data", "check", data, "-S", study, *header)
        ran("data", "check", data, "-S", study, "--json", "--map", "text=#2,answer=#1", *header)
        ran("data", "check", data, "-S", study, "--json", "--map", "text=#1,answer=#2", "--group", "#1", *header)
    ran("score", "-S", study, "--data", data)
    ran("tune", "-S", study, "--data", data, "--map", "text=#2,answer=#1")
    assert not kept_outside_the_sites(tmp_path / "home")


def test_nothing_of_a_case_is_printed_kept_or_exported_where_all_goes_well(
    ran: Ran, study: Path, tmp_path: Path
) -> None:
    data = tmp_path / "cases.csv"
    data.write_text(lines([("text", "answer"), *CASES]))
    draft = tmp_path / "draft.yaml"
    ran("study", "new", "--data", data, "--out", draft)
    ran("data", "check", data, "-S", study)
    scored = json.loads(ran("score", "-S", study, "--data", data, "--json"))
    tuned = json.loads(ran("tune", "-S", study, "--data", data, "--json"))
    ran("federate", "-S", study, "--site", f"a={data}", "--site", f"b={data}")
    ran("harden", tuned["prompt"], "--data", data, "--steps", 1)
    ran("privacy", "audit", tuned["prompt"], "--data", data, "--shadows", 4)
    prompts = [*(row["prompt"] for row in scored["results"]), tuned["prompt"]]
    ran("compare", *prompts[:2])
    for place, prompt in enumerate(prompts):
        ran("bank", "show", prompt)
        for form in ("bundle", "csv", "parquet", "card", "langchain", "promptfoo", "vllm"):
            ran("export", prompt, "--format", form, "--out", tmp_path / "out" / f"{form}-{place}")
    assert any((tmp_path / "out").rglob("*.json"))
    assert CANARY not in draft.read_text()
    assert not kept_outside_the_sites(tmp_path / "home")
    assert not [path for path in (tmp_path / "out").rglob("*") if holds(path)]


def kept_outside_the_sites(home: Path) -> list[Path]:
    """Return the files of a home, its sites' own folders left out, that hold the word or are called by it."""
    return [path for path in home.rglob("*") if path.relative_to(home).parts[0] != "sites" and holds(path)]


def holds(path: Path) -> bool:
    word = CANARY.encode()
    return CANARY in path.name or (path.is_file() and word in path.read_bytes())

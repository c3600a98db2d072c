"""The whole product on the real model and the real text, small: demo, gates and ledgers, exports, reproducibility."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fedprompt import __version__
from fedprompt.evaluation.readers import read_cases
from fedprompt.models.protocols import ChoiceQuery
from fedprompt.models.registry import load, settings_for
from fedprompt.site.ledger import Ledger
from fedprompt.workspace.as_json import as_json
from fedprompt.workspace.demo.result import DemoResult
from fedprompt.workspace.demo.run import demo
from fedprompt.workspace.demo.settings import DemoSettings
from fedprompt.workspace.exchange.exporting import export_prompts
from fedprompt.workspace.progress import Progress
from fedprompt.workspace.workspace import open_workspace

pytestmark = pytest.mark.model

SMALL = DemoSettings(task="sentiment", rounds=1, cases=30, held_out=30, templates=3)
ID = re.compile(r"[a-z]1:[0-9a-f]{32}")
HASH = re.compile(r"[0-9a-f]{64}")
NAMES = ("manual", "local_own", "local_only", "centralised", "federated", "kept")


@pytest.fixture(scope="module")
def finished(home_with_assets: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, DemoResult]:
    """A home in which a small demo was broken off once and then finished, and what it found."""
    home = tmp_path_factory.mktemp("real")
    (home / "assets").symlink_to(home_with_assets / "assets")

    def stop(progress: Progress) -> None:
        if progress.stage == "federate" and "scores the new prompt" in progress.message:
            raise KeyboardInterrupt

    with open_workspace(home) as ws:
        with pytest.raises(KeyboardInterrupt):
            demo(ws, SMALL, stop)
        return home, demo(ws, SMALL)


def test_the_demo_gives_every_number_of_its_table(finished: tuple[Path, DemoResult]) -> None:
    _, result = finished
    assert len(result.templates) == 3
    assert len(result.rounds) == 1
    for name in NAMES:
        row = result.outcome.test[name]
        assert row.low <= row.mean <= row.high
        assert row.worst == min(row.by_site.values())
        assert sorted(row.by_site) == ["editorials", "movies", "products", "tweets"]
    for site, by_site in result.outcome.transfer.items():
        assert result.outcome.test["local_own"].by_site[site] == by_site[site]
    kept = result.outcome.test["kept"].by_site
    for site, choice in result.outcome.kept.items():
        assert kept[site] == result.outcome.test[choice].by_site[site]
    assert len(result.outcome.sentences) == 4


def test_tuning_on_real_text_beats_chance_by_far(finished: tuple[Path, DemoResult]) -> None:
    # 120 cases: chance is 0.5 with a standard error of 0.046; 0.75 is five of them away.
    assert finished[1].outcome.test["federated"].mean > 0.75


def test_a_run_that_was_broken_off_ends_like_one_that_was_not(
    finished: tuple[Path, DemoResult], home_with_assets: Path, tmp_path: Path
) -> None:
    home, broken = finished
    (tmp_path / "assets").symlink_to(home_with_assets / "assets")
    (tmp_path / "machine.json").write_bytes((home / "machine.json").read_bytes())
    with open_workspace(tmp_path) as ws:
        whole = demo(ws, SMALL)
    # Time and work are of the process that ended the run, which in the broken one computed only what was left.
    work = {"seconds", "tokens", "share_ratio", "tokens_per_second", "part_of_product"}
    one, other = as_json(whole), as_json(broken)
    assert {k: v for k, v in one.items() if k not in work} == {k: v for k, v in other.items() if k not in work}


def _strings(value: Any) -> Iterator[str]:
    """Yield every string that is not the name of a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _strings(part)
    elif isinstance(value, Sequence):
        for part in value:
            yield from _strings(part)


def test_ledgers_list_only_numbers_ids_and_arrays(finished: tuple[Path, DemoResult]) -> None:
    home, _ = finished
    folders = sorted((home / "sites").glob("*/*"))
    assert len(folders) == 4
    for folder in folders:
        entries = Ledger(folder / "ledger.jsonl").entries()
        assert {entry.message["verb"] for entry in entries} == {"describe", "score", "tune", "evaluate"}
        strings = {text for entry in entries for text in _strings(entry.message)}
        # Ids, and the digest of the question that an entry answers.
        assert {text for text in strings if not ID.fullmatch(text) and not HASH.fullmatch(text)} <= {
            "describe", "score", "tune", "evaluate", "accuracy", "likelihood", "validation", "test", "float32",
            __version__,
        }  # fmt: skip
        assert {name for entry in entries for name in entry.arrays} <= {"delta"}
        # Three words in a row of a case occur nowhere, field names included.
        text = (folder / "ledger.jsonl").read_text(encoding="utf-8").lower()
        cases = read_cases(folder / "cases.csv", fields=["text"], labels=["positive", "negative"]).cases
        for case in cases:
            words = case.fields["text"].lower().split()
            assert not [words[i : i + 3] for i in range(len(words) - 2) if " ".join(words[i : i + 3]) in text]
        assert (folder / "ledger.jsonl").stat().st_mode & 0o777 == 0o600
        assert (folder / "cases.csv").stat().st_mode & 0o777 == 0o600


def test_the_any_slot_export_gives_the_same_probabilities_in_plain_transformers(
    finished: tuple[Path, DemoResult], tmp_path: Path
) -> None:
    home, result = finished
    text = "A film that I would gladly see again, if only for <fp-0> and the music."
    with open_workspace(home) as ws:
        folder = export_prompts(ws, [result.outcome.prompts.federated], "any-slot", tmp_path / "model").path
        prompt = ws.bank.prompt(result.outcome.prompts.federated)
    lines = (folder / "README.md").read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    assert "import fedprompt" not in lines and len(lines.splitlines()) == 10
    script = tmp_path / "run.py"
    script.write_text(lines.replace('"..."', json.dumps(text)), encoding="utf-8")
    env = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=folder, capture_output=True, text=True, env=env, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    got = ast.literal_eval(done.stdout.strip().splitlines()[-1])
    settings = settings_for(home)
    model = load("smollm2-135m-instruct", home, type(settings)("float32", settings.threads))
    words = dict(prompt.template.words or {})
    query = ChoiceQuery(prompt.template.render({"text": text}), tuple(words.values()), prompt.soft)
    scores = model.choices([query]).loglikelihoods[0]
    expected = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    for label, probability in zip(words, expected, strict=True):
        assert got[label] == pytest.approx(probability, abs=1e-4)
